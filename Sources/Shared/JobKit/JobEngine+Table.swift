import Core
import Glibc

/// Slots that adoption could not make sense of.
struct FoundSlots {
  /// Garbage that named no process of ours.
  var released = 0
  /// Garbage that names a living one.
  var held = 0
  /// Jobs of a later version.
  var newer = 0
}

/// The job table as something that can be damaged: slots that are not used, room for the others, and a file that somebody cuts short.
extension JobEngine {
  /// Between two looks whether the process of an unused slot is gone.
  private static let heldLook = Duration.seconds(5)

  /// Slots that work can be in.
  var usableSlots: Int { slots.count { $0.phase != .quarantined } }

  /// What the file was like when it was opened.
  func reportTable() {
    switch table.condition {
    case .new, .intact: break
    case .cut(let bytes):
      log.warning(
        "the job table had been cut to \(bytes) bytes and is whole again: scripts whose slots were lost are not known any more, and their devices may be worked on twice"
      )
    case .headerLost(let kept):
      log.warning("the header of the job table was damaged and is made anew; \(kept) jobs in it are whole and kept")
    }
  }

  /// One line for all slots of a kind.
  func report(_ found: FoundSlots) {
    if found.released > 0 {
      log.warning("\(found.released) slots of the job table held garbage that names no process of ours: they are free again")
    }
    if found.held > 0 {
      log.warning("\(found.held) slots of the job table hold garbage that names a living process: they are not used until it has ended")
    }
    if found.newer > 0 {
      log.warning("\(found.newer) slots of the job table hold jobs of a later version: they are left to it")
    }
  }

  /// Enlarges the table until as many slots can be used as there are workers.
  func ensureRoom() {
    defer { while slots.count < table.slotCount { slots.append(JobSlot(index: slots.count)) } }
    let stuck = slots.count - usableSlots
    let wanted = wantedSlots + stuck
    guard wanted > table.slotCount else { return roomError = nil }
    do throws(SystemError) {
      try table.grow(to: wanted)
      roomError = nil
      if stuck > 0 { log.info("the job table has \(table.slotCount) slots now, since \(stuck) can't be used") }
    } catch {
      if roomError == nil { log.error("can't have \(wanted) slots, \(table.slotCount) stay: \(error)") }
      roomError = error
    }
  }

  /// To be called about every second.
  func lookAfterTable(at now: MonotonicTime) {
    repairTable()
    guard now >= heldLookDue else { return }
    heldLookDue = now + Self.heldLook
    if roomError != nil { ensureRoom() }
    var freed = 0
    for slot in slots where slot.phase == .quarantined {
      guard let identity = slot.identity, !host.isAlive(identity) else { continue }
      freed += 1
      guard slot.job == nil else {
        conclude(slot, .unseenLost)
        continue
      }
      send(.vacated, to: slot)
      wake()
    }
    if freed > 0 { log.info("\(freed) slots of the job table can be used again: the processes that they named are gone") }
  }

  /// A store into a part of the file that somebody has cut off would end this process. What this process knows goes back into it.
  private func repairTable() {
    do throws(SystemError) {
      guard try table.repair() else { return }
    } catch {
      // The next look tries again.
      return report(table: "the job table was cut short and can't be made whole: \(error)")
    }
    var entered = 0
    for slot in slots {
      guard let job = slot.job, let identity = slot.identity else { continue }
      let age = loop.now - slot.startedAt
      let record = JobRecord(
        payload: job.item.payload, lock: job.lock, owner: job.owner, group: job.item.group, score: job.item.score,
        startedAt: slot.startedAt, startedWall: loop.wall - age, deadline: slot.deadline)
      table.enterAgain(slot.index, record, identity)
      entered += 1
    }
    report(table: "the job table was cut short by somebody else: it is whole again, and \(entered) running scripts are entered anew")
  }

  private func report(table text: String) {
    if lastError != text { log.error("\(text)") }
    lastError = text
  }

  /// What the table keeps from being done; nil = nothing. `isFault`: no job can start for it.
  var tableProblem: (text: String, isFault: Bool)? {
    let usable = usableSlots
    guard isEnabled, usable < wantedSlots else { return nil }
    let reason = roomError.map { ", and it can't be enlarged: \($0)" } ?? ""
    let stuck = slots.count - usable
    return (
      "\(type.type.rawValue): \(stuck) slots of the job table can't be used\(reason); \(usable) of \(wantedSlots) workers work",
      usable == 0
    )
  }
}

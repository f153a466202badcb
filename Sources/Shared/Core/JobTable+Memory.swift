import CLinuxShims
import Glibc

/// Tables without a file, and what a process that is a value does with one.
extension JobTable {
  /// A table that lives as long as this process, for a runtime directory without space.
  public static func anonymous(slots: Int, place: MachineIdentity, number: UInt64) -> JobTable? {
    let count = max(1, min(slots, JobTableLayout.slotLimit))
    let size = JobTableLayout.fileSize(slots: count)
    guard let base = shim_map_anonymous(size) else { return nil }
    let table = JobTable(fd: -1, base: base, size: size, slots: count, place: place, newNumber: number)
    table.prepare()
    return table
  }

  /// A table in memory that begins with the bytes of another one, as a successor finds a file: for hosts whose processes are values. The
  /// other one is left as it is; nil = no memory.
  public static func successor(of other: JobTable, slots: Int, number: UInt64) -> JobTable? {
    let count = max(other.slotCount, max(1, min(slots, JobTableLayout.slotLimit)))
    let size = JobTableLayout.fileSize(slots: count)
    guard let base = shim_map_anonymous(size) else { return nil }
    memcpy(base, other.base, other.mappedSize)
    let table = JobTable(fd: -1, base: base, size: size, slots: count, place: other.place, newNumber: number)
    table.prepare()
    return table
  }

  /// What a new process does itself before exec (`shim_start`), for a host whose processes are values; false: the slot was taken away, and
  /// the process must not run.
  public func enter(_ slot: Int, from expected: SlotWord, _ process: ProcessIdentity) -> Bool {
    let running = expected.with(.running, pid: process.pid).raw
    guard shim_atomic_swap(pointer(offset(slot) + JobTableLayout.Slot.word), expected.raw, running) != 0 else { return false }
    setStartTime(slot, process.startTime)
    return true
  }
}

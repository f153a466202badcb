/// The check over a slot's record: tells a whole slot from garbage, whichever version wrote it.
///
/// Frozen for ever, as are the first bytes of a slot. The seal is a word: a mark (16 bits), the writer's layout version (16 bits) and a
/// checksum (32 bits) over boot id and pid namespace, mark and version, the slot's sequence, and the words at 16 to 39 and 56 to 783. It leaves out
/// what changes while a job is in the slot, each of which is judged by itself: state and pid (a state that the seal's version does not
/// have is garbage; a pid is believed with its start time only), start time (compared with the process's own), termination and exit status
/// (out of range = none).
enum SlotSeal {
  /// "SL"
  static let mark: UInt64 = 0x4C53

  /// Seals of another boot or pid namespace don't fit: their processes are gone.
  static func seed(_ place: MachineIdentity) -> UInt64 {
    place.bootID.utf8.reduce(mix(0, place.pidNamespace)) { mix($0, UInt64($1)) }
  }

  static func value(of slot: UnsafeRawPointer, sequence: UInt64, seed: UInt64, version: UInt64 = UInt64(JobTableLayout.version)) -> UInt64 {
    let tag = mark << 16 | version & 0xFFFF
    var sum = mix(mix(seed, tag), sequence)
    func add(_ range: Range<Int>) {
      for offset in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
        sum = mix(sum, slot.load(fromByteOffset: offset, as: UInt64.self))
      }
    }
    add(JobTableLayout.Slot.startedBoot..<JobTableLayout.Slot.terminated)
    add(JobTableLayout.Slot.lengths..<JobTableLayout.Slot.seal)
    return tag << 32 | (sum ^ sum >> 32) & 0xFFFF_FFFF
  }

  /// The version that wrote this seal, by its own word.
  static func version(of seal: UInt64) -> UInt64 { seal >> 32 & 0xFFFF }

  private static func mix(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    let product = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
    return product ^ product >> 29
  }
}

/// What a slot's bytes say about themselves.
public enum SlotIntegrity: Equatable, Sendable {
  /// Written as it is by a version of this program that knows its state, on this boot.
  case whole
  /// The same, but by a later version, in a state that only that one knows.
  case newer
  /// Without a seal, and nothing contradicts a version that had none.
  case unsealed
  /// Nobody wrote it as it is.
  case garbage
}

extension JobTable {
  /// To be asked of slots that are not free; one that is free and sealed lost its state and is garbage too.
  public func integrity(_ slot: Int) -> SlotIntegrity {
    let at = offset(slot)
    let word = word(slot)
    let seal = load(at + JobTableLayout.Slot.seal)
    guard seal != 0 else { return word.state != nil && hasPlausibleRecord(slot) ? .unsealed : .garbage }
    let version = SlotSeal.version(of: seal)
    guard seal == SlotSeal.value(of: base + at, sequence: word.sequence, seed: seed, version: version) else { return .garbage }
    guard let state = word.state else { return version > JobTableLayout.version ? .newer : .garbage }
    return state == .free ? .garbage : .whole
  }

  private func hasPlausibleRecord(_ slot: Int) -> Bool {
    typealias Slot = JobTableLayout.Slot
    let at = offset(slot)
    let lengths = load(at + Slot.lengths)
    guard lengths >> 48 == 0 else { return false }
    let texts = [(Slot.payload, 0, Slot.payloadCapacity), (Slot.lock, 16, Slot.lockCapacity), (Slot.owner, 32, Slot.ownerCapacity)]
    return texts.allSatisfy { offset, shift, capacity in
      let length = Int(lengths >> UInt64(shift) & 0xFFFF)
      guard length <= capacity else { return false }
      let bytes = UnsafeRawBufferPointer(start: base + at + offset, count: length)
      return bytes.allSatisfy { $0 >= 0x20 } && String(validating: bytes, as: UTF8.self) != nil
    }
  }
}

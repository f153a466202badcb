import Glibc

@testable import Core

/// Writes into a table's file what this version of the program never would.
enum JobTableProbe {
  private static func patch(_ path: String, at offset: Int, _ value: UInt64) {
    let fd = open(path, O_WRONLY)
    var value = value
    pwrite(fd, &value, 8, off_t(offset))
    close(fd)
  }

  private static func slot(_ index: Int) -> Int { JobTableLayout.headerSize + index * JobTableLayout.slotSize }

  /// The word of a slot, as a new process sets it.
  static func enter(_ path: String, _ index: Int, _ word: SlotWord) { patch(path, at: slot(index), word.raw) }

  static func forgetStatus(_ path: String, _ index: Int) { patch(path, at: slot(index) + JobTableLayout.Slot.status, 7 << 40) }

  /// Slots with a job become those of a later version, in a state that only that one has.
  static func makeNewer(_ path: String, slots: Int) throws {
    guard let reader = JobTable.reader(path: path, place: .current()) else { return }
    let version = UInt64(JobTableLayout.version) + 1
    for index in 0..<slots {
      let word = reader.word(index)
      let seal = SlotSeal.value(of: reader.base + reader.offset(index), sequence: word.sequence, seed: reader.seed, version: version)
      patch(path, at: slot(index) + JobTableLayout.Slot.seal, seal)
      patch(path, at: slot(index), word.raw & ~(0xFF << 32) | 99 << 32)
    }
  }
}

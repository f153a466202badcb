/// Where everything lies in a job table file. One writer (the child), any number of readers (its supervisor).
///
/// The first `frozenBytes` of a slot never change their meaning, nor do place, coverage and arithmetic of its seal (`SlotSeal`): any later
/// version can adopt a script that an earlier one started, and an earlier one knows a later one's slot from garbage.
/// Offsets in bytes; integers are little-endian, as the machine has them.
public enum JobTableLayout {
  /// "LNMSJOBS" read as a little-endian integer.
  public static let magic: UInt64 = 0x5342_4F4A_534D_4E4C
  public static let version: UInt32 = 1

  public static let headerSize = 4096
  public static let slotSize = 1024
  public static let frozenBytes = 64
  /// A configuration error must not allocate without bounds; Python nodes with more workers than this are unknown.
  public static let slotLimit = 4096
  /// Times that a tick can have run at, in seconds since the epoch: 2020 to 2100.
  public static let plausibleTicks: ClosedRange<Int64> = 1_577_836_800...4_102_444_800

  public enum Header {
    public static let magic = 0
    public static let version = 8
    public static let headerSize = 12
    public static let slotSize = 16
    public static let slotCount = 20
    /// 36 bytes of /proc/sys/kernel/random/boot_id: pids and boot times mean nothing after a reboot.
    public static let bootID = 24
    /// Inode of the pid namespace: a container's pids mean nothing outside it.
    public static let pidNamespace = 64
    /// Counts incarnations of the child.
    public static let generation = 72
    /// Index + 1 of the slot that is being adopted, 0 = none. Not 0 at start: the predecessor died over that slot.
    public static let adopting = 80
    /// Deaths over an adoption in a row.
    public static let adoptionDeaths = 88
    /// When the writer's loop last turned (boottime).
    public static let lastTurn = 96
    /// Random, drawn when the table was made: tells its children from those of a clone of the whole machine.
    public static let number = 104
    /// The seconds since the epoch of the last run of up to 8 ticks.
    public static let ticks = 128
    public static let tickCount = 8
  }

  public enum Slot {
    /// Sequence (24 bits), state (8 bits), pid (32 bits): one word, so that one swap changes them together.
    public static let word = 0
    /// Field 22 of /proc/PID/stat, 0 until the process has written it.
    public static let startTime = 8
    public static let startedBoot = 16
    public static let startedWall = 24
    /// Boottime after which the group is ended, 0 = never.
    public static let deadline = 32
    /// Boottime at which TERM was sent, 0 = not yet.
    public static let terminated = 40
    /// Exit status: kind (1 exited, 2 signalled) in the upper, value in the lower 32 bits; valid in the state `ended`.
    public static let status = 48
    /// Lengths of payload, lock and owner, 16 bits each.
    public static let lengths = 56

    public static let payload = 64
    public static let payloadCapacity = 64
    public static let lock = 128
    public static let lockCapacity = 128
    public static let owner = 256
    public static let ownerCapacity = 512
    /// Poller group.
    public static let group = 768
    /// Score with which the job waited, as the bits of a double: it goes back with the same one.
    public static let score = 776
    /// Check over the record, see `SlotSeal`; 0 = the slot is free, or of a version that had no seals.
    public static let seal = 784
    /// Why TERM was sent: 0 = its limit, 1 = the service stops.
    public static let terminationCause = 792
  }

  public static func fileSize(slots: Int) -> Int { headerSize + slots * slotSize }
}

/// The word at the start of a slot.
public struct SlotWord: Equatable, Sendable {
  public enum State: UInt8, Sendable {
    case free = 0
    /// The job is in the slot, its process is not known yet.
    case starting = 1
    /// The process runs, or has ended unseen.
    case running = 2
    /// The process ended and its status is in the slot, but the job's lock is not released yet.
    case ended = 3
    /// A successor took the job out of `starting`: its process must not exec.
    case aborted = 4
    /// Adopting it killed two incarnations: nobody touches it any more until the process is gone.
    case quarantined = 5
  }

  public var raw: UInt64

  public init(raw: UInt64) { self.raw = raw }

  public init(sequence: UInt64, state: State, pid: Int32 = 0) {
    raw = (sequence & 0xFF_FFFF) << 40 | UInt64(state.rawValue) << 32 | UInt64(UInt32(bitPattern: pid))
  }

  public var sequence: UInt64 { raw >> 40 }
  /// nil: written by a version that knows more states.
  public var state: State? { State(rawValue: UInt8(truncatingIfNeeded: raw >> 32)) }
  public var pid: Int32 { Int32(bitPattern: UInt32(truncatingIfNeeded: raw)) }

  public func with(_ state: State, pid: Int32? = nil) -> SlotWord {
    SlotWord(sequence: sequence, state: state, pid: pid ?? self.pid)
  }
}

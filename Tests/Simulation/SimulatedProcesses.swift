import Core
import Glibc

/// The processes of one simulated machine: pids, groups, signals, and zombies until their parent reaps them. What a process does is its
/// owner's affair; here is what the kernel knows of it.
public final class SimulatedProcesses {
  public struct Ended: Equatable {
    public var process: ProcessIdentity
    public var group: Int32
    public var status: ExitStatus
  }

  private final class Entry {
    let process: ProcessIdentity
    var parent: Int32
    let group: Int32
    let session: Int32
    var status: ExitStatus?
    var isStopped = false
    /// Its parent has not been told of its stop.
    var hasNewStop = false
    let onSignal: (Int32) -> Void

    init(_ process: ProcessIdentity, parent: Int32, group: Int32, session: Int32, _ onSignal: @escaping (Int32) -> Void) {
      self.process = process
      self.parent = parent
      self.group = group
      self.session = session
      self.onSignal = onSignal
    }
  }

  private let loop: EventLoop
  private var lastPid: Int32
  private var entries: [Int32: Entry] = [:]
  /// Zombies in the order of their ends.
  private var zombies: [Int32] = []
  /// The process that inherits orphans; 1, which reaps at once, where there is none or it has ended.
  public var subreaper: Int32 = 1

  public init(loop: EventLoop, firstPid: Int32 = 1000) {
    self.loop = loop
    lastPid = firstPid - 1
  }

  // MARK: Lives

  /// `onSignal` is called with what the process gets: SIGCHLD, what others send, and SIGKILL when it is a zombie already, by whatever it was
  /// killed. `leads`: in a session and group of its own, else in its parent's.
  public func start(parent: Int32, leads: Bool = true, _ onSignal: @escaping (Int32) -> Void) -> ProcessIdentity {
    lastPid += 1
    // Clock ticks since boot, as in /proc.
    let process = ProcessIdentity(pid: lastPid, startTime: UInt64(loop.now.nanoseconds / 10_000_000) + 1)
    let above = entries[parent]
    entries[lastPid] = Entry(
      process, parent: parent, group: leads ? lastPid : above?.group ?? 1, session: leads ? lastPid : above?.session ?? 1, onSignal)
    return process
  }

  /// It becomes a zombie, and its children the subreaper's.
  public func end(_ pid: Int32, _ status: ExitStatus) {
    guard let entry = entries[pid], entry.status == nil else { return }
    entry.status = status
    zombies.append(pid)
    if pid == subreaper { subreaper = 1 }
    for orphan in entries.values.filter({ $0.parent == pid }).sorted(by: { $0.process.pid < $1.process.pid }) {
      orphan.parent = subreaper
      if orphan.status != nil { tellParent(of: orphan) }
    }
    tellParent(of: entry)
  }

  private func tellParent(of entry: Entry) {
    let parent = entry.parent
    guard parent != 1 else {
      if entry.status != nil { _ = reap(entry.process.pid, by: 1) }
      return
    }
    loop.schedule(after: .zero) { [weak self] in
      if let above = self?.entries[parent], above.status == nil { above.onSignal(SIGCHLD) }
    }
  }

  // MARK: Signals

  public func signal(_ pid: Int32, _ number: Int32) {
    guard let entry = entries[pid], entry.status == nil else { return }
    switch number {
    case SIGKILL:
      end(pid, .signalled(SIGKILL))
      entry.onSignal(SIGKILL)
    case SIGSTOP:
      guard !entry.isStopped else { return }
      entry.isStopped = true
      entry.hasNewStop = true
      entry.onSignal(SIGSTOP)
      tellParent(of: entry)
    case SIGCONT:
      entry.isStopped = false
      entry.hasNewStop = false
      entry.onSignal(SIGCONT)
    default: entry.onSignal(number)
    }
  }

  /// To the whole group of the process if it leads one, else to the process. Does nothing when it is gone.
  public func signal(_ process: ProcessIdentity, _ number: Int32) {
    guard isAlive(process), let entry = entries[process.pid] else { return }
    if entry.group == process.pid { signalGroup(process.pid, number) } else { signal(process.pid, number) }
  }

  public func signalGroup(_ group: Int32, _ number: Int32) {
    for pid in entries.values.filter({ $0.group == group }).map(\.process.pid).sorted() { signal(pid, number) }
  }

  /// nil = it is no process.
  public func parent(of pid: Int32) -> Int32? { entries[pid]?.parent }

  // MARK: A parent's view

  /// The zombie that has waited longest for this parent.
  public func nextEnded(of parent: Int32) -> Ended? {
    for pid in zombies {
      guard let entry = entries[pid], entry.parent == parent, let status = entry.status else { continue }
      return Ended(process: entry.process, group: entry.group, status: status)
    }
    return nil
  }

  public func reap(_ pid: Int32, by parent: Int32) -> Bool {
    guard let entry = entries[pid], entry.parent == parent, entry.status != nil else { return false }
    entries[pid] = nil
    zombies.removeAll { $0 == pid }
    return true
  }

  /// Each stop once.
  public func nextStopped(of parent: Int32) -> Int32? {
    let found = entries.values.filter { $0.parent == parent && $0.hasNewStop && $0.status == nil }
    guard let pid = found.map(\.process.pid).min() else { return nil }
    entries[pid]?.hasNewStop = false
    return pid
  }

  // MARK: Anybody's view

  /// It exists and is no zombie.
  public func isAlive(_ process: ProcessIdentity) -> Bool {
    entries[process.pid].map { $0.process == process && $0.status == nil } ?? false
  }

  /// The process with this pid; nil = there is none, or a zombie.
  public func living(_ pid: Int32) -> ProcessIdentity? {
    entries[pid].flatMap { $0.status == nil ? $0.process : nil }
  }

  /// The process with this pid, with its group and session; a zombie too.
  public func find(_ pid: Int32) -> (process: ProcessIdentity, group: Int32, session: Int32)? {
    entries[pid].map { ($0.process, $0.group, $0.session) }
  }

  public func isStopped(_ pid: Int32) -> Bool { entries[pid]?.isStopped ?? false }

  /// All that are no zombies, by pid.
  public var living: [ProcessIdentity] { entries.values.filter { $0.status == nil }.map(\.process).sorted { $0.pid < $1.pid } }
  public var zombieCount: Int { zombies.count }
}

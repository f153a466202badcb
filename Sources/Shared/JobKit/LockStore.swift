import Core

/// Named locks with an owner and a lifetime, in memory: what Redis is for a cluster, for a node alone.
public struct LockStore: Sendable {
  public struct Lock: Equatable, Sendable {
    public var owner: String
    /// nil = until released.
    public var until: MonotonicTime?
  }

  private var locks: [String: Lock] = [:]
  /// Expired locks are dropped when they are looked at; those that nobody looks at again, whenever the store has doubled.
  private var sweepAt = 1024

  public init() {}

  public func holder(of name: String, at now: MonotonicTime) -> Lock? {
    guard let lock = locks[name] else { return nil }
    if let until = lock.until, until <= now { return nil }
    return lock
  }

  /// All locks that are held, by name.
  public func all(at now: MonotonicTime) -> [(name: String, lock: Lock)] {
    locks.filter { $0.value.until.map { $0 > now } ?? true }.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
  }

  /// Takes the lock; false when another owner, or the same one, holds it.
  public mutating func acquire(_ name: String, owner: String, until: MonotonicTime?, at now: MonotonicTime) -> Bool {
    guard holder(of: name, at: now) == nil else { return false }
    set(name, owner: owner, until: until, at: now)
    return true
  }

  /// Takes it whoever holds it: for jobs that run and cool-downs that are known from the job table.
  public mutating func set(_ name: String, owner: String, until: MonotonicTime?, at now: MonotonicTime) {
    if locks.count >= sweepAt {
      locks = locks.filter { $0.value.until.map { $0 > now } ?? true }
      sweepAt = max(1024, locks.count * 2)
    }
    locks[name] = Lock(owner: owner, until: until)
  }

  /// False when the owner does not hold it.
  @discardableResult
  public mutating func release(_ name: String, owner: String) -> Bool {
    guard locks[name]?.owner == owner else { return false }
    locks[name] = nil
    return true
  }
}

/// The keys of a simulated server, and what can be done with one of them.
///
/// Times are the server's clock in milliseconds; a key that has ended is dropped by whoever looks at it next, as a server does.
final class SimulatedKeyspace {
  enum Value {
    case text(String)
    case list([String])
    case hash(Hash)
    case sortedSet(SimulatedSortedSet)

    /// As TYPE says it.
    var kind: String {
      switch self {
      case .text: "string"
      case .list: "list"
      case .hash: "hash"
      case .sortedSet: "zset"
      }
    }
  }

  final class Hash {
    var fields: [String: String] = [:]
  }

  private final class Entry {
    var value: Value
    /// The last millisecond of its life; `forever` = without an end.
    var end: Int64

    init(_ value: Value, end: Int64) {
      self.value = value
      self.end = end
    }
  }

  /// One effect of a write, for a replica.
  enum Change {
    case text(String, String, end: Int64)
    case end(String, Int64)
    case delete(String)
    case push(String, String)
    case field(String, String, String)
    case noField(String, String)
    case member(String, String, Double)
    case noMember(String, String)
    case flush
  }

  static let forever = Int64.max

  private var entries: [String: Entry] = [:]
  /// Keys that nobody looks at again are dropped whenever the number has doubled.
  private var sweepAt = 1024
  var now: Int64 = 0
  /// A key was changed, or has ended.
  var onChange: (String) -> Void = { _ in }
  /// nil = nobody listens.
  var journal: ((Change) -> Void)?

  private func live(_ key: String) -> Entry? {
    guard let entry = entries[key] else { return nil }
    guard entry.end < now else { return entry }
    drop(key)
    return nil
  }

  private func drop(_ key: String) {
    entries[key] = nil
    journal?(.delete(key))
    onChange(key)
  }

  private func add(_ key: String, _ value: Value, end: Int64 = forever) {
    entries[key] = Entry(value, end: end)
    guard entries.count >= sweepAt else { return }
    for key in entries.filter({ $0.value.end < now }).keys.sorted() { drop(key) }
    sweepAt = max(1024, entries.count * 2)
  }

  // MARK: Any key

  /// Sorted.
  var keys: [String] { entries.keys.sorted().filter { live($0) != nil } }
  func kind(_ key: String) -> String? { live(key)?.value.kind }
  func value(_ key: String) -> Value? { live(key)?.value }
  /// `forever` too where there is no such key.
  func end(of key: String) -> Int64 { live(key)?.end ?? Self.forever }
  func exists(_ key: String) -> Bool { live(key) != nil }

  func delete(_ key: String) -> Bool {
    guard live(key) != nil else { return false }
    drop(key)
    return true
  }

  func flush() {
    entries = [:]
    journal?(.flush)
  }

  /// Milliseconds; -1 = without an end, -2 = there is no such key.
  func timeLeft(_ key: String) -> Int64 {
    guard let entry = live(key) else { return -2 }
    return entry.end == Self.forever ? -1 : entry.end - now
  }

  /// False: there is no such key. One whose end has come is deleted.
  func end(_ key: String, at end: Int64) -> Bool {
    guard let entry = live(key) else { return false }
    if end <= now {
      drop(key)
    } else {
      entry.end = end
      journal?(.end(key, end))
      onChange(key)
    }
    return true
  }

  // MARK: Texts

  func text(_ key: String) throws(SimulatedRefusal) -> String? {
    guard let entry = live(key) else { return nil }
    guard case .text(let text) = entry.value else { throw .wrongType }
    return text
  }

  func set(_ key: String, _ text: String, end: Int64 = forever) {
    if let entry = entries[key] {
      (entry.value, entry.end) = (.text(text), end)
    } else {
      add(key, .text(text), end: end)
    }
    journal?(.text(key, text, end: end))
    onChange(key)
  }

  // MARK: Lists, of which it is enough that they are no other kind

  func push(_ key: String, _ text: String) throws(SimulatedRefusal) -> Int {
    var all = [text]
    if let entry = live(key) {
      guard case .list(let old) = entry.value else { throw .wrongType }
      all = old + all
      entry.value = .list(all)
    } else {
      add(key, .list(all))
    }
    journal?(.push(key, text))
    onChange(key)
    return all.count
  }

  // MARK: Hashes

  func hash(_ key: String) throws(SimulatedRefusal) -> [String: String]? {
    guard let entry = live(key) else { return nil }
    guard case .hash(let hash) = entry.value else { throw .wrongType }
    return hash.fields
  }

  func field(_ key: String, _ field: String) throws(SimulatedRefusal) -> String? {
    guard let entry = live(key) else { return nil }
    guard case .hash(let hash) = entry.value else { throw .wrongType }
    return hash.fields[field]
  }

  /// True: it is new.
  @discardableResult
  func setField(_ key: String, _ field: String, _ text: String) throws(SimulatedRefusal) -> Bool {
    let hash: Hash
    if let entry = live(key) {
      guard case .hash(let old) = entry.value else { throw .wrongType }
      hash = old
    } else {
      hash = Hash()
      add(key, .hash(hash))
    }
    let old = hash.fields.updateValue(text, forKey: field)
    journal?(.field(key, field, text))
    onChange(key)
    return old == nil
  }

  @discardableResult
  func deleteField(_ key: String, _ field: String) throws(SimulatedRefusal) -> Bool {
    guard let entry = live(key) else { return false }
    guard case .hash(let hash) = entry.value else { throw .wrongType }
    guard hash.fields.removeValue(forKey: field) != nil else { return false }
    if hash.fields.isEmpty { entries[key] = nil }
    journal?(.noField(key, field))
    onChange(key)
    return true
  }

  // MARK: Sorted sets

  func sortedSet(_ key: String) throws(SimulatedRefusal) -> SimulatedSortedSet? {
    guard let entry = live(key) else { return nil }
    guard case .sortedSet(let set) = entry.value else { throw .wrongType }
    return set
  }

  /// True: the member is new. `onlyNew`: an old one keeps its score.
  @discardableResult
  func setMember(_ key: String, _ member: String, _ score: Double, onlyNew: Bool) throws(SimulatedRefusal) -> Bool {
    let set: SimulatedSortedSet
    if let old = try sortedSet(key) {
      set = old
    } else {
      set = SimulatedSortedSet()
      add(key, .sortedSet(set))
    }
    let old = set.score(of: member)
    guard old == nil || !onlyNew && old != score else { return false }
    set.set(member, score)
    journal?(.member(key, member, score))
    onChange(key)
    return old == nil
  }

  @discardableResult
  func deleteMember(_ key: String, _ member: String) throws(SimulatedRefusal) -> Bool {
    guard let set = try sortedSet(key), set.remove(member) else { return false }
    if set.count == 0 { entries[key] = nil }
    journal?(.noMember(key, member))
    onChange(key)
    return true
  }

  // MARK: A replica

  func apply(_ change: Change) {
    do throws(SimulatedRefusal) {
      switch change {
      case .text(let key, let text, let end): set(key, text, end: end)
      case .end(let key, let end): entries[key]?.end = end
      case .delete(let key): entries[key] = nil
      case .push(let key, let text): _ = try push(key, text)
      case .field(let key, let field, let text): try setField(key, field, text)
      case .noField(let key, let field): try deleteField(key, field)
      case .member(let key, let member, let score): try setMember(key, member, score, onlyNew: false)
      case .noMember(let key, let member): try deleteMember(key, member)
      case .flush: flush()
      }
    } catch {
      preconditionFailure("a replica has something else than its master: \(change)")
    }
  }
}

/// An error line of the server, without the leading minus.
struct SimulatedRefusal: Error {
  var line: String

  static let wrongType = SimulatedRefusal(line: "WRONGTYPE Operation against a key holding the wrong kind of value")
  static let notAnInteger = SimulatedRefusal(line: "ERR value is not an integer or out of range")
  static let notAFloat = SimulatedRefusal(line: "ERR value is not a valid float")
  static let syntax = SimulatedRefusal(line: "ERR syntax error")

  static func invalidExpiry(_ command: String) -> SimulatedRefusal {
    SimulatedRefusal(line: "ERR invalid expire time in '\(command)' command")
  }
}

import Core

/// What `locks` shows. Durations are in seconds; what is unknown is left out.
struct LockList: Codable, Equatable {
  struct Entry: Codable, Equatable {
    /// Without the contract's `librenms.lock:`.
    var lock: String
    var owner: String
    /// The owner's node, where the owner is written as the contract has it.
    var node: String?
    var age: Double?
    /// The age is the contract's lifetime less what remains.
    var ageIsEstimated = false
    var expiresIn: Double?
    /// A script of this node runs under it; nil = not known here.
    var running: Bool?

    enum CodingKeys: String, CodingKey {
      case lock, owner, node, age, running
      case ageIsEstimated = "age_is_estimated"
      case expiresIn = "expires_in"
    }
  }

  /// A job that runs on this node, from its job table.
  struct OwnJob {
    var lock: String
    var owner: String
    var age: Duration
  }

  private static let prefix = "librenms.lock:"

  var locks: [Entry]
  /// So many more there are.
  var omitted: Int

  /// Ages are exact for jobs of this node, and else told by what remains of the contract's `lifetime`, where that is known.
  init(_ reports: [LockReport], omitted: Int, own: [OwnJob], lifetime: (String) -> Duration?) {
    var jobs: [String: OwnJob] = [:]
    for job in own { jobs[Self.plain(job.lock)] = job }
    locks = reports.map { report in
      let name = Self.plain(StatusText.clip(report.name))
      var entry = Entry(lock: name, owner: StatusText.clip(report.owner), node: LockOwner(report.owner)?.node)
      entry.expiresIn = report.remaining?.inSeconds
      entry.running = report.isRunning
      if let job = jobs[name], job.owner == report.owner {
        entry.age = job.age.inSeconds
        entry.running = true
      } else if report.isRunning != false, let remaining = report.remaining, let whole = lifetime(name), whole >= remaining {
        entry.age = (whole - remaining).inSeconds
        entry.ageIsEstimated = true
      }
      return entry
    }.sorted(by: Self.precedes)
    self.omitted = omitted
  }

  private static func plain(_ name: String) -> String { name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name }

  /// By kind, and of a kind by number.
  private static func precedes(_ a: Entry, _ b: Entry) -> Bool { key(a.lock) < key(b.lock) }

  private static func key(_ lock: String) -> (String, Int, String) {
    let digits = String(lock.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
    return (String(lock.dropLast(digits.count)), Int(digits) ?? 0, lock)
  }

  // MARK: For people

  func render() -> String {
    guard !locks.isEmpty else { return "no lock is held\n" }
    let rows = locks.map { lock -> [String] in
      let age = lock.age.map { (lock.ageIsEstimated ? "about " : "") + Self.age($0) } ?? "-"
      let state = lock.running.map { $0 ? "running" : "held" } ?? "-"
      return [lock.lock, state, age, lock.expiresIn.map(Self.age) ?? "-", lock.owner]
    }
    var lines = StatusTable.columns([["LOCK", "JOB", "AGE", "ENDS IN", "HOLDER"]] + rows)
    if omitted > 0 { lines.append("and \(omitted) more") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func age(_ seconds: Double) -> String {
    StatusText.shortAge(.seconds(Int(exactly: min(max(seconds, 0), 1e9).rounded()) ?? 0))
  }
}

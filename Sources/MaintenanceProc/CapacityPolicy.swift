/// Judges whether a type's workers keep up with what is due: LibreNMS's rule for tuning them, with the cause that the figures show.
enum CapacityPolicy {
  struct Figures: Equatable, Sendable {
    var type: String
    var period: Duration
    /// Dues come all the time; else all at once on a tick, and a queue behind it is no fault.
    var spreads: Bool
    var workers: Int
    var busy: Int
    var queued: Int
    /// How long the oldest waiting job has been due.
    var oldestDue: Duration?
    /// Worker seconds of the last period.
    var consumed: Duration
    var capacity: Duration
    /// A server is away, or the figures of the queue are old.
    var isHampered = false
    /// Processes that want to run, on average of a minute, for each processor; nil = not known.
    var load: Double?
  }

  /// Of the maximum: "near".
  static let nearMaximum = 0.9
  /// From here on processes wait for processors more than for devices, and more of them would only wait longer.
  static let fullLoad = 1.5
  private static let shortestOnset = Duration.seconds(300)

  static func judge(_ figures: Figures) -> Finding {
    let limit = figures.spreads ? max(.seconds(30), figures.period / 4) : figures.period
    let oldest = figures.oldestDue ?? .zero
    var signal = WarningPolicy.Signal.unclear
    if figures.workers == 0 || figures.queued == 0 || oldest < limit / 2 { signal = .good } else if oldest >= limit { signal = .bad }
    if figures.isHampered { signal = .unclear }
    return Finding(
      key: "capacity \(figures.type)", signal: signal, text: text(figures, oldest),
      relief: "\(figures.type): the workers keep up again with what is due",
      // Consumed seconds are those of a whole period; and after a pause a backlog may take one period to go.
      onset: figures.spreads ? max(figures.period, shortestOnset) : shortestOnset, calm: shortestOnset)
  }

  private static func text(_ figures: Figures, _ oldest: Duration) -> String {
    let share = figures.capacity > .zero ? figures.consumed / figures.capacity : 0
    let facts =
      "\(figures.type): \(figures.queued) jobs wait, the oldest for \(oldest.components.seconds) s, "
      + "\(figures.consumed.components.seconds) of \(figures.capacity.components.seconds) worker seconds were used in the last period "
      + "(\(Int((min(share, 100) * 100).rounded())) %)"
    let isFull = figures.load.map { $0 >= fullLoad } ?? false
    let load = figures.load.map { ", load \(tenths($0)) for each processor" } ?? ""
    let key = "service_\(figures.type)_workers (now \(figures.workers))"
    guard share >= nearMaximum || figures.busy >= figures.workers else {
      return """
        \(facts), and \(figures.workers - figures.busy) of \(figures.workers) workers are free\(load): the machine, the database or Redis is too slow, \
        more workers would not help. Look at its CPU, memory and disk, or add a node
        """
    }
    if isFull { return "\(facts), all workers are busy\(load): this machine has no more to give, add processors or a node" }
    return "\(facts), all workers are busy\(load): raise \(key), or add a node"
  }

  private static func tenths(_ value: Double) -> String { "\((min(value, 1e6) * 10).rounded() / 10)" }
}

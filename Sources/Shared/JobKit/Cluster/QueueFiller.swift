import Core
import Redis

/// Fills the cluster's queues while this node leads.
final class QueueFiller {
  /// Members of one enqueue script: the server answers nobody else while it runs, some 2 ms for this many.
  private static let chunk = 500

  private let commands: ClusterClient
  private let reports: ClusterReports
  private let mark: MarkKeeper
  private let lead: LeadKeeper
  private let taker: QueueTaker
  private let groups: () -> [Int]

  init(
    _ commands: ClusterClient, _ reports: ClusterReports, _ mark: MarkKeeper, _ lead: LeadKeeper, _ taker: QueueTaker,
    groups: @escaping () -> [Int]
  ) {
    self.commands = commands
    self.reports = reports
    self.mark = mark
    self.lead = lead
    self.taker = taker
    self.groups = groups
  }

  /// A chunk after the other: the server gets to others in between, and nothing more is sent on a lost lock.
  func enqueue(_ rest: ArraySlice<QueueItem>, respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    guard !rest.isEmpty || tick != nil else { return done(.done) }
    guard !mark.isTaken else { return done(.refused) }
    let part = Array(rest.prefix(Self.chunk))
    let next = rest.dropFirst(Self.chunk)
    commands.enqueue(part, respectingLocks: respectingLocks, leader: lead.owner, tick: tick, isLast: next.isEmpty) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.unseated):
        lead.unseated()
        done(.refused)
      case .success(.alreadyTicked): done(.alreadyTicked)
      case .success(.added(let added)):
        reports.result(of: .queue, nil)
        // Other groups' work is other nodes'.
        if added > 0, part.contains(where: { groups().contains($0.group) }) { taker.somethingWaits() }
        guard !next.isEmpty else { return done(.done) }
        enqueue(next, respectingLocks: respectingLocks, tick: tick, done)
      case .failure(let error):
        reports.result(of: .queue, error)
        done(.refused)
      }
    }
  }

  func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    commands.lift(item) { [weak self] result in
      answer(result.mapError { CoordinatorFailure($0.text) })
      self?.taker.somethingWaits()
    }
  }
}

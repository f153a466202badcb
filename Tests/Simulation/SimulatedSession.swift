import Core
import Database
import JobKit

/// The answers of a simulated server: those of its tables, by its clock.
final class SimulatedSession: DatabaseSession {
  private let server: SimulatedDatabase

  init(_ server: SimulatedDatabase) { self.server = server }

  func due(_ question: DueQuestion, askedAt: MonotonicTime) throws(DatabaseError) -> [DueJob] {
    var age = Duration.zero
    if case .discoveries(_, _, _, let startedAt) = question { age = askedAt - startedAt }
    return server.tables.due(question, serviceAge: age.inSeconds, now: server.now)
  }

  func fitness(_ question: FitnessQuestion) throws(DatabaseError) -> Fitness { server.tables.fitness(question, now: server.now) }

  func ending(_ question: UnseenEndQuestion) throws(DatabaseError) -> ExitCodePolicy.Ending {
    server.tables.ending(question, now: server.now)
  }

  func devices(_ question: DevicesQuestion) throws(DatabaseError) -> [Int64: DevicesQuestion.Device] { server.tables.devices(question) }

  func write(_ report: NodeReport) throws(DatabaseError) -> NodeReport.Written {
    if let refusal = report.refusal, !server.tables.cluster.contains(where: { $0.nodeID == report.nodeID }) { throw refusal }
    try expectWritable()
    return try server.tables.write(report, now: server.now, zone: server.zone)
  }

  func clearMaster(nodeID: String) throws(DatabaseError) {
    try expectWritable()
    server.tables.clearMaster(nodeID: nodeID)
  }

  private func expectWritable() throws(DatabaseError) {
    guard server.isReadOnly else { return }
    throw DatabaseError(
      kind: .statement, number: 1290,
      text: "The MariaDB server is running with the --read-only option so it cannot execute this statement")
  }

  func clocks(_ question: ClocksQuestion) throws(DatabaseError) -> ClocksQuestion.Clocks {
    let clock = ClockReading(
      skew: (server.wall - server.loop.wall).inSeconds, roundTrip: .milliseconds(1), databaseOffset: server.zone,
      hostOffset: server.hostZone)
    return server.tables.clocks(question, clock: clock, isReadOnly: server.isReadOnly, now: server.now)
  }

  func coverage(_ question: CoverageQuestion) throws(DatabaseError) -> CoverageQuestion.Coverage {
    server.tables.coverage(question, now: server.now)
  }

  func fingerprint(_ question: FingerprintQuestion) throws(DatabaseError) -> String { server.tables.fingerprint }
}

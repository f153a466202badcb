import Fixture
import Glibc
import RedisFixture

/// Devices that are always due and scripts that do nothing: how many jobs per second go through, beside a bare loop over the same script.
enum ThroughputBench {
  private static let workers = 24
  private static let seconds = 20
  private static let configuration: [String: JSON] = [
    "service_poller_frequency": 1, "service_poller_workers": .number(Double(workers)), "service_discovery_enabled": false,
    "service_ping_enabled": false, "service_update_enabled": false, "service_alerting_enabled": false, "service_billing_enabled": false,
    "service_services_enabled": false,
  ]

  static func run(into table: inout ResultTable) throws {
    try measure("alone", configuration, redis: nil, into: &table)
    let redis = try RedisServer()
    let clustered = configuration.merging(["distributed_poller": true]) { $1 }
    try measure("with Redis", clustered, redis: redis, into: &table)
  }

  private static func measure(
    _ kind: String, _ configuration: [String: JSON], redis: RedisServer?, into table: inout ResultTable
  ) throws {
    var rows: [(String, String, String)] = []
    try Scene.play(configuration, sleep: "0") { scene in
      try scene.server.addDevices(5000, lastPolled: "NOW() - INTERVAL 1 DAY")
      try scene.node.behave("default", "sleep=0 no_write=1 no_journal=1")
      let bare = try Self.bareLoop(scene)

      if let redis { scene.node.environment.merge(["REDIS_HOST": "127.0.0.1", "REDIS_PORT": "\(redis.port)"]) { $1 } }
      try scene.node.start()
      _ = try scene.node.awaitChild("librenms-pollerd")
      guard let supervisor = scene.node.dispatcher?.pid, let database = scene.server.pid else { throw FixtureError("no dispatcher") }
      let queue = try redis?.pid()
      progress("throughput \(kind): 5,000 devices always due, \(workers) workers; 6 s to warm up, \(seconds) s measured")
      pause(.seconds(6))
      let serversBefore = (TreeUsage.cpuSeconds(database), queue.map(TreeUsage.cpuSeconds))
      let (before, countsBefore, began) = (TreeUsage(of: supervisor), try Self.counts(scene), ContinuousClock.now)
      pause(.seconds(seconds))
      let (after, counts, took) = (TreeUsage(of: supervisor), try Self.counts(scene), (ContinuousClock.now - began) / .seconds(1))
      let servers = (TreeUsage.cpuSeconds(database), queue.map(TreeUsage.cpuSeconds))
      let jobs = counts.done - countsBefore.done
      guard jobs > 0 else { throw FixtureError("no job was done") }
      guard scene.node.stop() == .exited(0) else { throw FixtureError("the dispatcher did not stop") }
      let again = try Self.bareLoop(scene)
      let loop = (bare + again) / 2
      rows = [
        ("\(kind): jobs per second, \(workers) workers", rounded(jobs / took, 0), ""),
        ("\(kind): jobs per second of a bare spawn and wait loop, before and after", "\(rounded(bare, 0)), \(rounded(again, 0))", ""),
        ("\(kind): dispatcher in percent of the bare loop", "\(rounded(100 * jobs / took / loop, 0)) %", ">= 85 %"),
        ("\(kind): CPU of the dispatcher's processes per job", "\(rounded(1000 * after.cpuSince(before) / jobs, 3)) ms", "<= 0.25 ms"),
        ("\(kind): CPU of the database per job", "\(rounded(1000 * (servers.0 - serversBefore.0) / jobs, 3)) ms", ""),
        ("\(kind): SQL statements per job", rounded((counts.sql - countsBefore.sql) / jobs, 2), "<= 1"),
        ("\(kind): Redis commands per job", rounded((counts.redis - countsBefore.redis) / jobs, 2), "<= 3"),
        ("\(kind): proportional set size of the tree under load", "\(rounded(Double(after.proportionalKiB) / 1024, 1)) MiB", ""),
      ]
      if let (before, after) = serversBefore.1.flatMap({ before in servers.1.map { (before, $0) } }) {
        rows.append(("\(kind): CPU of Redis per job", "\(rounded(1000 * (after - before) / jobs, 3)) ms", ""))
      }
    }
    for row in rows { table.add(row.0, row.1, goal: row.2) }
  }

  /// Jobs done, SQL statements and Redis commands of the poller child.
  private static func counts(_ scene: Scene) throws -> (done: Double, sql: Double, redis: Double) {
    guard case .array(let types) = try scene.node.status()["types"], let poller = types.first(where: { $0["type"]?.text == "poller" }),
      let done = poller["done"]?.number, let sql = poller["sql_statements"]?.number, let redis = poller["redis_commands"]?.number
    else { throw FixtureError("status --json does not tell how many jobs are done") }
    return (done, sql, redis)
  }

  /// Jobs per second, by a process of its own so that nothing else is waited for.
  private static func bareLoop(_ scene: Scene) throws -> Double {
    progress("throughput: bare loop, \(seconds / 2) s")
    let own = linkTarget("/proc/self/exe") ?? ""
    let done = try ChildProcess.run(
      [own, "--bare-loop", scene.node.base, "\(workers)", "\(seconds / 2)"], environment: scene.mark.environment())
    guard done.ending == .exited(0), let count = Double(done.output.split(separator: "\n").first ?? "") else {
      throw FixtureError("bare loop: \(done.ending) \(done.output)\(done.errors)")
    }
    return count / Double(seconds / 2)
  }
}

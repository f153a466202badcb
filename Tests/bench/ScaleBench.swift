import Fixture
import Glibc
import RedisFixture

/// What a node of a cluster asks of the servers although it has nothing to do, the one that leads and another one: every type on, 10,000
/// devices, none due.
enum ScaleBench {
  private static let configuration: [String: JSON] = [
    "distributed_poller": true, "service_ping_enabled": true, "service_ping_frequency": 300, "service_update_enabled": true,
  ]

  /// What a node's children have asked so far.
  private struct Counts {
    var sql = 0.0
    var redis = 0.0

    init(_ node: SampleNode) throws {
      guard case .array(let types) = try node.status()["types"] else { throw FixtureError("status --json has no types") }
      for type in types {
        sql += type["sql_statements"]?.number ?? 0
        redis += type["redis_commands"]?.number ?? 0
      }
    }
  }

  static func run(into table: inout ResultTable) throws {
    var rows: [(String, String, String)] = []
    let redis = try RedisServer()
    try Scene.play(configuration, environment: environment("node-1", redis)) { scene in
      try scene.server.addDevices(10_000, lastPolled: "NOW()")
      let second = try SampleNode(
        server: scene.server, mark: scene.mark, configuration: configuration, environment: environment("node-2", redis))
      try scene.node.start()
      pause(.seconds(8))
      try second.start()
      progress("scale: two nodes, every type, 10,000 devices, none due; 20 s to settle, 60 s measured")
      pause(.seconds(20))
      // What the first scripts of alerting and billing ask is theirs; counted are the dispatchers' own statements.
      let nodes = [("the node that leads", scene.node), ("another node", second)]
      let before = try nodes.map { (try Counts($0.1), TreeUsage(of: $0.1.dispatcher?.pid ?? 0)) }
      let began = ContinuousClock.now
      pause(.seconds(60))
      let seconds = (ContinuousClock.now - began) / .seconds(1)
      for ((name, node), (counts, usage)) in zip(nodes, before) {
        let (now, used) = (try Counts(node), TreeUsage(of: node.dispatcher?.pid ?? 0))
        rows += [
          ("\(name), nothing due: SQL statements per second", rounded((now.sql - counts.sql) / seconds, 2), ""),
          ("\(name), nothing due: Redis commands per second", rounded((now.redis - counts.redis) / seconds, 1), ""),
          ("\(name), nothing due: CPU", "\(rounded(100 * used.cpuSince(usage) / seconds, 2)) %", ""),
          ("\(name): proportional set size of \(used.cpu.count) processes", "\(rounded(Double(used.proportionalKiB) / 1024, 1)) MiB", ""),
        ]
      }
      let sql = try scene.server.query("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'librenms'").first?.first ?? "?"
      rows.append(("connections of both nodes to the database", sql, ""))
      rows.append(("connections of both nodes to Redis", "\(try redis.command("CLIENT", "LIST").split(separator: "\n").count - 1)", ""))
      second.dispatcher?.send(SIGTERM)
      guard second.dispatcher?.wait(.seconds(30)) == .exited(0) else { throw FixtureError("the second node did not stop") }
    }
    for row in rows { table.add(row.0, row.1, goal: row.2) }
  }

  private static func environment(_ id: String, _ redis: RedisServer) -> [String: String] {
    ["NODE_ID": id, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "\(redis.port)"]
  }
}

import Fixture
import Glibc

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
    var rows: [(String, String)] = []
    try Scene.play(configuration, sleep: "0") { scene in
      try scene.server.addDevices(2000, lastPolled: "NOW() - INTERVAL 1 DAY")
      try scene.node.behave("default", "sleep=0 no_write=1 no_journal=1")
      let bare = try Self.bareLoop(scene)

      try scene.node.start()
      _ = try scene.node.awaitChild("librenms-pollerd")
      guard let supervisor = scene.node.dispatcher?.pid else { throw FixtureError("no dispatcher") }
      progress("throughput: 2,000 devices always due, \(workers) workers; 6 s to warm up, \(seconds) s measured")
      pause(.seconds(6))
      let (before, doneBefore, began) = (TreeUsage(of: supervisor), try Self.done(scene), ContinuousClock.now)
      pause(.seconds(seconds))
      let (after, doneAfter, took) = (TreeUsage(of: supervisor), try Self.done(scene), (ContinuousClock.now - began) / .seconds(1))
      let jobs = doneAfter - doneBefore
      guard jobs > 0 else { throw FixtureError("no job was done") }
      let again = try { () throws -> Double in
        guard scene.node.stop() == .exited(0) else { throw FixtureError("the dispatcher did not stop") }
        return try Self.bareLoop(scene)
      }()
      let loop = (bare + again) / 2
      rows = [
        ("jobs per second through the dispatcher, \(workers) workers", rounded(jobs / took, 0)),
        ("jobs per second of a bare spawn and wait loop, before and after", "\(rounded(bare, 0)), \(rounded(again, 0))"),
        ("dispatcher in percent of the bare loop", "\(rounded(100 * jobs / took / loop, 0)) %"),
        ("CPU of the dispatcher's processes per job", "\(rounded(1000 * after.cpuSince(before) / jobs, 3)) ms"),
      ]
    }
    for row in rows { table.add(row.0, row.1) }
  }

  private static func done(_ scene: Scene) throws -> Double {
    guard case .array(let types) = try scene.node.status()["types"],
      let done = types.first(where: { $0["type"]?.text == "poller" })?["done"]?.number
    else { throw FixtureError("status --json does not tell how many jobs are done") }
    return done
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

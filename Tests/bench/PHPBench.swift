import Fixture
import Glibc

/// A script that includes a few hundred PHP files, with and without PHP's file cache: what the start of each script costs.
enum PHPBench {
  private static let files = 300
  private static let seconds = 12
  private static let configuration: [String: JSON] = [
    "service_poller_frequency": 1, "service_poller_workers": 1, "service_discovery_enabled": false, "service_ping_enabled": false,
    "service_update_enabled": false, "service_alerting_enabled": false, "service_billing_enabled": false, "service_services_enabled": false,
  ]

  static func run(into table: inout ResultTable) throws {
    guard PHPSample.isPossible else { return table.add("CPU of a script in PHP that includes \(files) files", "no php here") }
    let without = try measure("off")
    let with = try measure("on")
    table.add("CPU of a script in PHP that includes \(files) files, without its file cache", "\(rounded(1000 * without, 1)) ms")
    table.add("the same with the file cache", "\(rounded(1000 * with, 1)) ms")
    table.add("with the cache in percent of without", "\(rounded(100 * with / without, 0)) %", goal: "<= 60 %")
  }

  /// CPU seconds of a run, the median of those after the first ones.
  private static func measure(_ setting: String) throws -> Double {
    var runs: [PHPSample.Run] = []
    try Scene.play(configuration, environment: ["DISPATCHER_PHP_OPCACHE": setting]) { scene in
      try scene.server.addDevices(200, lastPolled: "NOW() - INTERVAL 1 DAY")
      let php = try PHPSample(in: scene.node, files: files)
      progress("PHP: \(files) included files, file cache \(setting), \(seconds) s")
      try scene.node.start()
      _ = try scene.node.awaitChild("librenms-pollerd")
      pause(.seconds(seconds))
      guard scene.node.stop() == .exited(0) else { throw FixtureError("the dispatcher did not stop") }
      runs = Array(php.runs.dropFirst(5))
      let isCached = runs.contains { $0.scanDirectory != "-" }
      guard isCached == (setting == "on") else {
        let line = scene.node.errors.split(separator: "\n").first { $0.contains("file cache") } ?? "nothing about it in the log"
        throw FixtureError("the file cache is not \(setting): \(line)")
      }
    }
    guard runs.count > 20 else { throw FixtureError("only \(runs.count) runs") }
    return runs.map(\.cpu).sorted()[runs.count / 2]
  }
}

import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// A file server that stops while the service runs: nothing below the directory can be looked up any more.
  @Suite(.enabled(if: HangingMount.isPossible, "needs root, mounts and /dev/fuse")) struct HangingFileSystemTests {
    /// Answered by the supervisor, from a shell that does not stand on that server.
    private func expectAnswers(_ node: SampleNode, _ count: Int, _ comment: String) throws {
      for _ in 0..<count {
        let begin = ContinuousClock.now
        _ = try node.status()
        let took = ContinuousClock.now - begin
        #expect(took < .seconds(1), "\(comment): status took \(took)")
        pause(.milliseconds(500))
      }
    }

    private func terminate(_ node: SampleNode, within limit: Duration) -> (ending: ChildProcess.Ending?, took: Duration) {
      let begin = ContinuousClock.now
      return (node.stop(within: limit), ContinuousClock.now - begin)
    }

    private static let environment = ["DISPATCHER_HEALTHY_SECONDS": "1"]

    @Test func healthFileAndLogsOnItCostNoPollAndNoAnswer() throws {
      let place = try TemporaryDirectory()
      let configuration = pollingOnly.with([
        "service_health_file": .text(place.path + "/health"), "log_dir": .text(place.path), "log_file": .text(place.path + "/librenms.log"),
        "service_watchdog_enabled": true,
      ])
      try Scene.play(configuration, environment: Self.environment) { scene in
        let node = scene.node
        node.arguments = ["-v", "-t", "-o", "file"]
        node.starter = SampleNode.mounting("true")
        try writeText("", to: place.path + "/librenms.log")
        try scene.server.addDevices(40, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        #expect(eventually(within: .seconds(10)) { fileExists(place.path + "/health") })
        #expect(eventually(within: .seconds(10)) { directoryEntries(place.path).contains { $0.hasPrefix("dispatch_") } })

        let hanging = try HangingMount(over: place.path, of: node)
        let begin = wallClock()
        // Longer than a period, in which the log is looked at.
        try expectAnswers(node, 50, "logs and health file hang")
        let polls = node.journal.runs("poller").filter { $0.start > begin }
        #expect(Set(polls.map(\.id)).count == 40, "each device has its poll all the same: \(polls.count)")
        expectNoDoubles(node.journal)
        #expect(node.child("librenms-pollerd") != nil && !node.errors.contains("ended with signal"), "\(node.errors)")

        let (ending, took) = terminate(node, within: .seconds(20))
        progress("SIGTERM with hanging logs: \(ending.map { "\($0)" } ?? "no end") after \(took)")
        #expect(ending == .exited(0), "\(node.errors)")
        withExtendedLifetime(hanging) {}
        #expect(node.journal.killed("poller").isEmpty)
      }
    }

    @Test func aBaseDirectoryOnItStopsTheWorkAndNotTheSupervisor() throws {
      try Scene.play(pollingOnly, environment: Self.environment) { scene in
        let node = scene.node
        node.starter = SampleNode.mounting("true")
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        let hanging = try HangingMount(over: node.base, of: node)
        try expectAnswers(node, 20, "the base directory hangs")
        #expect(
          try eventually(within: .seconds(90), every: .seconds(1)) { try node.command("health").ending == .exited(1) },
          "a node that can start nothing is not healthy")
        let replaced = node.errors.split(separator: "\n").filter { $0.contains("is killed") || $0.contains("ended with signal") }
        progress("while the base directory hung:\n\(replaced.joined(separator: "\n"))")

        try hanging.end()
        let back = wallClock()
        let again = scene.firstStart(after: back, within: .seconds(60)) ?? .infinity
        progress("work again \(again - back) s after the file server")
        #expect(again - back < 40, "\(node.errors)")
        scene.stopOrderly()
        expectNoDoubles(node.journal)
      }
    }

    /// The scripts that run stand on that server, too, so the first signal waits for them, as ever.
    @Test func aServiceWhoseBaseDirectoryHangsEndsAtTheSecondSignal() throws {
      try Scene.play(pollingOnly, environment: Self.environment) { scene in
        let node = scene.node
        node.starter = SampleNode.mounting("true")
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        let hanging = try HangingMount(over: node.base, of: node)
        pause(.seconds(3))
        node.dispatcher?.send(SIGTERM)
        try expectAnswers(node, 6, "it stops and its base directory hangs")
        let (ending, took) = terminate(node, within: .seconds(40))
        progress("the second SIGTERM with a hanging base directory: \(ending.map { "\($0)" } ?? "no end") after \(took)")
        #expect(ending == .exited(0) && took < .seconds(25), "\(node.errors)")
        withExtendedLifetime(hanging) {}
      }
    }
  }
}

import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct DumpTests {
    /// How the dump goes wrong, and whether what it prints could still be understood.
    static let garbage = ["truncate=40", "exit=1", "truncate=1", "warning=1 truncate=30", "sleep=600"]

    @Test func garbageNeverStartsAHalfConfiguredService() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(10)
        // No times are measured here, so the bad nodes wait side by side.
        let nodes = try Self.garbage.map { behaviour in
          let node = try SampleNode(server: scene.server, mark: scene.mark, configuration: pollingOnly)
          try node.behave("dump", behaviour)
          try node.start()
          return (behaviour, node)
        }
        pause(.seconds(8))
        for (behaviour, node) in nodes {
          #expect(node.dispatcher?.poll() == nil, "\(behaviour): it waits:\n\(node.errors)")
          #expect(!node.journal.runs("dump").isEmpty)
          #expect(node.journal.runs("poller").isEmpty, "\(behaviour): no script without a configuration")
          #expect(node.child("librenms-pollerd") == nil)
        }
        for (behaviour, node) in nodes where !behaviour.hasPrefix("sleep") {
          #expect(node.errors.contains("dump"), "\(behaviour): the log says why:\n\(node.errors)")
          try node.behave("dump", nil)
        }
        for (behaviour, node) in nodes where !behaviour.hasPrefix("sleep") {
          let started = eventually(within: .seconds(35), every: .milliseconds(100)) { node.child("librenms-pollerd") != nil }
          #expect(started, "\(behaviour): it goes on as soon as the dump is good:\n\(node.errors)")
        }
        for (behaviour, node) in nodes { #expect(node.stop() == .exited(0), "\(behaviour)") }
      }
    }

    @Test func aWarningBeforeTheDumpIsEitherUnderstoodWholeOrRefused() throws {
      try Scene.play(pollingOnly.with(["service_poller_workers": 3]), sleep: "2") { scene in
        try scene.server.addDevices(20)
        try scene.node.behave("dump", "warning=1")
        try scene.node.start()
        pause(.seconds(8))
        #expect(scene.node.journal.peak("poller") <= 3, "24 would be the default of a dump that was not understood")
        #expect(scene.node.journal.runs("discovery").isEmpty)
        scene.stopOrderly()
      }
    }

    @Test func garbageNeverReplacesAGoodConfiguration() throws {
      try Scene.play(pollingOnly.with(["service_poller_workers": 3, "service_poller_frequency": 5])) { scene in
        try scene.server.addDevices(8)
        try scene.startAndAwaitWork()
        let child = try scene.node.awaitChild("librenms-pollerd").pid
        for behaviour in Self.garbage {
          let dumps = scene.node.journal.runs("dump").count
          try scene.node.behave("dump", behaviour)
          scene.node.dispatcher?.send(SIGHUP)
          #expect(
            eventually(within: .seconds(10)) { scene.node.journal.runs("dump").count > dumps },
            "SIGHUP reads the configuration: \(behaviour)")
          pause(.seconds(3))
          #expect(scene.node.dispatcher?.poll() == nil)
          let status = try scene.node.status()
          guard case .array(let types) = status["types"] else { throw FixtureError("no types in \(status)") }
          let poller = types.first { $0["type"]?.text == "poller" }
          #expect(poller?["slots"]?.number == 3 && poller?["pid"]?.number == Double(child), "\(behaviour): \(String(describing: poller))")
        }
        let now = wallClock()
        #expect(scene.firstStart(after: now, within: .seconds(7)) != nil, "polling goes on")
        scene.stopOrderly()
        #expect(scene.node.journal.peak("poller") <= 3)
        expectNoDoubles(scene.node.journal, halfPeriod: 2.5)
      }
    }

    @Test func aGoodChangeIsAppliedWithoutLosingAJob() throws {
      try Scene.play(pollingOnly.with(["service_poller_workers": 3, "service_poller_frequency": 5]), sleep: "2") { scene in
        try scene.server.addDevices(20)
        try scene.startAndAwaitWork()
        pause(.seconds(3))
        #expect(scene.node.journal.peak("poller") == 3)
        try scene.node.configure(pollingOnly.with(["service_poller_workers": 9, "service_poller_frequency": 5]))
        let reload = try scene.node.command("reload", limit: .seconds(30))
        #expect(reload.ending == .exited(0), "\(reload.output)\(reload.errors)")
        #expect(eventually(within: .seconds(10)) { scene.node.journal.peak("poller") == 9 })
        scene.stopOrderly()
        #expect(scene.node.journal.killed("poller").isEmpty)
        expectNoDoubles(scene.node.journal, halfPeriod: 2.5)
      }
    }
  }
}

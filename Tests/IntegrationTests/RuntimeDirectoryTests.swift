import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct RuntimeDirectoryTests {
    private func failure(_ scene: Scene) throws -> String? {
      guard case .array(let types)? = try scene.node.status()["types"] else { return nil }
      return types.first { $0["type"]?.text == "poller" }?["job_table_failure"]?.text
    }

    @Test func aLostRuntimeDirectoryLosesNoScriptAndNoType() throws {
      try Scene.play(pollingOnly, environment: ["DISPATCHER_HEALTHY_SECONDS": "1"]) { scene in
        let node = scene.node
        try scene.server.addDevices(6, lastPolled: spreadOverPeriod)
        // Longer than what happens here.
        try node.behave("poller.1", "sleep=15")
        try scene.server.query("UPDATE devices SET last_polled = NOW() - INTERVAL 1 HOUR WHERE device_id = 1")
        try scene.startAndAwaitWork()
        #expect(eventually(within: .seconds(10)) { node.journal.runs("poller").contains { $0.id == "1" } })
        guard let name = directoryEntries(node.runtimeDirectory).first else { throw FixtureError("no runtime directory") }
        let table = "\(node.runtimeDirectory)/\(name)/poller.jobs"

        // Removed under the service, and then a child dies: its successor knows the script.
        _ = try ChildProcess.run(["rm", "-rf", node.runtimeDirectory + "/" + name])
        #expect(eventually(within: .seconds(6)) { fileExists(table) }, "\(node.errors)")
        let first = try node.awaitChild("librenms-pollerd")
        kill(first.pid, SIGKILL)
        let second = try node.awaitChild("librenms-pollerd", within: .seconds(5), not: first.pid)
        #expect(eventually(within: .seconds(5)) { node.errors.contains("adopted 1 running scripts") }, "\(node.errors)")

        // A name that can't be opened: works without adoption, says so, and gets its table when that is mended.
        unlink(table)
        mkdir(table, 0o700)
        kill(second.pid, SIGKILL)
        _ = try node.awaitChild("librenms-pollerd", within: .seconds(10), not: second.pid)
        #expect(eventually(within: .seconds(10)) { ((try? failure(scene)) ?? nil) != nil }, "\(node.errors)")
        let before = node.journal.runs("poller").count
        #expect(eventually(within: .seconds(25)) { node.journal.runs("poller").count > before + 3 }, "the type works all the same")
        #expect(try node.command("status").output.contains("poller: no job table"))
        rmdir(table)
        #expect(eventually(within: .seconds(5)) { fileExists(table) && (try? failure(scene)) == .some(nil) }, "\(node.errors)")
        #expect(node.errors.contains("scripts can be adopted after a crash"))
        scene.stopOrderly()
      }
    }
  }
}

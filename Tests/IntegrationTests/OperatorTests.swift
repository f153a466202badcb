import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct OperatorTests {
    @Test func statusAndHealthTellWhatIsGoingOn() throws {
      try Scene.play(pollingOnly.with(["service_ping_enabled": true]), sleep: "3") { scene in
        try scene.server.addDevices(10)
        #expect(try scene.node.command("health").ending == .exited(1), "nothing runs yet")
        try scene.startAndAwaitWork()
        pause(.seconds(2))
        let names = Set(ProcessInfo.all().filter { $0.parent == scene.node.dispatcher?.pid }.map(\.executable))
        #expect(names.isSuperset(of: ["librenms-pollerd", "librenms-pingd"]) && !names.contains("librenms-discoveryd"))

        let health = try scene.node.command("health")
        #expect(health.ending == .exited(0) && health.output.split(separator: "\n").count == 1, "\(health.output)\(health.errors)")
        let status = try scene.node.status()
        guard case .array(let types) = status["types"], case .array(let jobs) = status["jobs"] else { throw FixtureError("\(status)") }
        let poller = try #require(types.first { $0["type"]?.text == "poller" })
        #expect(poller["pid"]?.number == Double(try scene.node.awaitChild("librenms-pollerd").pid))
        #expect(poller["slots"]?.number == 24 && (poller["busy"]?.number ?? 0) > 0)
        #expect(!jobs.isEmpty && jobs.allSatisfy { job in job["pid"]?.number.map { ProcessInfo.isAlive(pid_t($0)) } ?? false })
        let text = try scene.node.command("status")
        #expect(text.ending == .exited(0) && text.output.contains("poller") && text.output.contains("24"))
      }
    }

    @Test func aSecondInstanceIsRefused() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(1)
        try scene.startAndAwaitWork()
        let second = try scene.node.command("run")
        #expect(second.ending == .exited(2), "\(second.errors)")
        #expect(scene.node.dispatcher?.poll() == nil, "the first one goes on")
      }
    }

    @Test func aMissingNodeIDIsExitThree() throws {
      try Scene.play(pollingOnly) { scene in
        try writeText("NODE_ID=\n", to: scene.node.base + "/.env", mode: 0o600)
        let refused = try scene.node.command("run")
        #expect(refused.ending == .exited(3) && refused.errors.contains("NODE_ID"), "\(refused.errors)")
        unlink(scene.node.base + "/.env")
        let missing = try scene.node.command("run")
        #expect(missing.ending == .exited(3) && missing.errors.contains(".env"), "\(missing.errors)")
      }
    }
  }
}

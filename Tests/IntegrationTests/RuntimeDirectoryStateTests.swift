import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// A runtime directory that is there and can't be written: read-only, or full. In a mount name space of the service's own.
  @Suite(.enabled(if: SampleNode.canEnterMounts, "needs root and mounts")) struct RuntimeDirectoryStateTests {
    private static let environment = ["DISPATCHER_HEALTHY_SECONDS": "1"]

    private func lines(_ node: SampleNode, _ words: String) -> [Substring] {
      node.errors.split(separator: "\n").filter { $0.contains(words) && !$0.contains(" DEBUG: ") }
    }

    private func change(_ node: SampleNode, _ script: String) throws {
      let done = try node.inside(["sh", "-c", "set -e; " + script])
      guard done.ending == .exited(0) else { throw FixtureError("\(script): \(done.errors)") }
    }

    /// A heartbeat comes each 5 s.
    private func expectNoFailureShown(_ node: SampleNode) throws {
      #expect(try eventually(within: .seconds(10), every: .milliseconds(500)) { try !statusInside(node).contains("no job table") })
    }

    private func expectWork(_ scene: Scene, _ why: String) {
      let before = scene.node.journal.runs("poller").count
      #expect(
        eventually(within: .seconds(25)) { scene.node.journal.runs("poller").count > before + 3 }, "\(why):\n\(scene.node.errors)")
    }

    private func statusInside(_ node: SampleNode) throws -> String {
      let begin = ContinuousClock.now
      let answer = try node.commandInside("status")
      #expect(answer.ending == .exited(0), "\(answer.errors)")
      #expect(ContinuousClock.now - begin < .seconds(3))
      return answer.output
    }

    /// Without it, nothing of the machine's own is touched.
    private static let emptyRun = "mount -t tmpfs tmpfs /run"
    private static func readOnly(_ path: String) -> String { "mount --bind '\(path)' '\(path)'; mount -o remount,bind,ro '\(path)'" }

    @Test func oneThatIsReadOnlyAtTheStartIsNamedAndAnotherOneUsed() throws {
      try Scene.play(pollingOnly, environment: Self.environment) { scene in
        let node = scene.node
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        node.starter = SampleNode.mounting("\(Self.emptyRun); \(Self.readOnly(node.runtimeDirectory))")
        try scene.startAndAwaitWork()
        expectWork(scene, "it works elsewhere")
        let said = lines(node, node.runtimeDirectory)
        #expect(
          said.count == 1 && said[0].contains("Read-only file system") && said[0].contains("/run/librenms-dispatcher"), "\(node.errors)")
        #expect(try statusInside(node).contains("poller"))
        #expect(try node.commandInside("health").ending == .exited(0))
        scene.stopOrderly()
      }
    }

    @Test func withoutAnyPlaceItDoesNotStartAndSaysWhy() throws {
      try Scene.play(pollingOnly) { scene in
        let node = scene.node
        node.starter = SampleNode.mounting(
          "mount -t tmpfs -o ro tmpfs /run; mount -t tmpfs -o ro tmpfs /dev/shm; \(Self.readOnly(node.runtimeDirectory))")
        try node.start()
        #expect(node.dispatcher?.wait(.seconds(20)) == .exited(2))
        let said = lines(node, "there is no place for the job tables")
        #expect(said.count == 1 && said[0].contains("Read-only file system"), "\(node.errors)")
      }
    }

    @Test func oneThatBecomesReadOnlyLosesNoTypeAndHealsItself() throws {
      try Scene.play(pollingOnly, environment: Self.environment) { scene in
        let node = scene.node
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        node.starter = SampleNode.mounting("true")
        try scene.startAndAwaitWork()
        let first = try node.awaitChild("librenms-pollerd")
        // Files that are open stay what they are, as after an error of the file system.
        try change(node, Self.readOnly(node.runtimeDirectory))
        expectWork(scene, "nothing needs to be made")
        // Its successor can't open the table for writing.
        kill(first.pid, SIGKILL)
        let second = try node.awaitChild("librenms-pollerd", within: .seconds(10), not: first.pid)
        expectWork(scene, "the type works without its table")
        #expect(lines(node, "running without a job table").count == 1, "\(node.errors)")
        #expect(lines(node, "running without a job table").first?.contains("Read-only file system") == true, "\(node.errors)")
        #expect(try statusInside(node).contains("poller: no job table"))
        try change(node, "mount -o remount,bind,rw '\(node.runtimeDirectory)'")
        #expect(eventually(within: .seconds(10)) { node.errors.contains("there is a job table in") }, "\(node.errors)")
        try expectNoFailureShown(node)
        // It is one: what runs is taken over again.
        try node.behave("default", "sleep=6")
        #expect(
          eventually(within: .seconds(30), every: .milliseconds(50)) {
            node.journal.runs("poller").contains { $0.end == nil && wallClock() - $0.start < 2 }
          })
        kill(second.pid, SIGKILL)
        #expect(eventually(within: .seconds(10)) { node.errors.contains("running scripts") }, "\(node.errors)")
        scene.stopOrderly()
        #expect(node.journal.killed("poller").isEmpty)
      }
    }

    @Test func oneThatIsFullIsSaidOncePerTypeAndUsedWhenThereIsRoom() throws {
      try Scene.play(pollingOnly, environment: Self.environment) { scene in
        let node = scene.node
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        node.starter = SampleNode.mounting(
          """
          mount -t tmpfs -o size=64k tmpfs '\(node.runtimeDirectory)'
          head -c 1m /dev/zero >'\(node.runtimeDirectory)/filler' 2>/dev/null || true
          """)
        try scene.startAndAwaitWork()
        expectWork(scene, "it works without")
        let said = lines(node, "running without a job table")
        #expect(!said.isEmpty && said.allSatisfy { $0.contains("No space left on device") }, "\(node.errors)")
        let perProcess = Dictionary(grouping: said) { $0.split(separator: " ").first { $0.hasPrefix("librenms-") } ?? "" }
        #expect(perProcess.values.allSatisfy { $0.count == 1 }, "\(said)")
        let status = try statusInside(node)
        #expect(status.contains("poller: no job table"), "\(status)")
        // Also what comes after: a child that dies has a successor that works.
        let first = try node.awaitChild("librenms-pollerd")
        kill(first.pid, SIGKILL)
        _ = try node.awaitChild("librenms-pollerd", within: .seconds(10), not: first.pid)
        expectWork(scene, "its successor, too")
        try change(node, "mount -o remount,size=8m '\(node.runtimeDirectory)'")
        #expect(eventually(within: .seconds(10)) { node.errors.contains("there is a job table in") }, "\(node.errors)")
        try expectNoFailureShown(node)
        scene.stopOrderly()
      }
    }
  }
}

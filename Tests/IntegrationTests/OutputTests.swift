import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct OutputTests {
    private enum Target: String {
      case none, passthrough, logger, file, fullDisk
    }

    /// A gigabyte where there is time for it; a buffer without bounds shows with much less.
    private static let megabytes = fullLength ? 1000 : 50

    // Each of them on its own: they run side by side.
    @Test func aFloodThatIsDroppedHarmsNobody() throws { try flood(.none) }
    @Test func aFloodThatIsPassedThroughHarmsNobody() throws { try flood(.passthrough) }
    @Test func aFloodThatIsLoggedHarmsNobody() throws { try flood(.logger) }
    @Test func aFloodIntoFilesHarmsNobody() throws { try flood(.file) }
    @Test func aFloodOntoAFullDiskHarmsNobody() throws { try flood(.fullDisk) }

    private func flood(_ target: Target) throws {
      let mode = target == .fullDisk ? "file" : target.rawValue
      let configuration = pollingOnly.with(["service_poller_frequency": 5])
      try Scene.play(configuration) { scene in
        try scene.server.addDevices(41, lastPolled: "NOW() - INTERVAL (seq % 5) SECOND")
        scene.node.arguments = ["-v", "-t", "--log-output", mode]
        if target == .fullDisk {
          try #require(SampleNode.canMount, "a full disk needs the right to mount a file system, as root or in a user namespace")
          scene.node.fullDisk = scene.node.base + "/logs"
        }
        try scene.node.behave("1", "output_bytes=\(Self.megabytes * 1_000_000) sleep=0")
        try scene.server.query("UPDATE devices SET disabled = 1 WHERE device_id = 1")
        try scene.startAndAwaitWork()
        pause(.seconds(3))
        let child = try scene.node.awaitChild("librenms-pollerd").pid
        let supervisor = try #require(scene.node.dispatcher).pid
        let before = (ProcessInfo.residentKiB(child), ProcessInfo.residentKiB(supervisor))
        try scene.server.query("UPDATE devices SET disabled = 0 WHERE device_id = 1")
        var peak = before
        let began = wallClock()
        let ended = eventually(within: .seconds(120), every: .milliseconds(100)) {
          peak = (max(peak.0, ProcessInfo.residentKiB(child)), max(peak.1, ProcessInfo.residentKiB(supervisor)))
          return scene.node.journal.runs("poller", "1").first?.end != nil
        }
        try scene.server.query("UPDATE devices SET disabled = 1 WHERE device_id = 1")
        let took = wallClock() - began
        progress(
          "\(target.rawValue): \(Self.megabytes) MB in \(took) s, memory +\(peak.0 - before.0) KiB in the child, +\(peak.1 - before.1) in the supervisor"
        )
        #expect(ended, "the script came to its end")
        pause(.seconds(6))
        #expect(try scene.node.awaitChild("librenms-pollerd").pid == child, "the child was not replaced")
        scene.stopOrderly()

        #expect(peak.0 - before.0 < 16 * 1024 && peak.1 - before.1 < 16 * 1024)
        let journal = scene.node.journal
        #expect(journal.runs("poller").allSatisfy { $0.exitCode == 0 }, "no script dies of a failing write")
        let gaps = journal.pairs("poller").filter { $0.earlier.id != "1" }.map { $0.later.start - $0.earlier.start }
        let late = gaps.filter { abs($0 - 5) > (fullLength ? 1 : 2) }
        #expect(Double(late.count) <= 0.01 * Double(gaps.count), "others' times change: \(late.sorted().suffix(5)) of \(gaps.count)")
        if target == .file {
          let file = scene.node.base + "/logs/dispatch_device_1_poller.log"
          var facts = stat()
          #expect(stat(file, &facts) == 0 && facts.st_size > 0)
        }
      }
    }
  }
}

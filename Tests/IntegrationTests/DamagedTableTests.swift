import Core
import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// A job table full of garbage under a child that was killed.
  @Suite struct DamagedTableTests {
    @Test func pollsGoOnWithOneLineWhateverStandsInTheSlots() throws {
      let configuration = pollingOnly.with(["service_poller_frequency": 5, "service_poller_workers": 4])
      try Scene.play(configuration, environment: ["DISPATCHER_HEALTHY_SECONDS": "1"], sleep: "0.2") { scene in
        try scene.server.addDevices(12)
        try scene.startAndAwaitWork()
        let node = scene.node
        let folder = try #require(directoryEntries(node.runtimeDirectory).first)
        let table = "\(node.runtimeDirectory)/\(folder)/poller.jobs"
        // The supervisor must not be faster with the successor than this test is with the garbage.
        let child = try node.awaitChild("librenms-pollerd")
        node.dispatcher?.send(SIGSTOP)
        kill(child.pid, SIGKILL)
        // Its scripts end and write what they did; then nothing of the table is true any more.
        #expect(eventually(within: .seconds(5)) { node.journal.runs("poller").allSatisfy { $0.end != nil } })
        try fill(table)
        let began = wallClock()
        node.dispatcher?.send(SIGCONT)
        #expect(scene.firstStart(after: began, within: .seconds(10)) != nil, "the successor polls")
        #expect(eventually(within: .seconds(10)) { Set(node.journal.runs("poller").filter { $0.start > began }.map(\.id)).count == 12 })
        scene.stopOrderly()
        let lines = node.errors.split(separator: "\n").filter { $0.contains("job table") && !$0.contains(" DEBUG: ") }
        #expect(lines.count == 1 && lines[0].contains("held garbage"), "\(lines)")
        expectNoDoubles(node.journal, halfPeriod: 2)
      }
    }

    /// Random bytes in every slot, none of which says free by chance.
    private func fill(_ path: String) throws {
      let fd = open(path, O_RDWR | O_CLOEXEC)
      guard fd >= 0 else { throw FixtureError("open \(path): \(errno)") }
      defer { close(fd) }
      var status = stat()
      fstat(fd, &status)
      let count = Int(status.st_size) - JobTableLayout.headerSize
      #expect(count >= 4 * JobTableLayout.slotSize)
      let bytes = (0..<count).map { _ in UInt8.random(in: 1...255) }
      #expect(pwrite(fd, bytes, count, off_t(JobTableLayout.headerSize)) == count)
    }
  }
}

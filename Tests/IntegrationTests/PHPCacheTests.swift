import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// PHP's file cache on a real php.
  @Suite struct PHPCacheTests {
    private static var possible: Bool {
      PHPSample.isPossible
        && (try? ChildProcess.run(["php", "-r", "exit(extension_loaded('Zend OPcache') ? 0 : 1);"]).ending) == .exited(0)
    }

    /// A node whose devices are polled on demand only.
    private func play(_ environment: [String: String] = [:], _ body: (Scene, PHPSample) throws -> Void) throws {
      try Scene.play(pollingOnly.with(["service_poller_frequency": 3000]), environment: environment) { scene throws -> Void in
        try scene.server.addDevices(3, lastPolled: "NOW()")
        let php = try PHPSample(in: scene.node, files: 20)
        // Unless a test says otherwise it has the cache where systemd would have it.
        if environment["CACHE_DIRECTORY"] == nil {
          mkdir(scene.node.directory.path + "/cache", 0o700)
          scene.node.environment["CACHE_DIRECTORY"] = scene.node.directory.path + "/cache"
        }
        try scene.node.start()
        _ = try scene.node.awaitChild("librenms-pollerd")
        try #require(eventually(within: .seconds(20)) { scene.node.errors.contains("ready:") }, "\(scene.node.errors)")
        try body(scene, php)
      }
    }

    private func poll(_ scene: Scene, _ php: PHPSample) throws -> PHPSample.Run {
      let before = php.runs.count
      let asked = try scene.node.command("poll", "1")
      #expect(asked.ending == .exited(0), "\(asked)")
      let ran = eventually(within: .seconds(20)) { php.runs.count > before }
      guard ran, let run = php.runs.last else { throw FixtureError("no poll: \(asked) \(scene.node.errors)") }
      return run
    }

    private func cached(_ scene: Scene) throws -> [String] {
      let found = try ChildProcess.run(["find", scene.node.directory.path, "-name", "*.php.bin"]).output
      return found.split(separator: "\n").map(String.init)
    }

    @Test(.enabled(if: possible, "needs php with opcache")) func scriptsGetTheCacheAndNoticeChangedSources() throws {
      try play { scene, php throws -> Void in
        #expect(scene.node.errors.contains("opcache file cache is on, in \(scene.node.directory.path)/cache/"))
        #expect(try poll(scene, php).scanDirectory.hasPrefix(":\(scene.node.directory.path)/cache/"))
        #expect(try cached(scene).contains { $0.hasSuffix("/lib/Part7.php.bin") })
        #expect(try poll(scene, php).answer == "first")
        // Its time differs from the cached one's, as an update of LibreNMS makes it.
        try php.answer("second")
        #expect(try poll(scene, php).answer == "second")

        // An upgrade of PHP, as its note sees it.
        let note = try #require(
          try ChildProcess.run(["find", scene.node.directory.path + "/cache", "-name", "fingerprint"]).output.split(separator: "\n").first)
        try writeText("version=7.4\n", to: String(note), mode: 0o600)
        #expect(try scene.node.command("reload").ending == .exited(0))
        #expect(scene.node.errors.contains("was emptied: PHP has changed"))
        #expect(try cached(scene).isEmpty)
        #expect(try poll(scene, php).scanDirectory.hasPrefix(":"))

        // Gone: PHP ends every script whose cache it can't use, so nobody may be told of it any more.
        let folder = note.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        _ = try ChildProcess.run(["rm", "-rf", folder])
        #expect(try poll(scene, php).scanDirectory == "-")
      }
    }

    @Test(.enabled(if: possible, "needs php with opcache")) func itCanBeTurnedOff() throws {
      try play(["DISPATCHER_PHP_OPCACHE": "off"]) { scene, php throws -> Void in
        #expect(scene.node.errors.contains("opcache file cache is off: DISPATCHER_PHP_OPCACHE"))
        #expect(try poll(scene, php).scanDirectory == "-")
        #expect(try cached(scene).isEmpty)
      }
    }

    @Test(.enabled(if: possible, "needs php with opcache")) func aPlaceThatOthersMayWriteIsNotUsed() throws {
      let place = try TemporaryDirectory()
      chmod(place.path, 0o777)
      try play(["CACHE_DIRECTORY": place.path]) { scene, php throws -> Void in
        #expect(scene.node.errors.contains("ERROR: PHP's opcache file cache is not used: \(place.path) can be changed by other users"))
        #expect(try poll(scene, php).scanDirectory == "-")
        #expect(directoryEntries(place.path).isEmpty)
      }
    }

    /// Less room than a cache should leave to others: nothing is put there.
    @Test(.enabled(if: possible && SampleNode.canMount, "needs php with opcache and the right to mount")) func aDiskWithoutRoomGetsNoCache()
      throws
    {
      let place = try TemporaryDirectory()
      try Scene.play(pollingOnly.with(["service_poller_frequency": 3000]), environment: ["CACHE_DIRECTORY": place.path]) {
        scene throws -> Void in
        try scene.server.addDevices(1, lastPolled: "NOW()")
        let php = try PHPSample(in: scene.node, files: 5)
        scene.node.fullDisk = place.path
        try scene.node.start()
        try #require(eventually(within: .seconds(20)) { scene.node.errors.contains("ready:") }, "\(scene.node.errors)")
        #expect(scene.node.errors.contains("opcache file cache is off: only 0 MiB are free"), "\(scene.node.errors)")
        #expect(try poll(scene, php).scanDirectory == "-")
      }
    }
  }
}

import Fixture
import Testing

extension IntegrationTests {
  /// Two installations on one database, each with a service: a setting is changed in one of them, and LibreNMS's cache of the other one is what it was.
  @Suite struct OtherDirectoryTests {
    struct Driver: CustomTestStringConvertible, Sendable {
      /// Words of the stand-in's behaviour.
      var words: String
      /// The cache goes on answering what it has for so long; nil = it does not matter here.
      var outlives: Int?
      var testDescription: String { words }
    }

    private static let complaint = "LibreNMS's config dump differs from table config in service_poller_workers"

    private func workers(_ node: SampleNode) -> Int? {
      guard case .array(let types)? = try? node.status()["types"] else { return nil }
      return types.first { $0["type"]?.text == "poller" }?["slots"]?.number.map { Int($0) }
    }

    /// Runs a service in the scene's directory and one in another, both with 3 workers, and every cache filled.
    private func play(_ words: String, _ body: (_ scene: Scene, _ here: SampleNode, _ other: SampleNode) throws -> Void) throws {
      // A look at the settings comes each 2 s instead of each 50.
      let environment = ["DISPATCHER_LOOK_SECONDS": "2"]
      let configuration = pollingOnly.with(["distributed_poller": false])
      try Scene.play(configuration, environment: environment) { scene in
        let other = try SampleNode(
          server: scene.server, mark: scene.mark, configuration: configuration,
          environment: environment.merging(["NODE_ID": "node-2"]) { $1 })
        try scene.server.query("CREATE TABLE cache (`key` VARCHAR(255) PRIMARY KEY, value MEDIUMTEXT NOT NULL, expiration INT NOT NULL)")
        let nodes = [scene.node, other]
        for node in nodes { try node.behave("dump", words) }
        try lnms(other, "config:set", "service_poller_workers", "3")
        for node in nodes { try node.start() }
        #expect(eventually(within: .seconds(30)) { nodes.allSatisfy { workers($0) == 3 } }, "\(scene.node.errors)")
        // Scripts of LibreNMS itself fill them, without any variable of ours.
        for node in nodes { #expect(try dumped(node) == 3) }
        try body(scene, scene.node, other)
        #expect(other.stop() == .exited(0))
        scene.stopOrderly()
      }
    }

    @discardableResult
    private func lnms(_ node: SampleNode, _ words: String...) throws -> String {
      let done = try ChildProcess.run(["./lnms"] + words, environment: node.dispatcherEnvironment, directory: node.base)
      guard done.ending == .exited(0) else { throw FixtureError("lnms \(words): \(done.ending) \(done.errors)") }
      return done.output
    }

    private func dumped(_ node: SampleNode) throws -> Int? {
      try JSON(parsing: try lnms(node, "config:get", "--dump"))["service_poller_workers"]?.number.map { Int($0) }
    }

    @Test(
      arguments: [
        // The lifetime that our dump asks for is 0.
        Driver(words: "cache=file", outlives: 300), Driver(words: "cache=array"),
        // A LibreNMS that knows no such variable.
        Driver(words: "cache=file cache_seconds=20", outlives: 20), Driver(words: "cache=database cache_seconds=300"),
      ])
    func aSettingThatIsChangedInAnotherDirectoryIsInForceHere(_ driver: Driver) throws {
      try play(driver.words) { scene, here, other in
        try lnms(here, "config:clear")
        let filled = wallClock()
        #expect(try dumped(here) == 3)
        try lnms(other, "config:set", "service_poller_workers", "9")
        let changed = wallClock()
        #expect(try dumped(here) == (driver.outlives == nil ? 9 : 3), "what LibreNMS's own scripts are told here")
        #expect(eventually(within: .seconds(60), every: .milliseconds(200)) { workers(here) == 9 }, "\(here.errors)")
        progress("\(driver): in force after \(Int(wallClock() - changed)) s, the cache was filled \(Int(wallClock() - filled)) s ago")
        if driver.outlives == 20 {
          #expect(wallClock() - filled >= 19)
          #expect(here.errors.contains(Self.complaint), "said while it lasted:\n\(here.errors)")
        } else {
          #expect(wallClock() - changed < 20, "a look each 2 s, a reload, a heartbeat each 5 s")
          #expect(!here.errors.contains(Self.complaint))
        }
        #expect(eventually(within: .seconds(20)) { workers(other) == 9 })
        #expect(!other.errors.contains(Self.complaint), "where it was changed there is nothing to wait for")
      }
    }

    @Test func aCacheThatStaysOldIsSaidAndItsRemedyHelps() throws {
      try play("cache=file cache_seconds=900") { scene, here, other in
        try lnms(other, "config:set", "service_poller_workers", "9")
        #expect(eventually(within: .seconds(20)) { workers(other) == 9 })
        #expect(eventually(within: .seconds(20)) { here.errors.contains(Self.complaint) }, "\(here.errors)")
        // Each reading is three dumps and begins 10 s after the last one at the earliest; that there are but seven is RereadPolicy's table.
        let (dumps, since) = (here.journal.runs("dump").count, wallClock())
        pause(.seconds(25))
        let more = here.journal.runs("dump").count - dumps
        progress("a cache that stays old: \(more) dumps in \(Int(wallClock() - since)) s")
        #expect((3...10).contains(more) && workers(here) == 3)
        #expect(here.errors.split(separator: "\n").count { $0.contains(Self.complaint) } == 1, "said once:\n\(here.errors)")
        let validation = try here.command("validate", limit: .seconds(60))
        #expect(validation.output.contains(Self.complaint), "\(validation.output)")
        // What the line says helps.
        try lnms(here, "config:clear")
        #expect(try here.command("reload", limit: .seconds(30)).ending == .exited(0))
        #expect(eventually(within: .seconds(10)) { workers(here) == 9 })
      }
    }
  }
}

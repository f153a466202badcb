import Fixture
import Glibc
import Testing

/// The stand-ins do what their originals do, as far as a dispatcher can tell.
@Suite(.serialized) struct SampleTests {
  private struct Stage {
    let mark: ProcessMark
    let server: MariaDBServer
    let node: SampleNode

    func run(_ words: String...) throws -> (code: Int32, output: String) {
      let done = try ChildProcess.run(words, environment: node.dispatcherEnvironment, directory: node.base)
      guard case .exited(let code) = done.ending else { throw FixtureError("\(words): \(done.ending)") }
      return (code, done.output)
    }

    func device(_ id: Int, _ columns: String) throws -> [String] {
      try server.query("SELECT \(columns) FROM devices WHERE device_id = \(id)").first ?? []
    }
  }

  private func withStage(generation: Int = 26, _ body: (Stage) throws -> Void) throws {
    let mark = ProcessMark()
    defer { mark.killAll() }
    let server = try MariaDBServer(mark: mark)
    let node = try SampleNode(server: server, mark: mark, configuration: ["a": 1], sleep: "0", generation: generation)
    try server.addDevices(3, groups: 2, lastPolled: "NULL", status: 0)
    try body(Stage(mark: mark, server: server, node: node))
    server.stop()
    #expect(mark.survivors().isEmpty)
  }

  @Test func scriptsWriteTheirRowsAndEndWithTheOriginalsCodes() throws {
    try withStage { stage in
      #expect(try stage.run("./lnms", "device:poll", "1", "-q").code == 0)
      #expect(try stage.device(1, "status, last_polled IS NULL, last_polled_timetaken < 5") == ["1", "0", "1"])
      try stage.node.behave("2", "down=1")
      #expect(try stage.run("./lnms", "device:poll", "2", "-q").code == 6)
      #expect(try stage.device(2, "status, last_polled IS NULL") == ["0", "1"])
      #expect(try stage.run("./lnms", "device:discover", "1", "-q").code == 0)
      #expect(try stage.run("./lnms", "device:ping", "fast", "-q", "-g", "1").code == 0)
      #expect(try stage.device(2, "last_ping IS NULL") == ["0"])
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/alerts.php", "-f").code == 0)
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/alerts.php").code == 0)
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/check-services.php", "-h", "3").code == 0)
      #expect(stage.node.journal.runs("alerting").map(\.commandLine) == ["php alerts.php -f"], "without -f nothing is done")
      for script in ["poll-billing.php", "billing-calculate.php"] {
        #expect(try stage.run("/usr/bin/env", "php", "\(stage.node.base)/\(script)", "-d", "-f").code == 0)
        #expect(try stage.run("/usr/bin/env", "php", "\(stage.node.base)/\(script)").code == 0)
      }
      let bills = stage.node.journal.runs("billing").map(\.commandLine)
      #expect(bills == ["php poll-billing.php -d -f", "php billing-calculate.php -d -f"], "without -f nothing is done")
      #expect(stage.node.journal.runs("poller").map(\.exitCode) == [0, 6])
    }
  }

  @Test func theOlderGenerationHasItsOwnScripts() throws {
    try withStage(generation: 25) { stage in
      #expect(try stage.run("./lnms", "device:discover", "1", "-q").code == 1)
      #expect(try stage.run("./lnms", "device:ping", "fast", "-q", "-g", "0").code == 1)
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/discovery.php", "-h", "1").code == 0)
      try stage.node.behave("default", "sleep=0 down=1")
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/discovery.php", "-h", "1").code == 5)
      #expect(try stage.run("/usr/bin/env", "php", stage.node.base + "/ping.php", "-f", "-g", "0").code == 0)
    }
  }

  @Test func theDumpIsDefaultsWhileTheDatabaseIsAway() throws {
    try withStage { stage in
      func ask(lifetime: Int = 0) throws -> (code: Int32, output: String) {
        try stage.run("/usr/bin/env", "CONFIG_CACHE_TTL=\(lifetime)", "php", stage.node.base + "/lnms", "config:get", "--dump")
      }
      #expect(try JSON(parsing: try ask().output) == ["a": 1])
      stage.server.stop()
      #expect(try JSON(parsing: try ask().output) == [:])
      try stage.server.start()
      try stage.node.configure(["a": 1, "text": "it's \"quoted\" \\", "schedule_type": ["ping": "cron"]])
      try stage.server.query(
        """
        INSERT INTO config (config_name, config_value) VALUES ('a', '"2"'), ('schedule_type.poller', '"legacy"'), ('flag', 'true')
        """)
      let merged = try JSON(parsing: ask().output)
      let expected: JSON = [
        "a": "2", "text": "it's \"quoted\" \\", "schedule_type": ["ping": "cron", "poller": "legacy"], "flag": true,
      ]
      #expect(merged == expected, "table config goes over the file")
      #expect(try JSON(parsing: ask(lifetime: 300).output) == expected)
      try stage.server.query("DELETE FROM config")
      try stage.node.configure(["a": 1])
      #expect(try JSON(parsing: ask(lifetime: 300).output) == expected, "out of the cache of this directory")
      #expect(try JSON(parsing: ask().output) == ["a": 1])
      try stage.node.behave("dump", "truncate=4 exit=3 warning=1")
      let broken = try ask()
      #expect(broken.code == 3)
      #expect(broken.output.hasPrefix("PHP Warning") && broken.output.hasSuffix("\n{\"a\"\n"))
    }
  }

  @Test func aMarkFindsGrandchildrenThatIgnoreTheirFate() throws {
    try withStage { stage in
      try stage.node.behave("1", "sleep=600 ignore_term=1 grandchildren=2")
      let script = try ChildProcess(
        ["./lnms", "device:poll", "1"], environment: stage.node.dispatcherEnvironment, directory: stage.node.base)
      #expect(eventually(within: .seconds(5)) { stage.mark.survivors().filter { $0.executable == "sleep" }.count == 4 })
      script.send(SIGTERM)
      pause(.milliseconds(200))
      #expect(script.poll() == nil)
      script.end()
    }
  }
}

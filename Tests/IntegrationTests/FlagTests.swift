import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// The flags of the Python service, from the command line to the scripts.
  @Suite struct FlagTests {
    /// Each script's command line, and lines on both streams.
    private static let printed = [
      "ERROR: out of cheese", "[warning] low on cheese", "debug - cheese counted", "  CRITICAL cheese gone", "plain cheese",
      "informational cheese",
      // What a device may have in its sysDescr: a window title, an 8-bit control, text from right to left.
      "cheese \u{1B}]0;mouse\u{7}\u{9B}31m \u{202E}esac",
    ]

    /// Puts a wrapper around each script: it notes its arguments, prints `printed` on both streams, and goes on as the script.
    private func wrap(_ node: SampleNode, _ scripts: String...) throws {
      for script in scripts {
        let path = node.base + "/" + script
        #expect(rename(path, path + ".original") == 0)
        let lines = Self.printed.map { "'\($0)'" }.joined(separator: " ")
        try writeText(
          """
          #!/usr/bin/env bash
          base=${BASH_SOURCE[0]%/*}
          if [[ $1 != config:get ]]; then
            printf '%s\\n' "\(script) $*" >>"$base/arguments.log"
            printf '%s\\n' \(lines)
            echo 'WARN: on the other stream' >&2
          fi
          exec "$base/\(script).original" "$@"

          """, to: path, mode: 0o755)
      }
    }

    private func commandLines(_ node: SampleNode) -> Set<String> {
      Set((readText(node.base + "/arguments.log") ?? "").split(separator: "\n").map(String.init))
    }

    /// Log lines of the service that hold a script's output, as "LEVEL text".
    private func logged(_ node: SampleNode) -> Set<String> {
      let lines = node.errors.split(separator: "\n").filter {
        $0.contains("poller 1: ") && $0.contains("cheese") || $0.contains("other stream")
      }
      return Set(
        lines.map { line in
          let words = line.split(separator: " ")
          let level = words.first { $0.hasSuffix(":") && $0 == $0.uppercased() } ?? "?"
          return "\(level) " + (line.split(separator: "poller 1: ").last ?? "")
        })
    }

    @Test(
      arguments: [
        ([], "-q", []), (["-o", "none"], "-q", []), (["-o", "passthrough"], "", ["stdout"]), (["--log-output=logger"], "", ["log"]),
        (["-o", "file"], "", ["file"]), (["-o"], "", ["file"]),
      ] as [([String], String, [String])])
    func theOutputOfScriptsGoesWhereTheFlagSays(flags: [String], quiet: String, places: [String]) throws {
      try Scene.play(pollingOnly.with(["service_poller_frequency": 2]), sleep: "0") { scene in
        try wrap(scene.node, "lnms")
        try scene.server.addDevices(1)
        let stdout = scene.node.base + "/stdout.log"
        scene.node.arguments = ["-v"] + flags
        scene.node.output = .file(stdout)
        try scene.startAndAwaitWork()
        let twice = eventually(within: .seconds(10)) { scene.node.journal.runs("poller").count { $0.end != nil } >= 2 }
        scene.stopOrderly()
        #expect(twice)

        #expect(commandLines(scene.node) == [("lnms device:poll 1 " + quiet).trimmed])
        let passed = readText(stdout) ?? ""
        let file = readText(scene.node.base + "/logs/dispatch_device_1_poller.log") ?? ""
        for (place, text) in [("stdout", passed), ("file", file)] {
          let lines = text.split(separator: "\n").map(String.init)
          guard places.contains(place) else {
            #expect(lines.isEmpty, "\(place)")
            continue
          }
          for line in Self.printed + ["WARN: on the other stream"] { #expect(lines.count { $0 == line } >= 2, "\(line) in \(place)") }
        }
        // At level INFO a line that calls itself debug is not to be seen.
        let expected: Set<String> =
          places == ["log"]
          ? [
            "ERROR: ERROR: out of cheese", "WARNING: [warning] low on cheese", "CRITICAL:   CRITICAL cheese gone", "INFO: plain cheese",
            "INFO: informational cheese", "WARNING: WARN: on the other stream",
            "INFO: cheese \\x1b]0;mouse\\x07\\x9b31m \\u{202e}esac",
          ] : []
        #expect(logged(scene.node) == expected)
      }
    }

    @Test(
      arguments: [
        (
          26, ["-d"], [:],
          ["lnms device:poll 1 -vv", "lnms device:discover 1 -vv", "lnms device:ping fast -vv -g 0"], true
        ),
        (
          26, ["-v", "-d", "-o", "file"], ["service_loglevel": "ERROR"],
          ["lnms device:poll 1 -vv", "lnms device:discover 1 -vv", "lnms device:ping fast -vv -g 0"], true
        ),
        (25, ["-vd"], [:], ["lnms device:poll 1 -vv", "discovery.php -d -h 1", "ping.php -d -f -g 0"], true),
        (
          26, [], ["service_loglevel": "DEBUG"],
          ["lnms device:poll 1 -q", "lnms device:discover 1 -q", "lnms device:ping fast -q -g 0"], true
        ),
        (25, ["-v"], [:], ["lnms device:poll 1 -q", "discovery.php -h 1", "ping.php -f -g 0"], false),
        (25, ["-o", "file"], [:], ["lnms device:poll 1", "discovery.php -h 1", "ping.php -f -g 0"], false),
      ] as [(Int, [String], [String: JSON], Set<String>, Bool)])
    func debugReachesTheScriptsAndOnlyAsAFlag(
      generation: Int, flags: [String], settings: [String: JSON], expected: Set<String>, debugLines: Bool
    ) throws {
      let all = pollingOnly.with([
        "service_poller_frequency": 2, "service_discovery_enabled": true, "service_ping_enabled": true, "service_ping_frequency": 2,
        "service_services_enabled": true, "service_services_frequency": 2, "service_alerting_enabled": true,
        "service_alerting_frequency": 2, "service_billing_enabled": true, "service_billing_frequency": 2,
        "service_billing_calculate_frequency": 2,
      ]).with(settings)
      let option = flags.contains { ["-d", "-vd"].contains($0) } ? "-d " : ""
      let others: Set<String> = [
        "check-services.php \(option)-h 1", "alerts.php \(option)-f", "poll-billing.php \(option)-f", "billing-calculate.php \(option)-f",
      ]
      try Scene.play(all, sleep: "0", generation: generation) { scene in
        try wrap(scene.node, "lnms", "check-services.php", "alerts.php", "poll-billing.php", "billing-calculate.php")
        if generation == 25 { try wrap(scene.node, "discovery.php", "ping.php") }
        // Never discovered, so that it is at once.
        try scene.server.addDevices(1)
        try scene.server.query(
          "UPDATE devices SET last_discovered = NULL; INSERT INTO services (device_id, service_type) VALUES (1, 'http')")
        scene.node.arguments = flags
        try scene.node.start()
        let found = eventually(within: .seconds(20)) { commandLines(scene.node).count >= 7 }
        scene.stopOrderly()
        #expect(found && commandLines(scene.node) == expected.union(others))
        #expect(scene.node.errors.contains(" DEBUG: ") == debugLines)
      }
    }

    @Test func groupsOfTheCommandLineAreStrongerThanTheRow() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(12, groups: 4)
        try scene.server.query(
          """
          INSERT INTO poller_cluster (node_id, poller_name, poller_version, poller_groups, last_report, master)
          VALUES ('node-1', 'n', 'x', '1', NOW(), 0)
          """)
        scene.node.arguments = ["-v", "-g", "3", "0"]
        try scene.startAndAwaitWork()
        let done = eventually(within: .seconds(15)) { scene.node.journal.ids("poller").count == 6 }
        pause(.seconds(2))
        scene.stopOrderly()
        let groups = try scene.server.query("SELECT device_id FROM devices WHERE poller_group IN (0, 3)").map { $0[0] }
        #expect(done && scene.node.journal.ids("poller") == Set(groups))
        let line = try scene.node.command("config", "--origin", "-g", "3", "0").output.split(separator: "\n").first {
          $0.hasPrefix("distributed_poller_group ")
        }
        #expect(line?.split(separator: " ").dropFirst().joined(separator: " ") == "3,0 command line")
        #expect(try scene.node.command("config", "--origin").output.contains("poller_cluster.poller_groups"))
      }
    }

    @Test func verboseSpeaksUntilTheConfigurationIsReadAndTimestampsAreOnRequest() throws {
      for (flags, talks, stamped) in [(["-v", "-t"], true, true), ([], false, false)] {
        try Scene.play(pollingOnly.with(["service_loglevel": "WARNING"]), sleep: "0") { scene in
          try scene.server.addDevices(1)
          scene.node.arguments = flags
          scene.node.environment["DISPATCHER_POLER_NICE"] = "1"
          try scene.startAndAwaitWork()
          scene.stopOrderly()
          let lines = scene.node.errors.split(separator: "\n")
          #expect(lines.count { $0.contains("WARNING: ") && $0.contains("did you mean DISPATCHER_POLLER_NICE?") } == 1, "\(lines)")
          #expect(lines.contains { $0.contains("librenms-dispatcher INFO: ") } == talks, "\(lines)")
          #expect(!lines.contains { $0.contains("ready: ") || $0.contains("configuration read") }, "the setting decides from then on")
          let time = try Regex("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8},[0-9]{3} librenms-")
          #expect(lines.allSatisfy { ($0.firstMatch(of: time) != nil) == stamped }, "\(lines)")
        }
      }
    }

    @Test(
      arguments: [
        (["--no-such-flag"], [:], nil, 2, "unknown option"), (["-g", "x"], [:], nil, 2, "no poller group"),
        (["-o", "syslog"], [:], nil, 2, "no destination"), ([], ["DB_SSLMODE": "prefer"], nil, 2, "DB_SSLMODE"),
        ([], [:], "DB_HOST=x\n", 3, "NODE_ID"), ([], ["NODE_ID": ""], nil, 3, "NODE_ID"), ([], [:], "", 3, "NODE_ID"),
        ([], ["REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "REDIS_SCHEME": "tcp"], "distributed", 2, "Redis does not answer"),
      ] as [([String], [String: String], String?, Int32, String)])
    func aStartThatIsRefusedHasTheContractsExitCode(
      flags: [String], environment: [String: String], dotenv: String?, code: Int32, part: String
    ) throws {
      try Scene.play(pollingOnly, environment: environment) { scene in
        if dotenv == "distributed" {
          try scene.node.configure(pollingOnly.with(["distributed_poller": true]))
        } else if let dotenv {
          try writeText(dotenv, to: scene.node.base + "/.env", mode: 0o600)
        }
        scene.node.arguments = flags
        try scene.node.start()
        let ending = scene.node.dispatcher?.wait(.seconds(15))
        #expect(ending == .exited(code) && scene.node.errors.contains(part), "\(scene.node.errors)")
      }
    }

    @Test func aMissingEnvIsThree() throws {
      try Scene.play(pollingOnly, environment: ["NODE_ID": "n"]) { scene in
        unlink(scene.node.base + "/.env")
        try scene.node.start()
        #expect(scene.node.dispatcher?.wait(.seconds(15)) == .exited(3))
        #expect(scene.node.errors.contains(".env can't be read: No such file"))
      }
    }
  }
}

extension String {
  fileprivate var trimmed: String { hasSuffix(" ") ? String(dropLast()) : self }
}

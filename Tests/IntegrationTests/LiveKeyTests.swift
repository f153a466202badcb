import Fixture
import Glibc
import RedisFixture
import Testing

extension IntegrationTests {
  /// Every setting that a running service can take: changed at its source, and seen in what the service does, within a minute.
  @Suite struct LiveKeyTests {
    /// A changed key, and what shows that it is in force; `since`: when it was changed.
    struct Effect {
      var key: String
      var seen: (_ scene: Scene, _ since: Double) throws -> Bool

      init(_ key: String, _ seen: @escaping (_ scene: Scene, _ since: Double) throws -> Bool) {
        self.key = key
        self.seen = seen
      }
    }

    private static let minute = Duration.seconds(60)
    /// The look comes every 50 s; tests that are not about that have it each second.
    private static let quick = ["DISPATCHER_LOOK_SECONDS": "1"]

    @Test func columnsOfTheRow() throws {
      let start = pollingOnly.with(["service_poller_workers": 3])
      try Scene.play(start, environment: Self.quick, sleep: "0.2") { scene in
        try prepare(scene)
        let log = scene.node.base + "/logs/other.log"
        try writeText("old\n", to: log)
        try set(
          scene,
          """
          poller_name = 'renamed', poller_groups = '0,1', poller_workers = 7, poller_frequency = 4, poller_down_retry = 3,
          discovery_enabled = 1, discovery_workers = 5, discovery_frequency = 6, ping_enabled = 1, ping_frequency = 3,
          services_enabled = 1, services_workers = 4, services_frequency = 6, billing_enabled = 1, billing_frequency = 4,
          billing_calculate_frequency = 3, alerting_enabled = 1, alerting_frequency = 5, update_enabled = 1, update_frequency = 5,
          loglevel = 'DEBUG', watchdog_enabled = 1, watchdog_log = '\(log)'
          """)
        var effects = [
          Effect("poller_name") { scene, _ in try scene.node.status()["name"]?.text == "renamed" },
          Effect("poller_groups") { scene, since in scene.node.journal.runs("poller", "2").contains { $0.start > since } },
          Effect("poller_workers") { scene, _ in try slots(scene, "poller") == 7 },
          Effect("poller_frequency") { shortestGap($0, "poller", "1", since: $1).map { abs($0 - 4) < 1.5 } ?? false },
          Effect("poller_down_retry") { shortestGap($0, "poller", "3", since: $1).map { $0 > 3 && $0 < 7 } ?? false },
          Effect("discovery_enabled") { scene, _ in try state(scene, "discovery") == "running" },
          Effect("discovery_workers") { scene, _ in try slots(scene, "discovery") == 5 },
          Effect("discovery_frequency") { shortestGap($0, "discovery", "1", since: $1).map { abs($0 - 6) < 2 } ?? false },
          Effect("ping_frequency") { shortestGap($0, "ping", "0", since: $1).map { abs($0 - 3) < 1.5 } ?? false },
          Effect("ping_enabled") { scene, _ in try state(scene, "ping") == "running" },
          Effect("update_frequency") { shortestGap($0, "maintenance", "daily", since: $1).map { abs($0 - 5) < 1.5 } ?? false },
          Effect("loglevel") { scene, _ in scene.node.errors.contains("librenms-pollerd DEBUG: ") },
          Effect("watchdog_log") { scene, _ in scene.node.errors.contains("CRITICAL: BARK: the log file \(log) ") },
          Effect("services_workers") { scene, _ in try slots(scene, "services") == 4 },
        ]
        for (type, key, id, seconds) in [
          ("services", "services_frequency", "1", 6.0), ("billing", "billing_frequency", "poll", 4),
          ("billing", "billing_calculate_frequency", "calculate", 3), ("alerting", "alerting_frequency", "alerts", 5),
        ] {
          effects.append(Effect(key) { shortestGap($0, type, id, since: $1).map { abs($0 - seconds) < 1.5 } ?? false })
          effects.append(Effect("\(type)_enabled") { scene, _ in try state(scene, type) == "running" })
        }
        // What the page of LibreNMS shows of it, with the next report.
        for (type, workers, frequency) in [("services", "4", "6"), ("billing", "2", "4"), ("alerting", "1", "5"), ("poller", "7", "4")] {
          effects.append(Effect("\(type) in poller_cluster_stats") { scene, _ in try figures(scene, type) == [workers, frequency] })
        }
        try expect(effects, scene)
        #expect(scene.node.errors.contains("service_poller_workers: 3 → 7 (poller_cluster.poller_workers)"))
        #expect(scene.node.journal.killed("poller").isEmpty)
        try writeText("old\nnew\n", to: log)
      }
    }

    @Test func keysOfTableConfigAndThoseOfTheRowThatAreTakenBack() throws {
      let start = pollingOnly.with(["service_ping_enabled": true, "service_ping_frequency": 2])
      try Scene.play(start, environment: Self.quick, sleep: "0.2") { scene in
        try prepare(scene)
        let (health, directory, log) = (
          scene.node.base + "/health", scene.node.base + "/elsewhere", scene.node.base + "/elsewhere/watched.log"
        )
        mkdir(directory, 0o755)
        try writeText("old\n", to: log)
        try set(scene, "poller_workers = 7, ping_enabled = 1")
        try expect([Effect("poller_workers") { scene, _ in try slots(scene, "poller") == 7 }], scene)
        try scene.server.query(
          """
          UPDATE poller_cluster SET poller_workers = NULL, ping_enabled = NULL;
          INSERT INTO config (config_name, config_value) VALUES ('service_poller_workers', '9'), ('schedule_type.ping', '"cron"'),
            ('service_health_file', '"\(health)"'), ('log_dir', '"\(directory)"'), ('service_poller_frequency', '"5"'),
            ('log_file', '"\(log)"'), ('service_watchdog_enabled', 'true'), ('service_poller_down_retry', '3'),
            ('service_loglevel', '"DEBUG"'), ('service_discovery_enabled', 'true'), ('service_discovery_workers', '6'),
            ('service_discovery_frequency', '7');
          """)
        try expect(
          [
            Effect("service_poller_workers") { scene, _ in try slots(scene, "poller") == 9 },
            Effect("schedule_type.ping") { scene, _ in try state(scene, "ping") == "stopped" },
            Effect("service_health_file") { _, since in fileExists(health) && modified(health) > since },
            Effect("log_dir") { _, _ in fileExists(directory + "/dispatch_device_1_poller.log") },
            Effect("service_poller_frequency") { shortestGap($0, "poller", "1", since: $1).map { abs($0 - 5) < 1.5 } ?? false },
            Effect("service_poller_down_retry") { shortestGap($0, "poller", "3", since: $1).map { $0 > 3 && $0 < 7 } ?? false },
            Effect("log_file") { scene, _ in scene.node.errors.contains("CRITICAL: BARK: the log file \(log) ") },
            Effect("service_loglevel") { scene, _ in scene.node.errors.contains("librenms-pollerd DEBUG: ") },
            Effect("service_discovery_workers") { scene, _ in try slots(scene, "discovery") == 6 },
            Effect("service_discovery_frequency") { shortestGap($0, "discovery", "1", since: $1).map { abs($0 - 7) < 2 } ?? false },
          ], scene)
        // Back on, and the child is back.
        try scene.server.query("UPDATE config SET config_value = '\"dispatcher\"' WHERE config_name = 'schedule_type.ping'")
        try expect([Effect("schedule_type.ping") { scene, _ in try state(scene, "ping") == "running" }], scene)
        try scene.server.query("DELETE FROM config WHERE config_name = 'service_watchdog_enabled'")
      }
    }

    @Test func linesOfTheEnvFile() throws {
      try Scene.play(pollingOnly.with(["service_poller_frequency": 4]), environment: Self.quick, sleep: "0.2") { scene in
        try prepare(scene)
        try scene.node.behave("1", "sleep=1")
        try scene.node.behave("5", "sleep=30")
        let old = try #require(readText(scene.node.base + "/.env")).split(separator: "\n").filter { !$0.hasPrefix("DB_SOCKET") }
        let new = [
          "DB_HOST=127.0.0.1", "DB_PORT=\(scene.server.port)", "DISPATCHER_POLLER_NICE=7", "DISPATCHER_POLLER_JOB_TIMEOUT=3",
          "DISPATCHER_SCHEDULE_RUN=true", "DISPATCHER_PHP_OPCACHE=off",
        ]
        try writeText((old.map(String.init) + new).joined(separator: "\n") + "\n", to: scene.node.base + "/.env", mode: 0o600)
        try expect(
          [
            Effect("DB_HOST") { scene, _ in
              let found = try scene.server.query(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'librenms' AND host LIKE '127.0.0.1:%'")
              return Int(found.first?.first ?? "") ?? 0 >= 2
            },
            Effect("DISPATCHER_POLLER_NICE") { scene, _ in
              scene.node.journal.runs("poller").contains { $0.end == nil && nice(of: $0.pid) == nice(of: getpid()) + 7 }
            },
            Effect("DISPATCHER_POLLER_JOB_TIMEOUT") { scene, _ in scene.node.errors.contains("poller 5: ") },
            Effect("DISPATCHER_SCHEDULE_RUN") { scene, _ in
              scene.node.errors.contains("DISPATCHER_SCHEDULE_RUN: not set → true (.env line ")
            },
            Effect("DISPATCHER_PHP_OPCACHE") { scene, _ in scene.node.errors.contains("is off: DISPATCHER_PHP_OPCACHE says so") },
          ], scene)
        // The database is the same one, so nothing was lost over the change of the way to it.
        expectNoDoubles(scene.node.journal, halfPeriod: 2, except: ["3", "5"])
        // A password is changed in both places, and nothing of it is in the log.
        try scene.server.query("CREATE USER 'second'@'%' IDENTIFIED BY 'anotherOne'; GRANT ALL ON librenms.* TO 'second'@'%'")
        let text = try #require(readText(scene.node.base + "/.env")).split(separator: "\n").map { line in
          line.hasPrefix("DB_USERNAME") ? "DB_USERNAME=second" : line.hasPrefix("DB_PASSWORD") ? "DB_PASSWORD=anotherOne" : String(line)
        }
        try writeText(text.joined(separator: "\n") + "\n", to: scene.node.base + "/.env", mode: 0o600)
        try expect(
          [
            Effect("DB_USERNAME") { scene, _ in
              let found = try scene.server.query("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'second'")
              return Int(found.first?.first ?? "") ?? 0 >= 2
            },
            Effect("DB_PASSWORD") { scene, _ in scene.node.errors.contains("DB_PASSWORD: changed (.env line ") },
          ], scene)
        #expect(!scene.node.errors.contains("anotherOne") && !scene.node.errors.contains(scene.server.password))
      }
    }

    @Test func typesAndRedisOfANodeInACluster() throws {
      let redis = try RedisServer()
      try Scene.play(pollingOnly.with(["service_poller_workers": 4, "service_poller_frequency": 6]), environment: Self.quick, sleep: "3") {
        scene in
        let env = scene.node.base + "/.env"
        let plain = try #require(readText(env))
        func redisLines(_ database: Int) -> String { "REDIS_HOST=127.0.0.1\nREDIS_PORT=\(redis.port)\nREDIS_DB=\(database)\n" }
        try writeText(plain + redisLines(0), to: env, mode: 0o600)
        try prepare(scene)
        let poller = try scene.node.awaitChild("librenms-pollerd").pid
        try set(scene, "poller_enabled = 0")
        try expect(
          [Effect("poller_enabled") { scene, _ in try slots(scene, "poller") == 0 && state(scene, "poller") == "running" }], scene)
        let off = wallClock()
        pause(.seconds(7))
        #expect(!scene.node.journal.runs("poller").contains { $0.start > off }, "no slots, no scripts")
        try set(scene, "poller_enabled = 1, poller_workers = 1")
        try expect([Effect("poller_workers") { scene, _ in try slots(scene, "poller") == 1 }], scene)
        try set(scene, "poller_workers = 6")
        try scene.server.query("INSERT INTO config (config_name, config_value) VALUES ('service_master_timeout', '7')")
        try expect(
          [
            Effect("poller_workers") { scene, _ in try slots(scene, "poller") == 6 },
            Effect("service_master_timeout") { _, _ in (1...7).contains(try Int(redis.command("TTL", Self.masterLock)) ?? 99) },
          ], scene)
        #expect(try scene.node.awaitChild("librenms-pollerd").pid == poller, "none of this needs another child")
        #expect(scene.node.journal.killed("poller").isEmpty, "scripts of surplus slots finish")

        try writeText(plain + redisLines(3), to: env, mode: 0o600)
        try expect(
          [
            Effect("REDIS_DB") { scene, since in
              try redis.command("-n", "3", "EXISTS", Self.masterLock) == "1"
                && scene.node.journal.runs("poller").contains { $0.start > since + 2 }
            }
          ], scene)
        #expect(try scene.node.awaitChild("librenms-pollerd", not: poller).pid != poller)
        #expect(scene.node.errors.contains("the way to Redis has changed: the children are replaced"))
        try writeText(plain, to: env, mode: 0o600)
        try expect(
          [Effect("REDIS_HOST") { scene, _ in scene.node.errors.contains("queues and locks: in Redis → in memory") }], scene)
        let alone = wallClock()
        #expect(scene.firstStart(after: alone, within: .seconds(15)) != nil, "the node goes on alone")
        // And back: what ran alone is locked in the cluster, and released there when it ends.
        try writeText(plain + redisLines(3), to: env, mode: 0o600)
        try expect([Effect("REDIS_HOST") { scene, _ in scene.node.errors.contains("queues and locks: in memory → in Redis") }], scene)
        let together = wallClock()
        for id in ["1", "5", "7"] {
          let again = eventually(within: .seconds(15)) { scene.node.journal.runs("poller", id).contains { $0.start > together } }
          #expect(again, "device \(id) is polled in the cluster again")
        }
        let (overlaps, killed) = (scene.node.journal.overlaps("poller"), scene.node.journal.killed("poller"))
        #expect(overlaps.isEmpty && killed.isEmpty, "twice at once: \(overlaps); killed: \(killed)")
        #expect(!scene.node.errors.contains("the next start is"), "a replacement is no death")
      }
    }

    @Test func theOrdinaryLookIsSoonEnough() throws {
      try Scene.play(pollingOnly.with(["service_poller_workers": 3])) { scene in
        try prepare(scene)
        // After the first look, which comes soon after the start.
        pause(.seconds(8))
        try set(scene, "poller_workers = 5")
        try expect([Effect("poller_workers") { scene, _ in try slots(scene, "poller") == 5 }], scene)
      }
    }

    // MARK: Setting and looking

    private static let masterLock = "librenms.lock:dispatch.master"

    /// Eight devices in two groups, of which the node serves group 0 and number 3 is down; waits for the node's row.
    private func prepare(_ scene: Scene) throws {
      try scene.server.addDevices(8, groups: 2)
      try scene.node.behave("3", "down=1")
      scene.node.arguments = ["-v", "-t", "-o", "file"]
      try scene.server.query(
        """
        INSERT INTO services (device_id, service_type) VALUES (1, 'http')
        """)
      try scene.startAndAwaitWork()
      let reported = try eventually(within: .seconds(30), every: .milliseconds(200)) {
        try scene.server.query("SELECT 1 FROM poller_cluster") == [["1"]]
      }
      try #require(reported, "the node has no row")
    }

    private func set(_ scene: Scene, _ assignments: String) throws {
      try scene.server.query("UPDATE poller_cluster SET \(assignments) WHERE node_id = 'node-1'")
    }

    private func expect(_ effects: [Effect], _ scene: Scene) throws {
      let (since, start) = (wallClock(), ContinuousClock.now)
      for effect in effects {
        let left = max(.milliseconds(1), Self.minute - (ContinuousClock.now - start))
        // The service may be replacing its children at the moment of the look.
        let seen = eventually(within: left, every: .milliseconds(100)) { (try? effect.seen(scene, since)) ?? false }
        #expect(seen, "\(effect.key) has no effect within a minute")
      }
      progress("\(effects.map(\.key).joined(separator: ", ")): all in force after \(ContinuousClock.now - start)")
    }

    private func modified(_ path: String) -> Double {
      var status = stat()
      return stat(path, &status) == 0 ? Double(status.st_mtim.tv_sec) : 0
    }
  }
}

private func nice(of pid: Int32) -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid)) }

private func known(_ scene: Scene, _ name: String) throws -> JSON? {
  guard case .array(let types)? = try scene.node.status()["types"] else { return nil }
  return types.first { $0["type"]?.text == name }
}

private func slots(_ scene: Scene, _ name: String) throws -> Int? { try known(scene, name)?["slots"]?.number.map { Int($0) } }

private func state(_ scene: Scene, _ name: String) throws -> String? { try known(scene, name)?["state"]?.text }

/// Workers and frequency, as the node reports them for LibreNMS's page.
private func figures(_ scene: Scene, _ type: String) throws -> [String]? {
  try scene.server.query("SELECT workers, frequency FROM poller_cluster_stats WHERE poller_type = '\(type)'").first
}

/// The shortest time between two starts that both came after the moment.
private func shortestGap(_ scene: Scene, _ type: String, _ id: String, since: Double) -> Double? {
  let runs = scene.node.journal.runs(type, id).filter { $0.start > since }
  return zip(runs, runs.dropFirst()).map { $1.start - $0.start }.min()
}

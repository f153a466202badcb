import Fixture
import Glibc
import RedisFixture
import Testing

extension ClusterTests {
  @Suite struct StartTests {
    @Test func aDistributedPollerWithoutRedisEndsWithExitCode2() throws {
      try Cluster.play(nodes: 1) { cluster in
        cluster.nodes[0].environment["REDIS_PORT"] = "\(try RedisServer.freePort())"
        try cluster.start()
        let ending = cluster.nodes[0].dispatcher?.wait(.seconds(30))
        #expect(ending == .exited(2))
        let errors = cluster.nodes[0].errors
        #expect(
          errors.contains("Redis does not answer") && errors.contains("REDIS_HOST") && errors.contains("distributed_poller"), "\(errors)")
      }
    }

    /// Without slots it refuses every key, as if it were down; with all of them it looks well until a step touches two.
    @Test(arguments: [false, true])
    func aDistributedPollerOnARedisClusterEndsWithExitCode2(hasAllSlots: Bool) throws {
      let redis = try RedisServer(arguments: ["--cluster-enabled", "yes"])
      if hasAllSlots {
        try redis.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        #expect(try eventually(within: .seconds(10)) { try redis.command("CLUSTER", "INFO").contains("cluster_state:ok") })
      }
      try Cluster.play(nodes: 1, redis: redis) { cluster in
        try cluster.database.addDevices(5)
        try cluster.start()
        let ending = cluster.nodes[0].dispatcher?.wait(.seconds(30))
        #expect(ending == .exited(2), "\(cluster.journal.runs("poller").count) polls")
        let errors = cluster.nodes[0].errors
        #expect(errors.contains("is in cluster mode") && errors.contains("distributed_poller"), "\(errors)")
        let validated = try cluster.nodes[0].command("validate")
        #expect(validated.ending == .exited(1) && validated.output.contains("cluster mode"), "\(validated)")
      }
    }

    @Test func aNamedRedisThatIsAbsentIsAWarningWherePollingIsNotDistributed() throws {
      try Cluster.play(nodes: 1, pollingOnly.with(["distributed_poller": false])) { cluster in
        try cluster.database.addDevices(5)
        cluster.nodes[0].environment["REDIS_PORT"] = "\(try RedisServer.freePort())"
        try cluster.startAndAwaitWork()
        #expect(cluster.lines("Redis does not answer", of: 0) == 1)
        #expect(eventually(within: .seconds(10)) { cluster.journal.ids("poller").count == 5 })
      }
    }

    @Test(arguments: [["EVAL"], ["EVAL", "EVALSHA"]])
    func aServerWithoutTheCommandsForScriptsIsEnough(names: [String]) throws {
      let redis = try RedisServer(arguments: names.flatMap { ["--rename-command", $0, ""] })
      try Cluster.play(nodes: 1, redis: redis, sleep: "0") { cluster in
        try cluster.database.addDevices(5)
        try cluster.start()
        #expect(eventually(within: .seconds(20)) { cluster.journal.ids("poller").count == 5 }, "\(cluster.journal.ids("poller"))")
        let errors = cluster.nodes[0].errors.split(separator: "\n").filter { $0.contains(" ERROR: ") }
        #expect(errors.isEmpty, "\(errors)")
        #expect(cluster.lines("Redis refuses scripts", of: 0) == cluster.children(of: 0), "said once by each child")
      }
    }

    @Test func aUserWithoutScriptsIsEnough() throws {
      let redis = try RedisServer()
      try redis.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-@scripting")
      try Cluster.play(
        nodes: 2, pollingOnly.with(["service_poller_workers": 8]), redis: redis,
        environment: ["REDIS_USERNAME": "limited", "REDIS_PASSWORD": "secret"]
      ) { cluster in
        try cluster.database.addDevices(60, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        pause(.seconds(26))
        let journal = cluster.journal
        expectNoDoubles(journal)
        #expect(journal.ids("poller").count == 60)
        let worst = journal.intervals("poller").max() ?? .infinity
        progress("without scripts: \(journal.runs("poller").count) polls, longest interval \(seconds(worst))")
        #expect(worst < 26)
        for index in cluster.nodes.indices {
          let ready = cluster.nodes[index].errors.split(separator: "\n").filter { $0.contains(" ready: ") }
          #expect(
            ready.count == 1 && ready.allSatisfy { !$0.contains("no redis") }, "children that are connecting are not without it: \(ready)")
          let said = cluster.lines("Redis refuses scripts", of: index)
          #expect(said == cluster.children(of: index), "said once by each child: \(said)")
        }
      }
    }
  }
}

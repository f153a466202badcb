import Core
import RedisFixture
import Testing

@testable import Redis

/// Nodes of a Redis Cluster, where the keys of one step would have to lie on one server.
@Suite(.serialized) struct ShardedServerTests {
  /// Without slots it refuses every key; with all of them it refuses only what touches two slots.
  @Test(arguments: [false, true])
  func aNodeOfARedisClusterIsNotUsedAndSaysWhy(hasAllSlots: Bool) throws {
    let server = try RedisServer(arguments: ["--cluster-enabled", "yes"])
    if hasAllSlots { try server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383") }
    try refusal(try LinkScene(server.settings))
  }

  /// INFO is no command of the contract.
  @Test func alsoWhereItMayNotBeAskedForItsMode() throws {
    let server = try RedisServer(arguments: ["--cluster-enabled", "yes"])
    try server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-info")
    var settings = server.settings
    (settings.user, settings.password) = ("limited", "secret")
    // The cluster needs a moment until it thinks it is whole.
    for _ in 0..<100 where try !server.command("CLUSTER", "INFO").contains("cluster_state:ok") {
      _ = try TestLoop().turn(for: .milliseconds(50))
    }
    try refusal(try LinkScene(settings))
  }

  private func refusal(_ scene: LinkScene) throws {
    #expect(!scene.link.isAway, "it is only connecting")
    scene.test.turn(until: .seconds(4)) { scene.link.reason != nil }
    let text = scene.link.reason?.text ?? ""
    #expect(scene.link.reason?.kind == .sharded && text.contains("cluster mode"), "\(text)")
    scene.test.turn(for: .milliseconds(1500))
    #expect(!scene.link.isUp && scene.link.isAway && scene.changes.isEmpty)
    #expect(scene.lines.all.count == 1, "said once: \(scene.lines.all)")
  }
}

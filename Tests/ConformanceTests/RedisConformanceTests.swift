import Core
import Redis
import RedisFixture
import Testing

@testable import Simulation

/// What the simulated server answers is what a real one does. Without this the simulation is a belief.
@Suite(.serialized) struct RedisConformanceTests {
  /// `steps` commands to both, compared one by one, and all that they hold now and then.
  private func run(_ pair: RedisPair, seed: UInt64, steps: Int) throws {
    var commands = RandomCommands(seed: seed)
    for step in 1...steps {
      let words = commands.next(pair.simulated)
      if let difference = try pair.difference(words) {
        Issue.record("seed \(seed), step \(step): \(difference)")
        return
      }
      // What ends soon has ended for both.
      if words.contains(RandomCommands.short) { try pair.pass(.milliseconds(12)) }
      if step % 200 == 0 || step == steps, let difference = try pair.stateDifference() {
        Issue.record("seed \(seed), state after step \(step): \(difference)")
        return
      }
    }
  }

  @Test(arguments: UInt64(1)...8) func anyCommandsAreAnsweredAlike(seed: UInt64) throws {
    try run(try RedisPair(), seed: seed, steps: 2000)
  }

  // MARK: Servers that refuse

  @Test func aFullServerRefusesAlike() throws {
    let pair = try RedisPair()
    try run(pair, seed: 21, steps: 300)
    _ = try pair.askReal(["CONFIG", "SET", "maxmemory", "1"])
    pair.simulated.condition = .outOfMemory
    try run(pair, seed: 22, steps: 600)
    _ = try pair.askReal(["CONFIG", "SET", "maxmemory", "0"])
    pair.simulated.condition = .well
    try run(pair, seed: 23, steps: 300)
  }

  @Test func aReplicaRefusesAlike() throws {
    let pair = try RedisPair()
    try run(pair, seed: 31, steps: 300)
    // Nobody listens there: it waits for its master, and serves what it has.
    _ = try pair.askReal(["REPLICAOF", "127.0.0.1", "1"])
    pair.simulated.condition = .readOnly
    // A replica leaves it to its master to drop what has ended.
    try run(pair, seed: 32, steps: 600)
  }

  @Test func anAccessListRefusesScriptsAlike() throws {
    let server = try RedisServer()
    try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-@scripting")
    let pair = try RedisPair(server: server, user: RedisCredentials(user: "limited", password: "secret"))
    pair.simulated.forbidsScripts = true
    try run(pair, seed: 41, steps: 300)
  }

  @Test func aServerThatForgotItsScriptsSaysSo() throws {
    let pair = try RedisPair()
    try run(pair, seed: 51, steps: 300)
    _ = try pair.askReal(["SCRIPT", "FLUSH"])
    pair.simulated.forgetScripts()
    try run(pair, seed: 52, steps: 300)
    _ = try pair.askReal(["FLUSHALL"])
    pair.simulated.flush()
    try run(pair, seed: 53, steps: 300)
  }
}

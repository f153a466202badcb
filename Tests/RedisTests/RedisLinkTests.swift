import Core
import Glibc
import RedisFixture
import Testing

@testable import Redis

@Suite(.serialized) struct RedisLinkTests {
  private func since(_ begin: ContinuousClock.Instant) -> Duration { ContinuousClock.now - begin }

  @Test func aNameIsLookedUpAndTheServerIntroduced() throws {
    let server = try RedisServer()
    var settings = server.settings
    // Both addresses of the name are tried: the server listens on one of them.
    settings.host = "localhost"
    let scene = try LinkScene(settings)
    #expect(scene.isUp())
    #expect(scene.link.serverVersion?.contains(".") == true)
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: server.port))
    #expect(scene.changes == [true])
    #expect(scene.lines.all.count == 1)
    #expect(scene.lines.all[0].hasPrefix("info Redis connected: "))
    #expect(try server.command("KEYS", "*") == "", "the probe leaves nothing behind")
  }

  @Test func aNameThatDoesNotExistIsAnOutage() throws {
    var settings = RedisSettings()
    settings.host = "does-not-exist.invalid"
    let scene = try LinkScene(settings)
    scene.test.turn(until: .seconds(8)) { scene.link.reason != nil }
    #expect(scene.link.reason?.kind == .unreachable)
    #expect(scene.link.reason?.text.contains("does-not-exist.invalid") == true)
  }

  @Test func settingsThatCanNotBeUsedAreSaidAndNotTried() throws {
    var settings = RedisSettings()
    settings.scheme = "ftp"
    let scene = try LinkScene(settings)
    scene.test.turn(for: .milliseconds(200))
    #expect(!scene.link.isUp)
    #expect(scene.lines.all.count == 1 && scene.lines.all[0].contains("REDIS_SCHEME"))
    #expect(scene.ask("PING")?.error?.kind == .unreachable)
  }

  @Test func aKilledServerIsFoundAgainWithinTwoSeconds() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    for round in 1...2 {
      server.kill()
      #expect(scene.isDown())
      #expect(scene.ask("GET", "x")?.error?.isOutage == true)
      scene.test.turn(for: .milliseconds(2500))
      try server.start()
      let begin = ContinuousClock.now
      #expect(scene.isUp())
      #expect(since(begin) < .seconds(2), "\(since(begin))")
      #expect(scene.ask("SET", "x", 1) == .success(.text("OK")))
      #expect(scene.lines.all.count == 1 + 2 * round, "one line each way: \(scene.lines.all)")
    }
    #expect(scene.changes == [true, false, true, false, true])
    #expect(scene.lines.all[1].hasPrefix("error Redis away: ") && scene.lines.all[1].contains("refused"))
  }

  @Test func anOutageOfAnotherKindIsSaidThoughCutsAreCounted() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    for _ in 1...4 {
      try server.command("CLIENT", "KILL", "TYPE", "normal")
      #expect(scene.isDown())
      #expect(scene.isUp())
    }
    let cut = scene.lines.all
    #expect(cut.count == 6 && cut[5].contains("outages of this kind are counted"), "\(cut)")
    server.kill()
    #expect(scene.test.turn(until: .seconds(4)) { scene.lines.all.count > cut.count }, "\(scene.lines.all)")
    try server.start()
    #expect(scene.isUp())
    let last = scene.lines.all.dropFirst(cut.count)
    #expect(last.count == 2 && last.first?.contains("refused") == true && last.last?.contains("connected") == true, "\(scene.lines.all)")
  }

  @Test func aFrozenServerIsFoundAgainWithinTwoSeconds() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings) {
      $0.command = .milliseconds(500)
      $0.connect = .milliseconds(800)
    }
    #expect(scene.isUp())
    try server.freeze()
    #expect(scene.ask("PING")?.error?.kind == .lost)
    #expect(!scene.link.isUp)
    scene.test.turn(for: .seconds(3))
    #expect(!scene.link.isUp)
    try server.thaw()
    let begin = ContinuousClock.now
    #expect(scene.isUp())
    #expect(since(begin) < .seconds(2), "\(since(begin))")
    #expect(scene.lines.all.count == 3, "\(scene.lines.all)")
  }

  @Test func twoLinksOfAProcessSayItOnce() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    let second = RedisLink(loop: scene.test.loop, settings: server.settings, name: "second", availability: scene.link.availability)
    second.start()
    #expect(scene.test.turn { scene.link.isUp && second.isUp })
    server.kill()
    scene.test.turn(for: .milliseconds(1500))
    try server.start()
    #expect(scene.test.turn { scene.link.isUp && second.isUp })
    #expect(scene.lines.all.count == 3, "\(scene.lines.all)")
    second.stop()
  }

  @Test func aChangedPasswordIsAnOutageUntilItFits() throws {
    let server = try RedisServer(password: "first-secret")
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    try server.command("CONFIG", "SET", "requirepass", "other-secret")
    server.password = "other-secret"
    try server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    #expect(scene.isDown())
    scene.test.turn(until: .seconds(3)) { scene.link.reason?.kind == .unauthorized }
    #expect(scene.link.reason?.kind == .unauthorized)
    try server.command("CONFIG", "SET", "requirepass", "first-secret")
    server.password = "first-secret"
    let begin = ContinuousClock.now
    #expect(scene.isUp())
    #expect(since(begin) < .seconds(2))
    #expect(scene.lines.all.count == 3)
    #expect(scene.lines.all.allSatisfy { !$0.contains("secret") }, "\(scene.lines.all)")
    // Or the configuration follows.
    try server.command("CONFIG", "SET", "requirepass", "third-secret")
    server.password = "third-secret"
    try server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    #expect(scene.isDown())
    scene.link.change(server.settings)
    #expect(scene.isUp(within: .seconds(1)))
  }

  @Test func aFullServerIsAnOutageUntilThereIsRoom() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    try server.command("CONFIG", "SET", "maxmemory", "1")
    #expect(scene.link.isUp, "nobody has noticed")
    #expect(scene.ask("SET", "x", 1)?.error?.kind == .outOfMemory)
    #expect(!scene.link.isUp)
    #expect(scene.ask("DEL", "x") == .success(.integer(0)), "what the server still does may be asked")
    scene.test.turn(for: .milliseconds(2500))
    #expect(!scene.link.isUp)
    #expect(scene.link.reason?.kind == .outOfMemory)
    try server.command("CONFIG", "SET", "maxmemory", "0")
    let begin = ContinuousClock.now
    #expect(scene.isUp())
    #expect(since(begin) < .seconds(2))
    #expect(scene.lines.all.count == 3, "\(scene.lines.all)")
  }

  @Test func aReplicaIsNotUsedUntilItIsMaster() throws {
    let master = try RedisServer()
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    try server.command("REPLICAOF", "127.0.0.1", String(master.port))
    #expect(scene.ask("SET", "x", 1)?.error?.isOutage == true)
    #expect(!scene.link.isUp)
    scene.test.turn(until: .seconds(4)) { scene.link.reason?.kind == .readOnly }
    #expect(scene.link.reason?.kind == .readOnly)
    scene.test.turn(for: .seconds(2))
    #expect(!scene.link.isUp, "no flapping")
    try server.command("REPLICAOF", "NO", "ONE")
    #expect(scene.isUp(within: .seconds(2)))
    #expect(scene.changes == [true, false, true])
    #expect(scene.lines.all.count == 3, "\(scene.lines.all)")
  }

  @Test func scriptsAreLoadedOnceAndAgainWhenForgotten() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings)
    #expect(scene.isUp())
    let script = RedisScript("redis.call('INCR', KEYS[1]) return {KEYS[1], ARGV[1]}")
    let expected: Result<RedisReply, RedisError> = .success(.array([.text("n"), .text("a b")]))
    let before = scene.link.commandsSent
    for _ in 0..<10 { #expect(scene.eval(script, ["n"], ["a b"]) == expected) }
    #expect(scene.link.commandsSent == before + 10)
    #expect(try server.command("SCRIPT", "EXISTS", script.sha) == "1")
    try server.command("SCRIPT", "FLUSH")
    var answers: [Result<RedisReply, RedisError>] = []
    for _ in 0..<20 { scene.link.eval(script, keys: ["n"], arguments: ["a b"]) { answers.append($0) } }
    #expect(scene.test.turn { answers.count == 20 })
    #expect(answers.allSatisfy { $0 == expected })
    #expect(scene.ask("GET", "n") == .success(.text("30")), "each ran once")
    #expect(scene.eval(RedisScript("this is no Lua"))?.error?.kind == .other)
    #expect(scene.link.isUp)
    server.kill()
    try server.start()
    #expect(scene.test.turn { scene.changes == [true, false, true] })
    #expect(scene.eval(script, ["n"], ["a b"]) == expected)
  }

  @Test func aUserWithoutScriptsIsToldOnce() throws {
    let server = try RedisServer(password: "pw")
    try server.command("ACL", "SETUSER", "plain", "on", ">pw", "~*", "&*", "+@all", "-@scripting")
    var settings = server.settings
    settings.user = "plain"
    let scene = try LinkScene(settings)
    #expect(scene.isUp())
    #expect(!scene.link.scriptsForbidden)
    for _ in 0..<3 {
      #expect(scene.eval(RedisScript("return 1"))?.error?.kind == .noPermission)
      #expect(scene.link.scriptsForbidden)
    }
    #expect(scene.link.isUp)
    #expect(scene.lines.all.count { $0.hasPrefix("warning") && $0.contains("refuses scripts") } == 1)
    try server.command("ACL", "SETUSER", "plain", "+@scripting", "-incr")
    #expect(scene.eval(RedisScript("return 1")) == .success(.integer(1)))
    try server.command("CLIENT", "KILL", "USER", "plain")
    #expect(scene.isDown() && scene.isUp())
    #expect(scene.eval(RedisScript("return redis.call('INCR', 'x')"))?.error != nil)
    #expect(!scene.link.scriptsForbidden, "it is the command that is refused, not the script")
  }

  @Test func aUserWithTheLeastRightsWorks() throws {
    let server = try RedisServer(password: "pw")
    try server.command("ACL", "SETUSER", "least", "on", ">pw", "~librenms.*", "+zadd", "+zcard", "+set", "+get")
    var settings = server.settings
    settings.user = "least"
    let scene = try LinkScene(settings, tracking: true)
    #expect(scene.isUp())
    #expect(scene.ask("ZADD", "librenms.queue:poller:0", 1, "5") == .success(.integer(1)))
    #expect(scene.link.serverVersion == nil)
    scene.test.turn(for: .milliseconds(300))
    #expect(!scene.link.isTracking)
    #expect(scene.lines.all.count == 2, "\(scene.lines.all)")
    #expect(try !server.command("CLIENT", "LIST").contains("scene-wake"), "the second connection is given up")
  }

  @Test func aDatabaseNumberHolds() throws {
    let server = try RedisServer()
    var settings = server.settings
    settings.database = 7
    settings.host = ""
    settings.socket = server.socket
    let scene = try LinkScene(settings)
    #expect(scene.isUp())
    #expect(scene.ask("SET", "here", 1) == .success(.text("OK")))
    #expect(try server.command("-n", "7", "GET", "here") == "1")
    try server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    #expect(scene.isDown() && scene.isUp())
    #expect(scene.ask("GET", "here") == .success(.text("1")))
  }
}

import Core
import Glibc
import Redis
import RedisFixture
import Testing

/// Connections to real servers.
@Suite(.serialized) struct RedisConnectionTests {
  let test: TestLoop

  init() throws { test = try TestLoop() }

  private func connect(
    _ server: RedisServer, unix: Bool = false, _ change: (inout RedisConnection.Configuration) -> Void = { _ in }
  ) -> (RedisConnection, Outcome) {
    var configuration = RedisConnection.Configuration(
      address: unix ? .unix(path: server.socket) : .tcp(host: "127.0.0.1", port: server.port))
    configuration.credentials = RedisCredentials(password: server.password)
    configuration.name = "test node-1"
    change(&configuration)
    let connection = RedisConnection(loop: test.loop, configuration: configuration)
    let outcome = Outcome(connection)
    connection.open()
    #expect(outcome.error == nil && outcome.ready == 0, "nothing is told from within open")
    test.turn { outcome.isDecided }
    return (connection, outcome)
  }

  @Test(arguments: [false, true]) func commandsAreAnsweredInOrder(unix: Bool) throws {
    let server = try RedisServer()
    let (connection, outcome) = connect(server, unix: unix)
    #expect(outcome.ready == 1)
    var answers: [RedisReply] = []
    for index in 0..<5000 {
      connection.send(["SET", "key\(index % 7)", RedisArgument(index)]) { _ in }
      connection.send(["GET", "key\(index % 7)"]) { if case .success(let reply) = $0 { answers.append(reply) } }
    }
    test.turn { answers.count == 5000 }
    #expect(answers == (0..<5000).map { .text(String($0)) })
    #expect(try server.command("CLIENT", "LIST").contains("name=test-node-1"))
    connection.close()
  }

  @Test func everyKindOfReplyArrives() throws {
    let server = try RedisServer()
    let (connection, _) = connect(server)
    #expect(test.ask(connection, "SET", "k", "zwölf 🐟\r\n\0x") == .success(.text("OK")))
    #expect(test.ask(connection, "GET", "k") == .success(.text("zwölf 🐟\r\n\0x")))
    #expect(test.ask(connection, "GET", "none") == .success(.null))
    #expect(test.ask(connection, "SET", "", "") == .success(.text("OK")))
    #expect(test.ask(connection, "GET", "") == .success(.text("")))
    #expect(test.ask(connection, "INCRBY", "n", RedisArgument(Int64.min)) == .success(.integer(.min)))
    #expect(test.ask(connection, "ZADD", "z", RedisArgument(1.5), "m") == .success(.integer(1)))
    #expect(
      test.ask(connection, "EVAL", "return {1, 'a', false, {}, {2, redis.error_reply('OOM x')}}", 0)
        == .success(
          .array([.integer(1), .text("a"), .null, .array([]), .array([.integer(2), .error(RedisError(.outOfMemory, "OOM x"))])])))
    #expect(test.ask(connection, "LPUSH", "k", "x")?.error?.kind == .wrongType)
    #expect(test.ask(connection, "EVALSHA", "0000000000000000000000000000000000000000", 0)?.error?.kind == .noScript)
    let long = String(repeating: "x", count: 3_000_000)
    #expect(test.ask(connection, "SET", "long", RedisArgument(long)) == .success(.text("OK")))
    #expect(test.ask(connection, "GET", "long") == .success(.text(long)))
    connection.close()
  }

  @Test func aDatabaseIsSelected() throws {
    let server = try RedisServer()
    let (connection, _) = connect(server) { $0.database = 5 }
    #expect(test.ask(connection, "SET", "here", 1) == .success(.text("OK")))
    #expect(try server.command("-n", "5", "GET", "here") == "1")
    let (_, refused) = connect(server) { $0.database = 99 }
    #expect(refused.error?.kind == .unauthorized)
    #expect(refused.error?.text.contains("REDIS_DB") == true)
  }

  @Test func passwordsAndUsersAreAccepted() throws {
    let server = try RedisServer(password: "s3cret word")
    #expect(connect(server).1.ready == 1)
    try server.command("ACL", "SETUSER", "poller", "on", ">other", "~*", "+@all", "-@scripting")
    #expect(connect(server) { $0.credentials = RedisCredentials(user: "poller", password: "other") }.1.ready == 1)
    for credentials in [
      RedisCredentials(), RedisCredentials(password: "wr0ng"), RedisCredentials(user: "poller", password: "wr0ng"),
      RedisCredentials(user: "nobody", password: "wr0ng"),
    ] {
      let (_, outcome) = connect(server) { $0.credentials = credentials }
      #expect(outcome.ready == 0)
      #expect(outcome.error?.kind == .unauthorized)
      #expect(outcome.error?.text.contains("wr0ng") == false)
    }
    let open = try RedisServer()
    let (_, unneeded) = connect(open) { $0.credentials = RedisCredentials(password: "wr0ng") }
    #expect(unneeded.error?.kind == .unauthorized)
  }

  @Test func nobodyThereIsUnreachable() throws {
    let server = try RedisServer()
    server.kill()
    let (_, tcp) = connect(server)
    #expect(tcp.error?.kind == .unreachable)
    #expect(tcp.error?.text.contains("refused") == true)
    let (_, unix) = connect(server, unix: true)
    #expect(unix.error?.kind == .unreachable)
    let (_, missing) = connect(server) {
      $0.credentials = RedisCredentials(); $0.limits.connect = .seconds(1)
    }
    #expect(missing.error?.kind == .unreachable)
  }

  @Test func aKilledServerFailsWhatIsUnanswered() throws {
    let server = try RedisServer()
    let (connection, outcome) = connect(server)
    var failures: [RedisError.Kind] = []
    try server.freeze()
    for _ in 0..<10 { connection.send(["INCR", "n"]) { if let kind = $0.error?.kind { failures.append(kind) } } }
    test.turn(for: .milliseconds(50))
    #expect(failures.isEmpty)
    server.kill()
    test.turn { outcome.error != nil }
    #expect(outcome.error?.kind == .lost)
    #expect(failures == Array(repeating: .lost, count: 10))
    #expect(connection.state == .closed)
    #expect(test.ask(connection, "PING")?.error?.kind == .unreachable)
  }

  @Test func aSilentServerIsDroppedAtTheLimit() throws {
    let server = try RedisServer()
    let (connection, outcome) = connect(server) { $0.limits.command = .milliseconds(600) }
    try server.freeze()
    let begin = ContinuousClock.now
    let answer = test.ask(connection, "PING")
    let waited = ContinuousClock.now - begin
    #expect(answer?.error?.kind == .lost)
    #expect(outcome.error?.kind == .lost)
    #expect(waited > .milliseconds(590) && waited < .milliseconds(900), "\(waited)")
    // A connection to a frozen server stands, but its greeting is not answered.
    let (_, again) = connect(server) { $0.limits.command = .milliseconds(300) }
    #expect(again.error?.kind == .lost)
    try server.thaw()
    #expect(connect(server).1.ready == 1)
  }

  @Test func aServerThatAnswersLateButInTimeIsKept() throws {
    let server = try RedisServer()
    let (connection, outcome) = connect(server) { $0.limits.command = .milliseconds(700) }
    for _ in 0..<3 {
      try server.freeze()
      var answered = false
      connection.send(["PING"]) { _ in answered = true }
      test.turn(for: .milliseconds(400))
      #expect(!answered)
      try server.thaw()
      test.turn { answered }
    }
    #expect(outcome.error == nil)
    connection.close()
  }

  @Test func anIdleConnectionIsProbed() throws {
    let server = try RedisServer()
    let (connection, outcome) = connect(server) {
      $0.limits.idle = .milliseconds(200)
      $0.limits.command = .milliseconds(300)
    }
    let (listener, listening) = connect(server) {
      $0.limits.idle = .milliseconds(200)
      $0.limits.command = .milliseconds(300)
    }
    listener.subscribe(to: "news")
    test.turn { listening.pushes.count >= 3 }
    #expect(listening.pushes.allSatisfy { $0 == .array([.text("subscribe"), .text("news"), .integer(1)]) })
    try server.command("PUBLISH", "news", "hello")
    test.turn { listening.pushes.contains(.array([.text("message"), .text("news"), .text("hello")])) }
    #expect(listening.pushes.contains(.array([.text("message"), .text("news"), .text("hello")])))
    #expect(outcome.error == nil && listening.error == nil)
    try server.freeze()
    test.turn(until: .seconds(2)) { outcome.error != nil && listening.error != nil }
    #expect(outcome.error?.kind == .lost)
    #expect(listening.error?.kind == .lost)
    _ = connection
  }

  @Test func aSubscriptionThatIsForbiddenSaysSo() throws {
    let server = try RedisServer()
    try server.command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "resetchannels", "+@all")
    let (connection, outcome) = connect(server) { $0.credentials = RedisCredentials(user: "deaf", password: "pw") }
    connection.subscribe(to: "news")
    test.turn { outcome.error != nil }
    #expect(outcome.error?.kind == .noPermission)
  }

  @Test func tooManyClientsIsAnOutage() throws {
    let server = try RedisServer()
    try server.command("CONFIG", "SET", "maxclients", "1")
    let (first, _) = connect(server)
    let (_, second) = connect(server)
    #expect(second.ready == 0)
    #expect(second.error?.kind == .unreachable)
    first.close()
  }

  @Test func whatIsNotRedisIsDropped() throws {
    let listener = try Listener(saying: "SSH-2.0-OpenSSH_9.2\r\n")
    var configuration = RedisConnection.Configuration(address: .tcp(host: "127.0.0.1", port: listener.port))
    configuration.limits.command = .milliseconds(500)
    let connection = RedisConnection(loop: test.loop, configuration: configuration)
    let outcome = Outcome(connection)
    connection.open()
    test.turn { outcome.isDecided }
    #expect(outcome.ready == 0)
    #expect(outcome.error != nil)
  }

  @Test func aConnectionMayEndAnywhere() throws {
    let server = try RedisServer()
    // In the middle of an answer, of a push, before it stands, and by being forgotten.
    let (inAnswer, _) = connect(server)
    var answers: [Bool] = []
    for _ in 0..<100 {
      inAnswer.send(["PING"]) {
        answers.append($0.error == nil)
        inAnswer.close()
      }
    }
    test.turn { answers.count == 100 }
    #expect(answers == [true] + Array(repeating: false, count: 99))
    let (inPush, pushing) = connect(server)
    inPush.onPush = { _ in inPush.close() }
    inPush.subscribe(to: "x")
    test.turn { inPush.state == .closed }
    #expect(inPush.state == .closed && pushing.error == nil)
    for _ in 0..<20 {
      let connection = RedisConnection(
        loop: test.loop, configuration: .init(address: .tcp(host: "127.0.0.1", port: server.port)))
      connection.open()
      connection.close()
      let forgotten = RedisConnection(loop: test.loop, configuration: .init(address: .unix(path: server.socket)))
      forgotten.open()
    }
    test.turn(for: .milliseconds(100))
    #expect(try server.command("CLIENT", "LIST").split(separator: "\n").count == 1, "only the one that asks")
    let inReady = RedisConnection(loop: test.loop, configuration: .init(address: .unix(path: server.socket)))
    inReady.onReady = { inReady.close() }
    inReady.open()
    test.turn { inReady.state == .closed }
    #expect(inReady.state == .closed)
  }
}

/// A socket that says one thing to whoever connects, and never reads.
final class Listener {
  let port: Int
  private let descriptor: Int32
  private var thread = pthread_t()

  private final class Job {
    let descriptor: Int32
    let text: String
    init(descriptor: Int32, text: String) {
      self.descriptor = descriptor
      self.text = text
    }
  }

  init(saying text: String) throws {
    port = try RedisServer.freePort()
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    listen(descriptor, 5)
    let job = Unmanaged.passRetained(Job(descriptor: descriptor, text: text)).toOpaque()
    pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
        while true {
          let client = accept(job.descriptor, nil, nil)
          guard client >= 0 else { return nil }
          var text = job.text
          _ = text.withUTF8 { write(client, $0.baseAddress, $0.count) }
        }
      }, job)
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    pthread_join(thread, nil)
    close(descriptor)
  }
}

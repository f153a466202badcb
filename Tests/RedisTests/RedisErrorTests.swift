import Testing

@testable import Redis

@Suite struct RedisErrorTests {
  @Test(
    arguments: [
      ("LOADING Redis is loading the dataset in memory", RedisError.Kind.loading, true),
      ("READONLY You can't write against a read only replica.", .readOnly, true),
      ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", .masterDown, true),
      ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, true),
      ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", .misconfigured, true),
      ("NOREPLICAS Not enough good replicas to write.", .misconfigured, true),
      ("NOAUTH Authentication required.", .unauthorized, true),
      ("WRONGPASS invalid username-password pair or user is disabled.", .unauthorized, true),
      ("DENIED Redis is running in protected mode because protected mode is enabled", .unauthorized, true),
      ("ERR invalid password", .unauthorized, true),
      ("ERR Client sent AUTH, but no password is set", .unauthorized, true),
      ("ERR AUTH <password> called without any password configured for the default user.", .unauthorized, true),
      ("CLUSTERDOWN The cluster is down", .clusterDown, true),
      ("BUSY Redis is busy running a script.", .busy, true),
      ("ERR max number of clients reached", .unreachable, true),
      ("NOPERM User poller has no permissions to run the 'eval' command", .noPermission, false),
      ("NOSCRIPT No matching script. Please use EVAL.", .noScript, false),
      ("WRONGTYPE Operation against a key holding the wrong kind of value", .wrongType, false),
      ("ERR unknown command 'ZPOPMIN'", .other, false),
      ("ERR syntax error", .other, false),
      ("MOVED 3999 127.0.0.1:6381", .sharded, false),
      ("ASK 3999 127.0.0.1:6381", .sharded, false),
      ("CROSSSLOT Keys in request don't hash to the same slot", .sharded, false),
      ("", .other, false),
      // Redis 5 and 6: a command's failure within a script.
      (
        "ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
        .outOfMemory, true
      ),
      ("ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -READONLY You can't write", .readOnly, true),
      ("ERR Error running script (call to f_6b1b): @user_script:21: WRONGTYPE Operation against a key", .wrongType, false),
      ("ERR Error running script (call to f_6b1b): @user_script:1: attempt to compare nil with - number", .other, false),
      ("ERR The user executing the script can't run this command or subcommand script: 6b1b, on @user_script:1.", .noPermission, false),
      // Redis 8.
      (
        "ERR ACL failure in script: User poller has no permissions to run the 'zadd' command script: 6b1b, on @user_script:1.",
        .noPermission, false
      ),
      // Not at the begin of a word, and not in other errors.
      ("ERR value -OOM is not an integer", .other, false),
    ] as [(String, RedisError.Kind, Bool)])
  func anErrorLineIsOutageOrFault(line: String, kind: RedisError.Kind, isOutage: Bool) {
    let error = RedisError(server: line)
    #expect(error.kind == kind)
    #expect(error.isOutage == isOutage)
  }

  @Test func aCauseIsTheSameWhereverAndWhenItHappens() {
    func cause(_ kind: RedisError.Kind, _ text: String) -> String { RedisError(kind, text).cause }
    #expect(cause(.unreachable, "10.0.0.1:6379: Connection refused") == cause(.unreachable, "10.0.0.22:6380: Connection refused"))
    #expect(cause(.unreachable, "10.0.0.1:6379: Connection refused") != cause(.unreachable, "10.0.0.1:6379: Connection timed out"))
    #expect(cause(.lost, "10.0.0.1:6379: Connection reset by peer") != cause(.lost, "10.0.0.1:6379: no answer for 5.0 seconds"))
    #expect(RedisError(server: "READONLY You can't write against 7").cause == RedisError(server: "READONLY another text").cause)
  }

  @Test func whatAServerSaysIsOneShortLine() {
    let error = RedisError(server: "ERR a\r\nb\u{1b}[31m" + String(repeating: "x", count: 1000))
    #expect(error.text.hasPrefix("ERR a  b [31mxxx"))
    #expect(error.text.count == 300)
  }

  @Test func anOldServerThatQuotesThePasswordIsNotQuoted() {
    let plan = GreetingPlan(user: "", password: "hunter2", database: 0, name: "")
    for line in ["ERR unknown command `AUTH`, with args beginning with: `hunter2`, ", "WRONGPASS hunter2", "LOADING hunter2"] {
      let error = plan.judge(.authenticate, .failure(RedisError(server: line)))
      #expect(error != nil)
      #expect(error?.text.contains("hunter2") == false)
      #expect(error?.isOutage == true)
    }
    #expect("\(RedisCredentials(user: "u", password: "hunter2"))" == "u:***")
  }

  @Test(arguments: [
    ("NOPERM this user has no permissions to run the 'eval' command or its subcommand", true),
    ("NOPERM User poller has no permissions to run the 'evalsha' command", true),
    ("NOPERM User poller has no permissions to run the 'zadd' command script: abc, on @user_script:1.", false),
    ("NOPERM this user has no permissions to access one of the keys used as arguments", true),
    ("ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -NOPERM this user has no permissions", false),
    ("ERR The user executing the script can't run this command or subcommand script: 6b1b, on @user_script:1.", false),
    ("ERR ACL failure in script: User poller has no permissions to run the 'zadd' command script: 6b1b, on @user_script:1.", false),
    ("ERR unknown command 'eval'", true),
    ("ERR unknown command `EVALSHA`, with args beginning with: `6b1b`, `0`, ", true),
    // twemproxy closes; others have words of their own.
    ("ERR command not allowed", true),
    ("ERR unknown or unsupported command 'EVAL'", true),
    ("ERR unsupported command", true),
    ("DISABLED scripting", true),
    ("ERR Error compiling script (new function): user_script:1: unexpected symbol", true),
    ("ERR Error running script (call to f_6b1b): @user_script:5: script tried accessing undeclared key", true),
    ("WRONGTYPE Operation against a key holding the wrong kind of value script: 6b1b, on @user_script:3.", false),
    ("STALE this connection was given up, or another service works under this name", false),
    ("NOSCRIPT No matching script. Please use EVAL.", false),
    ("CROSSSLOT Keys in request don't hash to the same slot", false),
    ("OOM command not allowed when used memory > 'maxmemory'.", false),
    ("LOADING Redis is loading the dataset in memory", false),
  ])
  func whatPlainCommandsCanDoBetterForbidsScripts(line: String, refuses: Bool) {
    #expect(RedisError(server: line).refusesScripts == refuses)
  }
}

@Suite struct GreetingPlanTests {
  private func words(_ user: String, _ password: String, _ database: Int, _ name: String) -> [String] {
    GreetingPlan(user: user, password: password, database: database, name: name).steps.map { $0.command.joined(separator: " ") }
  }

  @Test func onlyWhatIsNeededIsSaid() {
    #expect(words("", "", 0, "") == ["PING"])
    #expect(words("", "pw", 0, "") == ["AUTH pw", "PING"])
    #expect(words("me", "pw", 3, "node 1\n") == ["AUTH me pw", "SELECT 3", "CLIENT SETNAME node-1-", "PING"])
    // A user without a password can't log in; the server says so when the first command needs it.
    #expect(words("me", "", 0, "") == ["PING"])
  }

  @Test(arguments: [
    (GreetingPlan.Step.authenticate, "ERR unknown command 'AUTH'", RedisError.Kind.unauthorized as RedisError.Kind?),
    (.authenticate, "ERR max number of clients reached", .unreachable),
    (.select, "ERR DB index is out of range", .unauthorized),
    (.select, "NOPERM no", .unauthorized),
    (.select, "NOAUTH Authentication required.", .unauthorized),
    (.name, "NOPERM no", nil),
    (.name, "LOADING wait", .loading),
    (.ping, "NOPERM no", nil),
    (.ping, "LOADING wait", .loading),
    (.ping, "MASTERDOWN link", .masterDown),
    (.ping, "MISCONF disk", .misconfigured),
    (.ping, "NOAUTH Authentication required.", .unauthorized),
  ])
  func answersAreJudged(step: GreetingPlan.Step, line: String, kind: RedisError.Kind?) {
    let plan = GreetingPlan(user: "", password: "pw", database: 1, name: "n")
    #expect(plan.judge(step, .failure(RedisError(server: line)))?.kind == kind)
    #expect(plan.judge(step, .success(.text("OK"))) == nil)
  }
}

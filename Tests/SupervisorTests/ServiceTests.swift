import Core
import Fixture
import Glibc
import Testing

@testable import Supervisor

@Suite(.serialized) struct ServiceTests {
  @Test(arguments: [(2, Int32(2)), (3, 3)])
  func aRefusedConfigurationEndsTheStartWithTheCodeOfTheContract(code: Int, exit: Int32) throws {
    try Stage.play(["configd": "refuse \(code)"]) { stage in
      try stage.start()
      #expect(stage.dispatcher?.wait(.seconds(5)) == .exited(exit))
      #expect(stage.log.contains("the configuration is refused"))
    }
  }

  @Test(arguments: ["garbage", "cut", "huge", "die 9", "die 11"])
  func aHelperThatFailsIsTriedAgain(kind: String) throws {
    try Stage.play(["configd": kind]) { stage in
      try stage.start()
      try stage.see("an error") { stage.log.contains("the next attempt is in 1 s") }
      #expect(try stage.status().phase == "waiting")
      try stage.behave("configd", "ok")
      try stage.awaitReady()
    }
  }

  @Test func aServiceThatWaitsSaysForWhatAndStopsAtOnce() throws {
    try Stage.play(["configd": "wait database: connection refused"]) { stage in
      try stage.start()
      try stage.see("the reason") { try stage.status().summary == "waiting for database: connection refused" }
      let reload = try stage.command("reload")
      #expect(reload.ending == .exited(1) && reload.errors.contains("waiting for database"), "\(reload)")
      #expect(try stage.stop(within: .seconds(3)) == .exited(0))
      #expect(stage.received.contains("configd reader gone"), "the helper was not asked but killed")
    }
  }

  @Test func anAnswerThatCanNotBeWrittenIsAFailureWithAReason() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      for words in [["status"], ["status", "--json"], ["health"], ["reload"], ["poll", "1"], ["locks"], ["--help"], ["--version"]] {
        let refused = try stage.commandIntoFullDevice(words)
        #expect(refused.ending == .exited(1) && refused.errors.contains("No space left on device"), "\(words): \(refused)")
      }
    }
  }

  @Test func aReplacementDoesNotReadLikeACrash() throws {
    try Stage.play { stage in
      let file = stage.path + "/never.log"
      try writeText("", to: file)
      try stage.behave("configd", "ok watch=\(file) every=1")
      try stage.start()
      try stage.see("a replacement", within: .seconds(15)) { stage.log.contains("replaced as asked: its successor takes its scripts over") }
      #expect(!stage.log.contains("ended with signal 9"), "\(stage.log)")
      #expect(try stage.child("poller").restarts == 0)
    }
  }

  @Test func whatAChildNamesAsItsFaultIsSaid() throws {
    try Stage.play(["poller": "fault the server refuses EVAL", "discovery": "untabled 3"]) { stage in
      try stage.start()
      try stage.see("the fault") { stage.log.contains("ERROR: does not do its work: the server refuses EVAL type=poller") }
      let report = try stage.status()
      #expect(report.summary.contains("DOES NOT DO ITS WORK: the server refuses EVAL"))
      #expect(try stage.command("health").output.contains("the server refuses EVAL"))
      let text = try stage.command("status").output
      #expect(text.contains("poller: DOES NOT DO ITS WORK: the server refuses EVAL"))
      // Its jobs are in no table: they are counted and not denied.
      #expect(text.contains("discovery: no job table") && text.contains("3 jobs run that no job table shows"), "\(text)")
      #expect(!text.contains("no job runs"))
    }
  }

  @Test func validateAsksTheServiceWhetherItDoesItsWork() throws {
    try Stage.play(["poller": "deaf"]) { stage in
      try stage.start()
      try stage.awaitReady()
      #expect(
        try stage.instanceCheck().contains("ok    instance: the dispatcher is running as process \(stage.dispatcher?.pid ?? 0): healthy"))
      // On its way out it starts nothing any more.
      stage.dispatcher?.send(SIGTERM)
      try stage.see("the stop") { try stage.status().phase == "stopping" }
      #expect(try stage.instanceCheck().contains("FAIL  instance:"))
      stage.dispatcher?.send(SIGSTOP)
      #expect(try stage.instanceCheck().contains("does not answer here"))
      stage.dispatcher?.send(SIGCONT)
      let poller = try stage.child("poller").pid ?? 0
      if poller > 1 { kill(poller, SIGKILL) }
      #expect(stage.dispatcher?.wait(.seconds(5)) == .exited(0))
    }
  }

  @Test func oneAnswerCountsAndListsTheSameJobs() throws {
    // The child itself says that none runs.
    try Stage.play(["poller": "script 600000 sleep 300"]) { stage in
      try stage.start()
      try stage.see("the job") { try stage.status().jobs.count == 1 }
      let report = try stage.status()
      #expect(report.types.first { $0.type == "poller" }?.busy == 1 && report.summary.contains("poller 1/4 busy"), "\(report.summary)")
      kill(try stage.script(), SIGKILL)
    }
  }

  @Test func aReloadBringsTheNewConfigurationAndABadOneLeavesTheOld() throws {
    try Stage.play(["configd": "ok workers=2"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let pid = try stage.child("poller").pid
      try stage.behave("configd", "ok workers=7 ping=on discovery=off")
      let good = try stage.command("reload")
      #expect(good.ending == .exited(0) && good.output == "configuration 2 is in force\n", "\(good)")
      #expect(stage.received.contains("poller configure 2 workers=7"))
      try stage.see("the types") {
        try stage.status().types.filter { $0.state == "running" }.map(\.type) == ["poller", "ping", "maintenance"]
      }
      for bad in ["refuse 3", "garbage", "die 9", "wait database"] {
        try stage.behave("configd", bad)
        let answer = try stage.command("reload")
        #expect(answer.ending == .exited(1) && answer.errors.contains("the configuration in force stays"), "\(bad): \(answer)")
      }
      // The helper of the last one still waits; asking again gets it out of the way.
      try stage.behave("configd", "ok workers=7 ping=on discovery=off")
      let same = try stage.command("reload")
      #expect(same.ending == .exited(0) && same.output == "nothing changed\n", "\(same)")
      #expect(try stage.child("poller").pid == pid && stage.status().epoch == 2)
    }
  }

  @Test func aChildThatRejectsTheNewConfigurationMakesTheReloadFail() throws {
    try Stage.play(["poller": "reject", "configd": "ok workers=2"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.behave("configd", "ok workers=3")
      let answer = try stage.command("reload")
      #expect(answer.ending == .exited(1) && answer.errors.contains("poller keeps its old configuration: it can't be done"), "\(answer)")
      #expect(try stage.child("poller").restarts == 0)
    }
  }

  @Test func hangUpReloads() throws {
    try Stage.play(["configd": "ok workers=2"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.behave("configd", "ok workers=3")
      stage.dispatcher?.send(SIGHUP)
      try stage.see("the configuration") { stage.received.contains("poller configure 2 workers=3") }
    }
  }

  @Test func thereIsOneInstanceUnlessSeveralAreAllowed() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      let second = try stage.command("run")
      #expect(second.ending == .exited(2) && second.errors.contains("process \(stage.dispatcher?.pid ?? 0) holds"), "\(second)")
      let first = stage.dispatcher
      try stage.start(["-v", "-m"])
      try stage.see("the other instance") { stage.log.split(separator: "\n").count { $0.contains("ready: ") } == 2 }
      #expect(try stage.stop() == .exited(0))
      #expect(directoryEntries(stage.runtime).count == 1, "the folder of a second instance is left")
      first?.send(SIGTERM)
      #expect(first?.wait(.seconds(5)) == .exited(0))
    }
  }

  @Test func aRunningPythonServiceIsNotJoined() throws {
    try Stage.play { stage in
      // A shell under python's name: the command line is what counts.
      let script = stage.base + "/librenms-service.py"
      try writeText("sleep 300\n", to: script)
      symlink("/bin/sh", stage.path + "/python3")
      let python = try Fixture.ChildProcess([stage.path + "/python3", script], environment: stage.mark.environment())
      let refused = try stage.command("run")
      #expect(refused.ending == .exited(2) && refused.errors.contains("the Python service runs as process \(python.pid)"), "\(refused)")
      python.end()
    }
  }

  @Test func theServiceManagerHearsHowItGoes() throws {
    try Stage.play { stage in
      let manager = try NotifySocket(path: stage.path + "/notify")
      stage.environment["NOTIFY_SOCKET"] = manager.path
      stage.environment["WATCHDOG_USEC"] = "400000"
      try stage.start()
      try stage.see("ready") { manager.latest("READY") == "1" }
      try stage.see("numbers") { manager.latest("STATUS")?.contains("poller 0/4 busy; discovery 0/4 busy") ?? false }
      try stage.see("the watchdog") {
        manager.drain()
        return manager.messages.filter { $0["WATCHDOG"] == "1" }.count >= 3
      }
      try stage.behave("configd", "ok workers=9")
      #expect(try stage.command("reload").ending == .exited(0))
      manager.drain()
      let reloading = manager.messages.lastIndex { $0["RELOADING"] == "1" && UInt64($0["MONOTONIC_USEC"] ?? "") != nil } ?? .max
      #expect(reloading < manager.messages.lastIndex { $0["READY"] == "1" } ?? 0)
      #expect(try stage.stop() == .exited(0))
      #expect(manager.latest("STOPPING") == "1" && manager.latest("EXTEND_TIMEOUT_USEC") == "30000000")
      let environments = stage.received.contains { $0.contains("NOTIFY_SOCKET") }
      #expect(!environments)
    }
  }

  @Test func theHealthFileIsThereFromTheStartAndStaysFresh() throws {
    try Stage.play { stage in
      let file = stage.path + "/health"
      try stage.behave("configd", "ok health=\(file)")
      try stage.start()
      try stage.see("the file") { fileExists(file) }
      let old = modified(file)
      try stage.see("a refresh") { modified(file) > old }
    }
  }

  @Test func aSlowOrMadOperatorHarmsNobody() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      let directory = stage.runtime + "/" + (directoryEntries(stage.runtime).first ?? "")
      var idle: [Int32] = []
      for index in 0..<40 {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        _ = SocketAddress.use(directory: directory, name: OperatorSocket.name) { connect(fd, $0, $1) }
        let nonsense = [UInt8](repeating: index.isMultiple(of: 2) ? 65 : 10, count: 100_000)
        _ = nonsense.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        idle.append(fd)
      }
      defer { for fd in idle { close(fd) } }
      #expect(try stage.child("poller").restarts == 0)
      try stage.see("room for a good client", within: .seconds(15)) { try stage.command("health").ending == .exited(0) }
    }
  }

  private func modified(_ path: String) -> Double {
    var status = stat()
    return stat(path, &status) == 0 ? Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9 : 0
  }
}

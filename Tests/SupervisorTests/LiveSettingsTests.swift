import Fixture
import Glibc
import Testing

@testable import Supervisor

/// What a running service does without being asked: it reads its configuration again, watches the log file, refreshes the health file.
@Suite(.serialized) struct LiveSettingsTests {
  @Test func aNaggingChildGetsOneReadingEachTenSecondsAndNobodyIsBothered() throws {
    try Stage.play(["poller": "nag", "configd": "ok workers=2 note=once"]) { stage in
      try stage.start()
      try stage.awaitReady()
      Fixture.pause(.seconds(12))
      let readings = stage.received.count { $0.hasPrefix("configd resolve") }
      #expect((2...3).contains(readings), "\(readings) readings in 12 s")
      #expect(lines(stage, "note=once").count == 1, "a note is repeated though nobody asked")
      #expect(lines(stage, "nothing changed").allSatisfy { $0.contains(" DEBUG: ") })
      try stage.behave("configd", "ok workers=5 note=other password=geheim")
      try stage.see("the new value", within: .seconds(15)) { stage.log.contains("service_poller_workers: 2 → 5 (config dump)") }
      #expect(stage.log.contains("DB_PASSWORD: changed (.env line 2)") && !stage.log.contains("geheim"))
      #expect(lines(stage, "note=other").count == 1)
      #expect(stage.received.contains("poller configure 2 workers=5"))
    }
  }

  @Test func afterAnHourlyReadingThatFailsTheReasonIsSaidOnce() throws {
    try Stage.play(["poller": "nag", "configd": "ok"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.behave("configd", "refuse 3")
      try stage.see("two readings", within: .seconds(30)) { stage.received.count { $0.hasPrefix("configd resolve") } >= 3 }
      Fixture.pause(.milliseconds(300))
      let said = lines(stage, "the configuration is refused")
      #expect(said.count { $0.contains(" ERROR: ") } == 1 && said.count { $0.contains(" DEBUG: ") } >= 1, "\(said)")
      try stage.behave("configd", "wait database: connection refused")
      try stage.see("the wait", within: .seconds(15)) { !lines(stage, "connection refused").isEmpty }
      #expect(lines(stage, "connection refused").allSatisfy { $0.contains(" DEBUG: ") }, "an absent database is said by its users")
      // Whoever asks is answered, and what waits makes way.
      try stage.behave("configd", "ok workers=9")
      let reload = try stage.command("reload")
      #expect(reload.ending == .exited(0), "\(reload)")
    }
  }

  @Test func aReloadThatWasAskedForSaysTheNotesAgain() throws {
    try Stage.play(["configd": "ok note=wrong"]) { stage in
      try stage.start()
      try stage.awaitReady()
      #expect(try stage.command("reload").ending == .exited(0))
      #expect(lines(stage, "note=wrong").count == 2)
    }
  }

  @Test func aSilentLogFileReplacesThePollersChildAndThenEveryChild() throws {
    try Stage.play { stage in
      let file = stage.path + "/librenms.log"
      try writeText("old\n", to: file)
      try stage.behave("configd", "ok every=2 watch=\(file)")
      try stage.start()
      try stage.awaitReady()
      let begin = ContinuousClock.now
      try stage.see("the first bark", within: .seconds(6)) { !lines(stage, "BARK").isEmpty }
      #expect(ContinuousClock.now - begin > .seconds(1), "a whole period first")
      try stage.see("the next poller") { try stage.child("poller").generation == 2 && stage.child("poller").state == "running" }
      #expect(try stage.child("discovery").generation == 1)
      try stage.see("the second bark", within: .seconds(6)) { lines(stage, "BARK").count == 2 }
      try stage.see("every child") { try stage.status().types.filter(\.wanted).allSatisfy { $0.generation >= 2 && $0.state == "running" } }
      try stage.see("the third bark", within: .seconds(6)) { lines(stage, "BARK").count == 3 }
      #expect(lines(stage, "BARK").allSatisfy { $0.contains(" CRITICAL: ") && $0.contains(file) })
      #expect(lines(stage, "BARK").last?.contains("correct log_file") == true)
      #expect(try stage.status().types.allSatisfy { $0.restarts == 0 && !$0.crashLooping }, "a bark is no death")
      try writeText("old\nnew\n", to: file)
      try stage.see("the write", within: .seconds(6)) { stage.log.contains("is written again, after 3 barks") }
      unlink(file)
      try stage.see("the error", within: .seconds(6)) { lines(stage, "the watchdog can't see").count == 1 }
      let generation = try stage.child("poller").generation
      Fixture.pause(.seconds(5))
      #expect(lines(stage, "the watchdog can't see").allSatisfy { $0.contains(" ERROR: ") && $0.contains("No such file") })
      #expect(lines(stage, "the watchdog can't see").count == 1)
      #expect(try stage.child("poller").generation == generation)
    }
  }

  @Test func whatIsNoRegularFileIsNoReasonToBark() throws {
    try Stage.play(["configd": "ok every=1 watch=/dev/null"]) { stage in
      try stage.start()
      try stage.see("the error") { lines(stage, "the watchdog can't see").count == 1 }
      Fixture.pause(.seconds(3))
      #expect(lines(stage, "it is no regular file").count == 1 && lines(stage, "BARK").isEmpty)
    }
  }

  @Test func aChangeThatMakesTheLogQuieterIsSaidAllTheSame() throws {
    try Stage.play(["configd": "ok workers=2"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.behave("configd", "ok workers=3 level=ERROR")
      #expect(try stage.command("reload").ending == .exited(0))
      #expect(lines(stage, "service_poller_workers: 2 → 3").count == 1)
      #expect(lines(stage, "configuration 2 is in force").isEmpty, "from then on it is quiet")
    }
  }

  @Test(arguments: ["poller=off", "workers=0"]) func aNodeThatDoesNotPollDoesNotBark(how: String) throws {
    try Stage.play { stage in
      let file = stage.path + "/librenms.log"
      try writeText("old\n", to: file)
      try stage.behave("configd", "ok every=1 watch=\(file) \(how)")
      try stage.start()
      try stage.awaitReady()
      Fixture.pause(.seconds(4))
      #expect(lines(stage, "BARK").isEmpty)
    }
  }

  @Test func aKnownOutageIsNoReasonToBark() throws {
    try Stage.play(["poller": "outage"]) { stage in
      let file = stage.path + "/librenms.log"
      try writeText("old\n", to: file)
      try stage.behave("configd", "ok every=1 watch=\(file)")
      try stage.start()
      try stage.see("the outage") { try stage.child("poller").outages == ["database"] }
      Fixture.pause(.seconds(4))
      #expect(lines(stage, "BARK").isEmpty)
    }
  }

  @Test func aFileThatCanNotBeWrittenIsSaidOnceEachWay() throws {
    try Stage.play { stage in
      let file = stage.path + "/folder/health"
      try stage.behave("configd", "ok health=\(file)")
      try stage.start()
      try stage.awaitReady()
      try stage.see("the error") { lines(stage, "can't refresh the health file").count == 1 }
      Fixture.pause(.seconds(6))
      #expect(lines(stage, "can't refresh the health file").count == 1)
      mkdir(stage.path + "/folder", 0o755)
      try stage.see("the file", within: .seconds(8)) { fileExists(file) }
      try stage.see("the end of it") { lines(stage, "can be written again").count == 1 }
    }
  }

  @Test func theHealthFileAgesAMinuteAfterTheNodeCanNotPoll() throws {
    try Stage.play { stage in
      let file = stage.path + "/health"
      try stage.behave("configd", "ok health=\(file)")
      try stage.start()
      try stage.awaitReady()
      try stage.see("the file") { fileExists(file) }
      try stage.behave("poller", "outage")
      let began = wallClock()
      try stage.signal("poller", SIGKILL)
      try stage.see("the end of patience", within: .seconds(80)) { stage.log.contains("this node has not polled anything for 60 s") }
      Fixture.pause(.seconds(11))
      let last = modified(file) - began
      #expect(last > 50 && last < 66, "it was refreshed for \(last) s")
      #expect(try stage.command("health").ending == .exited(1))
      try stage.behave("poller", "beats")
      try stage.signal("poller", SIGKILL)
      try stage.see("a refresh", within: .seconds(20)) { modified(file) - began > 71 }
    }
  }

  private func lines(_ stage: Stage, _ part: String) -> [Substring] { stage.log.split(separator: "\n").filter { $0.contains(part) } }

  private func modified(_ path: String) -> Double {
    var status = stat()
    return stat(path, &status) == 0 ? Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9 : 0
  }
}

import Core
import Fixture
import Glibc
import Testing

@testable import Supervisor

/// The base directory and the runtime directory vanish under a running service.
@Suite(.serialized) struct PlaceTests {
  @Test func whoOwnsTheRuntimeDirectoryIsDecidedThere() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      let first = stage.dispatcher?.pid ?? 0
      // `git clean -fdx`: the lock file alone.
      unlink(stage.base + "/.lock.service")
      let cleaned = try stage.command("run")
      #expect(cleaned.ending == .exited(2) && cleaned.errors.contains("process \(first) holds the runtime directory"), "\(cleaned)")
      #expect(cleaned.errors.contains(".lock.service was removed"), "\(cleaned)")
      try stage.see("the lock") { stage.log.contains("it is taken anew") }
      #expect(try stage.command("run").errors.contains("process \(first) holds \(stage.base)/.lock.service"))
      #expect(try stage.status().warnings.isEmpty)

      // A move, or a restored backup: another directory of the same name.
      rename(stage.base, stage.path + "/moved")
      mkdir(stage.base, 0o700)
      let second = try stage.command("run")
      #expect(second.ending == .exited(2) && second.errors.contains("process \(first) holds the runtime directory"), "\(second)")
      #expect(second.errors.contains("that it was started in is gone"), "\(second)")
      try stage.see("the new directory") { try stage.status().warnings.contains { $0.contains("another one has its name") } }
      let health = try stage.command("health")
      #expect(health.ending == .exited(0) && health.output.contains("another one has its name"), "\(health)")

      // Gone for good.
      unlink(stage.base + "/.lock.service")
      rmdir(stage.base)
      try stage.see("the loss") { stage.log.contains("the base directory \(stage.base) is gone") }
      mkdir(stage.base, 0o700)
      try stage.see("its return") { stage.log.contains("is there again") }
      #expect(try stage.status().types.allSatisfy { $0.restarts == 0 })
      #expect(stage.log.split(separator: "\n").count { $0.contains("another one has its name") } <= 2)
    }
  }

  /// What becomes of the runtime directory, and a word that is then logged.
  enum Loss: String, CaseIterable, CustomTestStringConvertible {
    case removed = "rm -rf \"$0\"/*"
    case removedWithItsParent = "rm -rf \"$0\""
    case socketRemoved = "rm \"$0\"/*/control.sock"
    case ownerRemoved = "rm \"$0\"/*/owner"
    case replacedByAnother = "mv \"$0\" \"$0.old\" && cp -a \"$0.old\" \"$0\""
    case replacedByAFile = "rm -rf \"$0\" && echo >\"$0\""
    var testDescription: String { "\(self)" }
  }

  @Test(arguments: Loss.allCases) func aLostRuntimeDirectoryIsMadeAnew(_ loss: Loss) throws {
    try Stage.play { stage in
      // Where the next best place is, if any: not to be left behind.
      let other = "/run/librenms-dispatcher/" + RuntimeDirectory.name(base: stage.base)
      defer { _ = try? Fixture.ChildProcess.run(["rm", "-rf", other]) }
      try stage.start()
      try stage.awaitReady()
      #expect(try Fixture.ChildProcess.run(["sh", "-c", loss.rawValue, stage.runtime]).ending == .exited(0))
      try stage.see("a word of it") { stage.log.contains("was removed under this service: it is ") }
      try stage.see("the way to it") { try stage.status().phase == "working" }
      Fixture.pause(.seconds(1))
      #expect(stage.log.split(separator: "\n").count { $0.contains("was removed under this service") } == 1, "\(stage.log)")
      if loss == .replacedByAFile { #expect(stage.received.contains("poller move \(other)")) }
      #expect(try stage.status().types.allSatisfy { $0.restarts == 0 })
    }
  }

  @Test(
    arguments: [
      (.found(isSame: true), .found(isSame: true), .fine), (.found(isSame: true), .found(isSame: false), .unlocked),
      (.found(isSame: true), .missing, .unlocked), (.found(isSame: true), .unknown, .fine), (.found(isSame: false), .missing, .replaced),
      (.found(isSame: false), .found(isSame: true), .replaced), (.missing, .missing, .gone), (.unknown, .unknown, .fine),
      (.unknown, .missing, .fine),
    ] as [(BaseWatchPolicy.Seen, BaseWatchPolicy.Seen, BaseWatchPolicy.Verdict)])
  func whatItMeans(directory: BaseWatchPolicy.Seen, lock: BaseWatchPolicy.Seen, verdict: BaseWatchPolicy.Verdict) {
    #expect(BaseWatchPolicy.judge(directory: directory, lock: lock) == verdict)
  }

  @Test(arguments: ["", "base", "base x:y\nlock 1", "base 1:2\nlock -\n\0\u{FF}"]) func aRecordIsGossip(text: String) {
    #expect(RuntimeClaim.Record(text).lock == nil)
  }

  @Test func aRecordIsReadAsItWasWritten() {
    let record = RuntimeClaim.Record(base: FileIdentity(device: 1, inode: .max), lock: FileIdentity(device: 3, inode: 4))
    #expect(RuntimeClaim.Record(record.text) == record)
  }
}

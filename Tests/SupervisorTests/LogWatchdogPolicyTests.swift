import Testing

@testable import Supervisor

@Suite struct LogWatchdogPolicyTests {
  typealias Policy = LogWatchdogPolicy

  /// What the file looks like from a second on; nil: it is not there.
  struct Change {
    var at: Int
    var stamp: Int?
  }

  private static func stamp(_ number: Int) -> Policy.Stamp { Policy.Stamp(inode: 7, size: Int64(number), seconds: 0, nanoseconds: 0) }

  private static func describe(_ action: Policy.Action) -> String {
    switch action {
    case .bark(let round, let silence): "bark \(round) after \(silence.components.seconds)"
    case .sayMissing(let why): "missing: \(why)"
    case .sayFound: "found"
    case .sayWritten(let rounds): "written after \(rounds)"
    case .sayStuck: "stuck"
    case .sayUnstuck: "unstuck"
    }
  }

  /// Turns once a second and answers each look at once; "second: action".
  private static func play(
    _ policy: inout Policy, _ file: [Change], from first: Int = 0, to last: Int, excused: ClosedRange<Int>? = nil
  ) -> [String] {
    var said: [String] = []
    for second in first...last {
      let turn = policy.turn(now: .seconds(second))
      var actions = turn.actions
      if let path = turn.path {
        let found = file.last { $0.at <= second }?.stamp
        let finding = found.map { Policy.Finding.file(stamp($0)) } ?? .missing("no such file")
        actions += policy.looked(path, finding, excused: excused?.contains(second) ?? false)
      }
      said += actions.map { "\(second): \(describe($0))" }
    }
    return said
  }

  private static func watching(_ period: Int = 10) -> Policy {
    var policy = Policy()
    policy.configure(Policy.Watch(path: "/log", period: .seconds(period)), now: .zero)
    return policy
  }

  @Test(
    arguments: [
      ("an old file has a whole period after the start", [(0, 1)], 9, nil, []),
      (
        "nobody writes: the poller, then every child, once per period",
        [(0, 1)], 39, nil, ["10: bark 1 after 10", "20: bark 2 after 20", "30: bark 3 after 30"]
      ),
      ("written in every period", [(0, 1), (9, 2), (11, 3), (29, 4)], 39, nil, []),
      ("a write in the second of the look counts for the next period", [(0, 1), (10, 2)], 20, nil, ["20: bark 1 after 10"]),
      (
        "the first replacement has helped", [(0, 1), (15, 2)], 30, nil,
        ["10: bark 1 after 10", "20: written after 1", "30: bark 1 after 10"]
      ),
      ("missing is said once and is no bark", [(0, nil)], 40, nil, ["0: missing: no such file"]),
      (
        "it came and went", [(0, nil), (5, 1), (15, nil), (35, 2)], 45, nil,
        ["0: missing: no such file", "10: found", "20: missing: no such file", "40: found"]
      ),
      (
        "gone in the middle of the barks", [(0, 1), (15, nil), (25, 1)], 40, nil,
        ["10: bark 1 after 10", "20: missing: no such file", "30: found", "40: bark 1 after 10"]
      ),
      (
        "an outage explains the silence, and a whole period after it is given", [(0, 1)], 50, 5...35,
        ["40: bark 1 after 10", "50: bark 2 after 20"]
      ),
    ] as [(String, [(Int, Int?)], Int, ClosedRange<Int>?, [String])])
  func itBarksWhenNobodyHasWrittenForAPeriod(
    name: String, file: [(Int, Int?)], last: Int, excused: ClosedRange<Int>?, expected: [String]
  ) {
    var policy = Self.watching()
    let said = Self.play(&policy, file.map { Change(at: $0.0, stamp: $0.1) }, to: last, excused: excused)
    #expect(said == expected, "\(name)")
  }

  @Test(arguments: [
    Policy.Stamp(inode: 8, size: 1, seconds: 0, nanoseconds: 0), Policy.Stamp(inode: 7, size: 0, seconds: 0, nanoseconds: 0),
    Policy.Stamp(inode: 7, size: 1, seconds: -5, nanoseconds: 0), Policy.Stamp(inode: 7, size: 1, seconds: 0, nanoseconds: 1),
  ])
  func aRotatedOrRewrittenFileCountsAsWrittenWhateverItsTimeSays(other: Policy.Stamp) {
    var policy = Self.watching()
    var said = Self.play(&policy, [Change(at: 0, stamp: 1)], to: 9)
    let path = policy.turn(now: .seconds(10)).path
    said += policy.looked(path ?? "", .file(other), excused: false).map(Self.describe)
    #expect(path == "/log" && said == [])
  }

  @Test func aPausedMachineIsNoSilence() {
    var policy = Self.watching()
    let before = Self.play(&policy, [Change(at: 0, stamp: 1)], to: 5)
    policy.shift(by: .seconds(600))
    let after = Self.play(&policy, [Change(at: 0, stamp: 1)], from: 606, to: 619)
    #expect(before + after == ["610: bark 1 after 10"])
  }

  @Test func whatIsWatchedAnewHasAWholePeriod() {
    var policy = Self.watching()
    let file = [Change(at: 0, stamp: 1)]
    var said = Self.play(&policy, file, to: 15)
    policy.configure(Policy.Watch(path: "/log", period: .seconds(10)), now: .seconds(15))
    said += Self.play(&policy, file, from: 16, to: 22)
    policy.configure(Policy.Watch(path: "/log", period: .seconds(4)), now: .seconds(22))
    said += Self.play(&policy, file, from: 23, to: 30)
    policy.configure(Policy.Watch(path: "/other", period: .seconds(4)), now: .seconds(30))
    said += Self.play(&policy, file, from: 31, to: 33)
    policy.configure(nil, now: .seconds(33))
    said += Self.play(&policy, file, from: 34, to: 60)
    #expect(said == ["10: bark 1 after 10", "20: bark 2 after 20", "27: bark 1 after 4"])
    #expect(policy.watch == nil)
  }

  @Test func aLookThatHangsIsSaidOnceAndNeverABark() {
    var policy = Self.watching()
    let first = policy.turn(now: .zero)
    var said = policy.looked("/log", .file(Self.stamp(1)), excused: false)
    let hanging = policy.turn(now: .seconds(10))
    for second in 11...60 { said += policy.turn(now: .seconds(second)).actions }
    #expect(first.path == "/log" && hanging.path == "/log" && said == [.sayStuck])
    // It began at 10 s and saw an unchanged file.
    let late = policy.looked("/log", .file(Self.stamp(1)), excused: false)
    #expect(late == [.sayUnstuck, .bark(round: 1, silentFor: .seconds(10))])
  }

  @Test func theAnswerToAnOldQuestionIsNotUsed() {
    var policy = Self.watching()
    _ = policy.turn(now: .zero)
    policy.configure(Policy.Watch(path: "/other", period: .seconds(10)), now: .seconds(5))
    let unanswered = policy.turn(now: .seconds(5)).path
    let said = policy.looked("/log", .missing("gone"), excused: false)
    #expect(unanswered == nil && said == [])
    #expect(policy.turn(now: .seconds(40)).path == "/other")
  }

  @Test func aLookThatCouldNotBeMadeIsTriedAPeriodLater() {
    var policy = Self.watching()
    _ = policy.turn(now: .zero)
    policy.lookFailed()
    let early = policy.turn(now: .seconds(9)).path
    let next = policy.turn(now: .seconds(10)).path
    #expect(early == nil && next == "/log")
  }
}

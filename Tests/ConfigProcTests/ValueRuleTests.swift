import Core
import Testing

@testable import ConfigProc

@Suite struct ValueRuleTests {
  /// What a rule said, comparable.
  enum Said<Value: Equatable & Sendable>: Equatable, Sendable {
    case missing, wrong
    case good(Value)

    init(_ judgement: Judgement<Value>) {
      switch judgement {
      case .missing: self = .missing
      case .good(let value): self = .good(value)
      case .wrong: self = .wrong
      }
    }
  }

  @Test(
    arguments: [
      (.null, .missing), (.string(""), .missing), (.string("  "), .missing), (.int(5), .good(5)), (.string("5"), .good(5)),
      (.string(" 5 "), .good(5)), (.double(5), .good(5)), (.double(5.5), .wrong), (.string("5.5"), .wrong), (.string("abc"), .wrong),
      (.string("5s"), .wrong), (.string("99999999999999999999"), .wrong), (.int(0), .wrong), (.int(11), .wrong), (.string("-1"), .wrong),
      (.bool(true), .wrong), (.array([.int(5)]), .wrong), (.object([:]), .wrong), (.double(.infinity), .wrong),
    ] as [(JSONValue, Said<Int>)])
  func numbersMayBeTextAndStayInTheirRange(raw: JSONValue, expected: Said<Int>) {
    #expect(Said(ValueRule<Int>.integer(1...10).judge(raw)) == expected)
  }

  @Test(
    arguments: [
      (.null, .missing), (.string(""), .missing), (.bool(true), .good(true)), (.bool(false), .good(false)), (.int(1), .good(true)),
      (.int(0), .good(false)), (.int(2), .wrong), (.string("1"), .good(true)), (.string("0"), .good(false)), (.string("true"), .good(true)),
      (.string("False"), .good(false)), (.string("yes"), .good(true)), (.string("off"), .good(false)), (.string("maybe"), .wrong),
      (.double(1), .good(true)), (.double(0.5), .wrong), (.array([]), .wrong),
    ] as [(JSONValue, Said<Bool>)])
  func flagsAreZeroOneTrueFalse(raw: JSONValue, expected: Said<Bool>) {
    #expect(Said(ValueRule<Bool>.flag.judge(raw)) == expected)
  }

  @Test(
    arguments: [
      (.null, .missing, .missing, .missing), (.string(""), .missing, .missing, .good("")),
      (.string("  "), .good("  "), .missing, .good("  ")),
      (.string(" a b "), .good(" a b "), .good("a b"), .good(" a b ")), (.int(7), .good("7"), .good("7"), .good("7")),
      (.bool(true), .wrong, .wrong, .wrong), (.object([:]), .wrong, .wrong, .wrong),
    ] as [(JSONValue, Said<String>, Said<String>, Said<String>)])
  func onlyAPasswordCanBeEmpty(raw: JSONValue, text: Said<String>, trimmed: Said<String>, password: Said<String>) {
    #expect(Said(ValueRule<String>.text.judge(raw)) == text)
    #expect(Said(ValueRule<String>.trimmedText.judge(raw)) == trimmed)
    #expect(Said(ValueRule<String>.password.judge(raw)) == password)
  }

  @Test(
    arguments: [
      (.int(0), [0]), (.int(7), [7]), (.int(-1), nil), (.string("0"), [0]), (.string("1,2"), [1, 2]), (.string(" 3 , 1,3 "), [3, 1]),
      (.string(""), nil), (.string("1,"), nil), (.string("1,x"), nil), (.string("1,-2"), nil), (.string("1;2"), nil), (.string("1 2"), nil),
      (.string("1\t,\n2"), [1, 2]), (.double(1), nil),
      (.bool(true), nil), (.array([.int(1)]), nil),
    ] as [(JSONValue, [Int]?)])
  func groupsAreAllReadOrNone(raw: JSONValue, expected: [Int]?) {
    #expect(PollerGroupList.parse(raw) == expected)
  }

  @Test(
    arguments: [
      (.string("DEBUG"), .debug), (.string("info"), .info), (.string(" Warning "), .warning), (.string("warn"), .warning),
      (.string("ERROR"), .error), (.string("critical"), .critical), (.string("fatal"), .critical), (.int(10), .debug),
      (.string("20"), .info),
      (.int(30), .warning), (.int(40), .error), (.int(50), .critical), (.int(15), .info), (.int(0), nil), (.int(51), nil), (.int(-10), nil),
      (.string("loud"), nil), (.string("2 0"), nil), (.bool(true), nil),
    ] as [(JSONValue, LogLevel?)])
  func levelsAreNamesInAnyCaseOrPythonsNumbers(raw: JSONValue, expected: LogLevel?) {
    #expect(LogLevel(python: raw) == expected)
  }

  @Test(
    arguments: [
      (nil, .legacy), ("", .legacy), ("legacy", .legacy), ("dispatcher", .decided(enabled: true)), ("cron", .decided(enabled: false)),
      ("Dispatcher", .decided(enabled: false)), ("true", .decided(enabled: false)),
    ] as [(String?, ScheduleTypePolicy)])
  func onlyTheDispatchersOwnNameEnables(word: String?, expected: ScheduleTypePolicy) {
    #expect(ScheduleTypePolicy(word: word) == expected)
  }

  @Test func waitsDoubleUpToAMinute() {
    var backOff = BackOff()
    #expect((0..<8).map { _ in backOff.wait() } == [1, 2, 4, 8, 16, 32, 60, 60].map { Duration.seconds($0) })
    backOff.reset()
    #expect(backOff.wait() == .seconds(1))
  }
}

import CLinuxShims
import Core
import Simulation
import Testing

@Suite struct EventLoopTests {
  private let poller = SimulatedPoller()
  private let loop: EventLoop

  init() { loop = EventLoop(poller: poller, generator: SeededGenerator(seed: 1)) }

  @Test func waitingIsAJumpToTheNextTimer() throws {
    let start = loop.now
    var fired: [Duration] = []
    for minutes in [60, 1, 5] { loop.schedule(after: .seconds(60 * minutes)) { fired.append(loop.now - start) } }
    for _ in 0..<3 { try loop.turn() }
    #expect(fired == [.seconds(60), .seconds(300), .seconds(3600)])
  }

  @Test func timersOfTheSameMomentFireInTheOrderInWhichTheyWereSetAndBeforeTheWorkAfterTheTurn() throws {
    var order: [String] = []
    loop.schedule(after: .seconds(1)) {
      order.append("first")
      loop.afterTurn { order.append("after") }
    }
    loop.schedule(after: .seconds(1)) { order.append("second") }
    try loop.turn()
    #expect(order == ["first", "second", "after"])
  }

  @Test func workAfterTheTurnThatAsksForMoreDoesNotWaitForATimer() throws {
    let start = loop.now
    var turns = 0
    func again() {
      turns += 1
      if turns < 3 { loop.afterTurn(again) }
    }
    loop.afterTurn(again)
    loop.schedule(after: .seconds(9)) {}
    for _ in 0..<3 { try loop.turn() }
    #expect(turns == 3)
    #expect(loop.now == start)
  }

  @Test func aDescriptorThatAnEarlierHandlerOfTheTurnHasClosedIsNotHeardOf() throws {
    var heard: [Int32] = []
    try loop.watch(4, for: .readable) { _ in
      heard.append(4)
      loop.unwatch(5)
    }
    try loop.watch(5, for: .readable) { _ in heard.append(5) }
    poller.signal(4, .readable)
    poller.signal(5, .readable)
    try loop.turn()
    #expect(heard == [4])
  }

  /// The number of a closed descriptor may be another's in the same turn: what was reported was for the old one.
  @Test func aDescriptorThatWasOpenedInTheSameTurnIsNotHeardOfUntilTheNext() throws {
    var heard: [String] = []
    try loop.watch(4, for: .readable) { _ in
      loop.unwatch(5)
      #expect(throws: Never.self) { try loop.watch(5, for: .readable) { _ in heard.append("new") } }
    }
    try loop.watch(5, for: .readable) { _ in heard.append("old") }
    poller.signal(4, .readable)
    poller.signal(5, .readable)
    try loop.turn()
    #expect(heard.isEmpty)
    poller.signal(5, .readable)
    try loop.turn()
    #expect(heard == ["new"])
  }

  @Test func aStopEndsTheTurnBeforeWhatFollows() throws {
    var heard: [String] = []
    try loop.watch(4, for: .readable) { _ in
      heard.append("4")
      loop.stop()
    }
    try loop.watch(5, for: .readable) { _ in heard.append("5") }
    loop.schedule(after: .zero) { heard.append("timer") }
    poller.signal(4, .readable)
    poller.signal(5, .readable)
    try loop.run()
    #expect(heard == ["4"])
    #expect(loop.isStopped)
  }

  @Test func aCancelledTimerDoesNotWakeTheLoop() throws {
    let start = loop.now
    let token = loop.schedule(after: .seconds(1)) { Issue.record("it was cancelled") }
    loop.schedule(after: .seconds(5)) {}
    loop.cancel(token)
    try loop.turn()
    #expect(loop.now - start == .seconds(5))
  }

  @Test func theWallClockMayBeSteppedAndTimersDoNotCare() throws {
    var fired = 0
    loop.schedule(after: .seconds(10)) { fired += 1 }
    poller.wallOffset -= .seconds(864_000)
    try loop.turn()
    #expect(fired == 1)
    #expect(loop.wall < .seconds(1_750_000_000))
  }

  @Test func readinessHasTheKernelsValues() {
    #expect(Readiness.readable.rawValue == UInt32(SHIM_READABLE))
    #expect(Readiness.writable.rawValue == UInt32(SHIM_WRITABLE))
    #expect(Readiness.failed.rawValue == UInt32(SHIM_ERROR) | UInt32(SHIM_HANGUP))
  }

  @Test func diceOfTheSameSeedFallAlike() {
    let other = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: 1))
    let rolls = (0..<20).map { _ in loop.random(in: 0...1_000_000) }
    #expect(rolls == (0..<20).map { _ in other.random(in: 0...1_000_000) })
    #expect(Set(rolls).count > 15)
  }
}

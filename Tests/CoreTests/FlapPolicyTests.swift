import Core
import Simulation
import Testing

@Suite struct FlapPolicyTests {
  private struct Outage {
    var begin: Int
    var length: Int
    var cause = ""
  }

  private func said(_ outages: [(Int, Int)], end: Int) -> [String] {
    said(outages.map { Outage(begin: $0.0, length: $0.1) }, end: end)
  }

  /// What is said of outages that begin at these moments and last so long, looked at each half second until `end`; times in ms.
  private func said(_ outages: [Outage], end: Int) -> [String] {
    var policy = FlapPolicy()
    var lines: [String] = []
    var events: [(at: Int, cause: String?)] = [(0, nil)]
    for outage in outages { events += [(outage.begin, outage.cause), (outage.begin + outage.length, nil)] }
    for moment in stride(from: 0, through: end, by: 500) {
      while let event = events.first, event.at <= moment {
        events.removeFirst()
        let saying = policy.saw(away: event.cause != nil, cause: event.cause ?? "", at: .milliseconds(event.at))
        note(saying, event.cause.map { $0.isEmpty ? "away" : $0 } ?? "back", &lines)
      }
      note(policy.look(at: .milliseconds(moment)), "", &lines)
    }
    return lines
  }

  private func note(_ saying: FlapPolicy.Saying?, _ state: String, _ lines: inout [String]) {
    switch saying {
    case nil: break
    case .change: lines.append(state)
    case .begun: lines.append("\(state), counted from now on")
    case .lasting(let outages): lines.append("\(outages) more")
    case .over(let outages): lines.append("over after \(outages)")
    }
  }

  @Test func anOutageIsSaidEachWay() {
    #expect(said([(10_000, 8000)], end: 100_000) == ["back", "away", "back"])
  }

  @Test func outagesThatAreFarEnoughApartAreAllSaid() {
    let lines = said((1...10).map { ($0 * 20_000, 5000) }, end: 300_000)
    #expect(lines.count == 21 && !lines.contains { $0.contains("count") || $0.contains("over") })
  }

  /// Cut every 1.5 s for 40 s.
  @Test func ofAConnectionThatIsCutAgainAndAgainTwoAreSaidAndTheRestIsCounted() {
    let lines = said((0..<27).map { (10_000 + $0 * 1500, 700) }, end: 120_000)
    #expect(lines == ["back", "away", "back", "away", "back", "away, counted from now on", "over after 25"])
  }

  @Test func flappingThatLastsIsSaidOnceAMinute() {
    let lines = said((0..<600).map { (10_000 + $0 * 1000, 500) }, end: 700_000)
    #expect(lines.count { $0.hasSuffix(" more") } == 10)
    #expect(lines.count == 6 + 10 + 1 && lines.contains("60 more") && lines.last == "over after 598")
  }

  @Test func whatStaysAwayIsSaidAfterTenSecondsAndItsEndIsAnOrdinaryOne() {
    let cuts = (0..<4).map { (10_000 + $0 * 1000, 500) }
    let lines = said(cuts + [(14_000, 30_000)], end: 100_000)
    #expect(lines.suffix(2) == ["over after 3", "back"])
  }

  @Test func theSameStateSeenAgainIsNothing() {
    var policy = FlapPolicy()
    #expect(policy.saw(away: true, at: .zero) == .change)
    for second in 1...100 { #expect(policy.saw(away: true, at: .seconds(second)) == nil) }
  }

  @Test func anOutageOfAnotherCauseIsSaidAtOnceWhateverIsBeingCounted() {
    let resets = (0..<5).map { Outage(begin: 10_000 + $0 * 1500, length: 700, cause: "reset") }
    let refused = (0..<4).map { Outage(begin: 18_000 + $0 * 1500, length: 700, cause: "refused") }
    #expect(
      said(resets + refused, end: 120_000) == [
        "back", "reset", "back", "reset", "back", "reset, counted from now on", "refused", "back", "refused", "back",
        "refused, counted from now on", "over after 5",
      ])
  }

  @Test func causesThatTakeTurnsHaveTwoLinesEachWayEach() {
    let names = ["reset", "refused", "loading"]
    let lines = said((0..<60).map { Outage(begin: 10_000 + $0 * 1000, length: 400, cause: names[$0 % 3]) }, end: 80_000)
    for name in names { #expect(lines.count { $0 == name } == 2 && lines.count { $0.hasPrefix(name + ",") } == 1, "\(lines)") }
    #expect(lines.count { $0 == "back" } == 7 && lines.count == 17 && lines.last == "51 more", "\(lines)")
  }

  /// A server whose error has another text each time.
  @Test func causesWithoutEndAreToldApartUpToANumber() {
    let lines = said((0..<200).map { Outage(begin: 10_000 + $0 * 1000, length: 400, cause: "error \($0)") }, end: 300_000)
    let away = lines.filter { $0.hasPrefix("error ") }
    // One of each of the first causes, again after a minute, and of all others two and the one that begins the counting.
    #expect(away.count { !$0.contains("counted") } <= FlapPolicy.causes * 4 + 2 && away.count { $0.contains("counted") } == 1, "\(lines)")
    #expect(lines.last?.hasPrefix("over after 1") == true, "\(lines)")
  }

  @Test func aCauseThatIsLongPastMakesPlaceForAnother() {
    let old = (0..<FlapPolicy.causes).map { Outage(begin: 10_000 + $0 * 1000, length: 400, cause: "old \($0)") }
    let new = (0..<FlapPolicy.causes).flatMap { cause in
      (0..<2).map { Outage(begin: 100_000 + (cause * 2 + $0) * 1000, length: 400, cause: "new \(cause)") }
    }
    let lines = said(old + new, end: 200_000)
    #expect(lines.count == 1 + 2 * (old.count + new.count) && !lines.contains { $0.contains("count") }, "\(lines)")
  }

  @Test func anOutageThatWasCountedIsSaidWhenItShowsAnotherCause() {
    var policy = FlapPolicy()
    for second in [0, 2, 4] {
      _ = policy.saw(away: true, cause: "reset", at: .seconds(second))
      _ = policy.saw(away: false, at: .seconds(second + 1))
    }
    #expect(policy.saw(away: true, cause: "reset", at: .seconds(6)) == nil)
    #expect(policy.saw(away: true, cause: "reset", at: .seconds(7)) == nil)
    #expect(policy.saw(away: true, cause: "refused", at: .seconds(8)) == .change)
    #expect(policy.saw(away: true, cause: "timed out", at: .seconds(9)) == nil, "it has been said that it is away")
    #expect(policy.saw(away: false, at: .seconds(10)) == .change)
    #expect(policy.look(at: .seconds(30)) == .over(outages: 1))
  }

  /// A cause that is over while another goes on with a line for each outage.
  @Test func whatIsOverIsNotCountedOnAndOn() {
    let resets = (0..<10).map { Outage(begin: 10_000 + $0 * 1000, length: 400, cause: "reset") }
    let refused = (0..<12).map { Outage(begin: 20_000 + $0 * 20_000, length: 5000, cause: "refused") }
    let lines = said(resets + refused + [Outage(begin: 262_000, length: 400, cause: "reset")], end: 270_000)
    #expect(lines.count { $0 == "refused" } == 12 && lines.suffix(2) == ["reset", "back"], "\(lines)")
    #expect(lines.filter { $0.hasSuffix(" more") } == ["7 more"])
  }

  /// Whatever happens within a minute: per cause two lines each way, one more each way for 20 s of it, one that begins the counting; and one
  /// line about the numbers, or its end, now and then.
  @Test(arguments: UInt64(0)..<50) func theLinesOfAMinuteHaveABound(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var policy = FlapPolicy()
    var lines = 0
    var moment = 0
    while moment < 60_000 {
      moment += Int.random(in: 1...900, using: &random)
      let cause = "cause \(Int.random(in: 0..<20, using: &random))"
      if policy.saw(away: Bool.random(using: &random), cause: cause, at: .milliseconds(moment)) != nil { lines += 1 }
      if policy.look(at: .milliseconds(moment)) != nil { lines += 1 }
    }
    #expect(lines <= (FlapPolicy.causes + 1) * (2 * (2 + 3) + 1) + 4)
    #expect(policy.isCounting)
  }

  @Test func anEventIsSaidTwiceAndThenOnceAMinuteWithItsNumber() {
    var policy = RepeatPolicy()
    let said = (0..<200).compactMap { policy.happened(at: .seconds($0)) }
    #expect(said.prefix(2) == [1, 1] && said.count == 5 && said[2...].allSatisfy { $0 >= 59 })
  }
}

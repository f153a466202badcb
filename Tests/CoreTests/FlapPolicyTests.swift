import Core
import Testing

@Suite struct FlapPolicyTests {
  /// What is said of outages that begin at these moments and last so long, looked at each half second until `end`; times in ms.
  private func said(_ outages: [(Int, Int)], end: Int) -> [String] {
    var policy = FlapPolicy()
    var lines: [String] = []
    var events: [(at: Int, away: Bool)] = [(0, false)]
    for (begin, length) in outages { events += [(begin, true), (begin + length, false)] }
    for moment in stride(from: 0, through: end, by: 500) {
      while let event = events.first, event.at <= moment {
        events.removeFirst()
        note(policy.saw(away: event.away, at: .milliseconds(event.at)), event.away ? "away" : "back", &lines)
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

  @Test func anEventIsSaidTwiceAndThenOnceAMinuteWithItsNumber() {
    var policy = RepeatPolicy()
    let said = (0..<200).compactMap { policy.happened(at: .seconds($0)) }
    #expect(said.prefix(2) == [1, 1] && said.count == 5 && said[2...].allSatisfy { $0 >= 59 })
  }
}

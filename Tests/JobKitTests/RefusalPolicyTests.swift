import Testing

@testable import JobKit

@Suite struct RefusalPolicyTests {
  @Test func whatPassesIsAskedAgainWithinTwoSecondsAndSaidIfItLasts() {
    var policy = RefusalPolicy()
    var said: [Int] = []
    for second in 0...90 {
      let answer = policy.refused(isTransient: true, at: .seconds(second), random: Double(second % 10) / 10)
      #expect(answer.pause >= .seconds(1) && answer.pause < .seconds(2))
      if answer.isSaid { said.append(second) }
    }
    #expect(said == [10, 70])
    let (first, second) = (policy.worked(), policy.worked())
    #expect(first && !second, "the end is said once")
  }

  @Test func whatWasInterruptedOnceIsNotSaid() {
    var policy = RefusalPolicy()
    for second in stride(from: 0, to: 600, by: 20) {
      let answer = policy.refused(isTransient: true, at: .seconds(second), random: 0)
      let ended = policy.worked()
      #expect(!answer.isSaid && !ended)
    }
  }

  @Test func whatLastsIsSaidAtOnceAndAskedRarely() {
    var policy = RefusalPolicy()
    let answers = (0..<4).map { policy.refused(isTransient: false, at: .seconds($0 * 30), random: 0.5) }
    #expect(answers.allSatisfy { $0.pause == .seconds(30) })
    #expect(answers.map(\.isSaid) == [true, false, true, false])
  }
}

import Testing

@testable import JobKit

@Suite struct CanaryKeyTests {
  private typealias Finding = CanaryKey.Finding

  /// Every value before with every value after.
  @Test(arguments: [nil, "a", "b"], [nil, "a", "b"]) func whatAReadingShows(before: String?, after: String?) {
    var key = CanaryKey()
    _ = key.readAtJoin(before)
    let isLoss = before != nil && before != after
    var other = key
    let answer1 = key.readAtJoin(after)
    #expect(answer1 == Finding(isLoss: isLoss, isEmpty: after == nil))
    #expect(key.value == after)
    // Until a leader has set the key it is missing each second.
    let answer2 = other.readInPassing(after)
    #expect(answer2 == (before == nil && after == nil ? Finding() : Finding(isLoss: isLoss, isEmpty: after == nil)))
    #expect(other.value == after)
  }

  @Test func aNewConnectionTellsNothingOfTheLast() {
    var key = CanaryKey()
    _ = key.readAtJoin("a")
    key.forget()
    let answer3 = key.readAtJoin("b")
    #expect(answer3 == Finding())
  }
}

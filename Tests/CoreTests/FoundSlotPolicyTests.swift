import Core
import Testing

@Suite struct FoundSlotPolicyTests {
  private typealias Policy = FoundSlotPolicy

  @Test func everyStateOfAWholeSlotHasItsAction() {
    let expected: [(SlotWord.State, Policy.Action)] = [
      (.free, .nothing), (.starting, .takeAway), (.running, .watch), (.ended, .judge), (.aborted, .requeue), (.quarantined, .quarantine),
    ]
    for (state, action) in expected {
      for integrity in [SlotIntegrity.whole, .unsealed] where state != .free {
        for lives in [true, false] {
          #expect(Policy.action(state, integrity, hasPid: true, processLives: lives) == action, "\(state) \(integrity)")
        }
      }
    }
  }

  @Test func freeSlotsAreFreeWhateverTheirOldBytesAre() {
    for integrity in [SlotIntegrity.whole, .newer, .unsealed, .garbage] {
      #expect(Policy.action(.free, integrity, hasPid: false, processLives: false) == .nothing)
    }
  }

  @Test(arguments: [SlotWord.State.free, .starting, .running, .ended, .aborted, .quarantined, nil])
  func garbageIsHeldWhileItNamesALivingProcessAndReleasedOtherwise(_ state: SlotWord.State?) {
    #expect(Policy.action(state, .garbage, hasPid: true, processLives: true) == .hold)
    #expect(Policy.action(state, .garbage, hasPid: true, processLives: false) == .release)
  }

  @Test func whatOnlyALaterVersionKnowsIsLeftToIt() {
    #expect(Policy.action(nil, .newer, hasPid: true, processLives: false) == .leaveToNewer)
  }
}

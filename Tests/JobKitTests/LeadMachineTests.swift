import Core
import Testing

@testable import JobKit

private enum Event: CaseIterable {
  case turn, joined, claimed, refused, sawOwner, sawFree, becameUnfit, becameFit, retire, lost, foundEmpty

  /// `now`: 10 s; every situation began at 1 s.
  func apply(to machine: inout LeadMachine) -> LeadMachine.Action? {
    let now = Duration.seconds(10)
    switch self {
    case .turn: return machine.turn(at: now)
    case .joined: return machine.joined(at: now)
    case .claimed: return machine.claimed(asked: now)
    case .refused: machine.refused(by: "other")
    case .sawOwner: machine.saw(owner: "other", at: now)
    case .sawFree: machine.saw(owner: nil, at: now)
    case .becameUnfit: machine.change(isFit: false, jitter: .zero)
    case .becameFit: machine.change(isFit: true, jitter: .zero)
    case .retire: machine.retire()
    case .lost: machine.lost()
    case .foundEmpty: machine.foundEmptyServer(at: now)
    }
    return nil
  }
}

/// Every situation a machine can be in.
private enum Situation: CaseIterable {
  case unknown, following, leading, resigning
  case unfitUnknown, unfitFree, unfitFreeForLong, unfitFollowing, unfitLeading
  case retiredUnknown, retiredFree, retiredFollowing, retiredResigning

  /// How it comes about.
  var machine: LeadMachine {
    var machine = LeadMachine()
    switch self {
    case .unknown: break
    case .following: machine.refused(by: "other")
    case .leading: _ = machine.claimed(asked: .seconds(1))
    case .resigning:
      _ = machine.claimed(asked: .seconds(1))
      machine.change(isFit: false, jitter: .zero)
    case .unfitUnknown: machine.change(isFit: false, jitter: .zero)
    case .unfitFree, .unfitFreeForLong:
      machine.change(isFit: false, jitter: .zero)
      machine.saw(owner: nil, at: self == .unfitFree ? .seconds(9) : .seconds(1))
    case .unfitFollowing:
      machine.change(isFit: false, jitter: .zero)
      machine.refused(by: "other")
    case .unfitLeading:
      machine.change(isFit: false, jitter: .zero)
      _ = machine.claimed(asked: .seconds(1))
    case .retiredUnknown: machine.retire()
    case .retiredFree:
      machine.retire()
      machine.saw(owner: nil, at: .seconds(1))
    case .retiredFollowing:
      machine.refused(by: "other")
      machine.retire()
    case .retiredResigning:
      _ = machine.claimed(asked: .seconds(1))
      machine.retire()
    }
    return machine
  }
}

private typealias State = LeadMachine.State
private typealias Fitness = LeadMachine.Fitness

private let unknown = State.unknown(freeSince: nil)
private let freeNow = State.unknown(freeSince: .seconds(10))
private let freeBefore = State.unknown(freeSince: .seconds(1))
private let following = State.following(leader: "other")
private let leading = State.leading(since: .seconds(1), renewedAt: .seconds(1))
private let renewed = State.leading(since: .seconds(1), renewedAt: .seconds(10))
private let newLead = State.leading(since: .seconds(10), renewedAt: .seconds(10))
private let yielding = Fitness.yielding(patience: LeadMachine.courtesy)
private let claim = LeadMachine.Action.claim(number: 1)

private struct Row {
  var on: Event
  /// nil = as before.
  var to: State?
  var fitness: Fitness?
  var action: LeadMachine.Action?
}

/// What every state does alike, unless its own table has another row: who holds the lock is believed, and a lost connection ends all that is known.
private let common = [
  Row(on: .refused, to: following), Row(on: .sawOwner, to: following), Row(on: .lost, to: unknown),
]

private let table: [Situation: [Row]] = [
  .unknown: [
    Row(on: .turn, action: claim), Row(on: .joined, action: claim), Row(on: .claimed, to: newLead), Row(on: .sawFree, to: freeNow),
    Row(on: .becameUnfit, fitness: yielding), Row(on: .retire, fitness: .retired),
  ],
  .following: [
    Row(on: .turn, action: claim), Row(on: .joined, action: claim), Row(on: .claimed, to: newLead), Row(on: .sawFree, to: freeNow),
    Row(on: .becameUnfit, fitness: yielding), Row(on: .retire, fitness: .retired),
  ],
  .leading: [
    Row(on: .turn, action: claim), Row(on: .joined, action: claim), Row(on: .claimed, to: renewed), Row(on: .sawFree, to: freeNow),
    Row(on: .becameUnfit, to: .resigning, fitness: yielding), Row(on: .retire, to: .resigning, fitness: .retired),
  ],
  .resigning: [
    Row(on: .turn, to: unknown, action: .abdicate), Row(on: .claimed, to: unknown, action: .abdicate), Row(on: .sawFree, to: freeNow),
    Row(on: .becameFit, fitness: .fit), Row(on: .retire, fitness: .retired),
  ],
  .unfitUnknown: [
    Row(on: .turn, action: .look), Row(on: .claimed, to: newLead), Row(on: .sawFree, to: freeNow), Row(on: .becameFit, fitness: .fit),
    Row(on: .retire, fitness: .retired),
  ],
  .unfitFree: [
    Row(on: .turn, action: .look), Row(on: .claimed, to: newLead), Row(on: .becameFit, to: unknown, fitness: .fit),
    Row(on: .retire, fitness: .retired),
  ],
  .unfitFreeForLong: [
    Row(on: .turn, action: claim), Row(on: .joined, action: claim), Row(on: .claimed, to: newLead),
    Row(on: .becameFit, to: unknown, fitness: .fit), Row(on: .retire, fitness: .retired),
  ],
  .unfitFollowing: [
    Row(on: .turn, action: .look), Row(on: .claimed, to: newLead), Row(on: .sawFree, to: freeNow), Row(on: .becameFit, fitness: .fit),
    Row(on: .retire, fitness: .retired),
  ],
  .unfitLeading: [
    Row(on: .turn, action: claim), Row(on: .joined, action: claim), Row(on: .claimed, to: renewed), Row(on: .sawFree, to: freeNow),
    Row(on: .becameFit, fitness: .fit), Row(on: .retire, to: .resigning, fitness: .retired),
  ],
  .retiredUnknown: [
    Row(on: .turn, action: .look), Row(on: .claimed, to: unknown, action: .abdicate), Row(on: .sawFree, to: freeNow),
  ],
  .retiredFree: [Row(on: .turn, action: .look), Row(on: .claimed, to: unknown, action: .abdicate)],
  .retiredFollowing: [
    Row(on: .turn, action: .look), Row(on: .claimed, to: unknown, action: .abdicate), Row(on: .sawFree, to: freeNow),
  ],
  .retiredResigning: [
    Row(on: .turn, to: unknown, action: .abdicate), Row(on: .claimed, to: unknown, action: .abdicate), Row(on: .sawFree, to: freeNow),
  ],
]

@Suite struct LeadMachineTests {
  private let ttl = Duration.seconds(20)

  @Test func everySituationAnswersEveryEventAsInTheTable() {
    for situation in Situation.allCases {
      for event in Event.allCases {
        let before = situation.machine
        var machine = before
        let action = event.apply(to: &machine)
        let row = (table[situation] ?? []).first { $0.on == event } ?? common.first { $0.on == event } ?? Row(on: event)
        #expect(action == row.action, "\(situation), \(event)")
        #expect(machine.state == row.to ?? before.state, "\(situation), \(event)")
        #expect(machine.fitness == row.fitness ?? before.fitness, "\(situation), \(event)")
      }
    }
  }

  @Test func onlyALeaderLeadsAndOnlyAsLongAsTheServerHoldsItsLock() {
    for situation in Situation.allCases {
      let leads = situation == .leading || situation == .unfitLeading
      #expect(situation.machine.leads(at: .seconds(2), ttl: ttl) == leads, "\(situation)")
      #expect(situation.machine.leads(at: .milliseconds(20_999), ttl: ttl) == leads, "\(situation)")
      #expect(!situation.machine.leads(at: .seconds(21), ttl: ttl), "a paused process must not dispatch on a lapsed lock")
    }
  }

  @Test func oneClaimIsUnderWayAtATimeAndOnlyItsAnswerCounts() {
    var machine = LeadMachine()
    let answer1 = machine.turn(at: .seconds(1))
    #expect(answer1 == .claim(number: 1))
    let answer2 = machine.turn(at: .seconds(2))
    #expect(answer2 == nil)
    let answer3 = machine.joined(at: .seconds(2))
    #expect(answer3 == nil)
    let answer4 = machine.answered(7)
    #expect(!answer4)
    let answer5 = machine.answered(1)
    #expect(answer5)
    let answer6 = machine.answered(1)
    #expect(!answer6)
    let answer7 = machine.turn(at: .seconds(3))
    #expect(answer7 == .claim(number: 2))
    machine.lost()
    let answer8 = machine.turn(at: .seconds(4))
    #expect(answer8 == .claim(number: 3), "the answer of the lost connection is not waited for")
    let answer9 = machine.answered(2)
    #expect(!answer9)
    let answer10 = machine.answered(3)
    #expect(answer10)
  }

  /// The server carries the claim out first and the release after it: the answer to the claim tells of a lock that is gone.
  @Test func aClaimThatWasUnderWayAtTheReleaseDoesNotCount() {
    var machine = LeadMachine()
    _ = machine.claimed(asked: .seconds(1))
    let answer11 = machine.turn(at: .seconds(2))
    #expect(answer11 == .claim(number: 1))
    machine.change(isFit: false, jitter: .zero)
    let answer12 = machine.turn(at: .seconds(2))
    #expect(answer12 == .abdicate)
    let answer13 = machine.answered(1)
    #expect(!answer13)
    #expect(machine.state == .unknown(freeSince: nil))
  }

  @Test func anUnfitLeaderYieldsToOthersAndLeadsAgainWhenNobodyWants() {
    var machine = LeadMachine()
    _ = machine.claimed(asked: .seconds(1))
    machine.change(isFit: false, jitter: .seconds(1))
    #expect(!machine.leads(at: .seconds(2), ttl: ttl), "nothing is dispatched between the decision and the release")
    let answer14 = machine.turn(at: .seconds(2))
    #expect(answer14 == .abdicate)
    let answer15 = machine.turn(at: .seconds(3))
    #expect(answer15 == .look)
    machine.saw(owner: nil, at: .seconds(3))
    let answer16 = machine.turn(at: .milliseconds(5_999))
    #expect(answer16 == .look)
    let answer17 = machine.turn(at: .seconds(6))
    #expect(answer17 == .claim(number: 1))
    let answer18 = machine.answered(1)
    #expect(answer18)
    let answer19 = machine.claimed(asked: .seconds(6))
    #expect(answer19 == nil)
    #expect(machine.leads(at: .seconds(7), ttl: ttl), "a node alone goes on")
    let answer20 = machine.turn(at: .seconds(7))
    #expect(answer20 == .claim(number: 2))
  }

  @Test func aLookThatFindsAnOwnerStartsTheWaitForAFreeLockAgain() {
    var machine = LeadMachine()
    machine.change(isFit: false, jitter: .zero)
    machine.saw(owner: nil, at: .seconds(1))
    machine.saw(owner: "other", at: .seconds(2))
    machine.saw(owner: nil, at: .seconds(10))
    let answer21 = machine.turn(at: .seconds(11))
    #expect(answer21 == .look)
    let answer22 = machine.turn(at: .seconds(12))
    #expect(answer22 == .claim(number: 1))
  }

  @Test func anEmptyServerMakesTheLeaderWaitForTheOthersLocks() {
    var machine = LeadMachine()
    machine.foundEmptyServer(at: .seconds(10))
    _ = machine.claimed(asked: .seconds(10))
    #expect(!machine.leads(at: .milliseconds(12_999), ttl: ttl))
    #expect(machine.leads(at: .seconds(13), ttl: ttl))
  }

  @Test func aNodeThatStopsNeverComesBack() {
    var machine = LeadMachine()
    _ = machine.claimed(asked: .seconds(1))
    machine.retire()
    let answer23 = machine.turn(at: .seconds(2))
    #expect(answer23 == .abdicate)
    machine.saw(owner: nil, at: .seconds(3))
    machine.change(isFit: true, jitter: .zero)
    let answer24 = machine.turn(at: .seconds(10_000))
    #expect(answer24 == .look)
  }
}

import Testing

@testable import JobKit

private enum Event: CaseIterable {
  case begin, settled, interrupted, standBack, leave

  func apply(to machine: inout JoinMachine) -> Int? {
    switch self {
    case .begin: return machine.begin()
    case .settled: machine.settled()
    case .interrupted: machine.interrupted()
    case .standBack: machine.standBack()
    case .leave: machine.leave()
    }
    return nil
  }
}

/// Every state and the events that lead there.
private enum Situation: CaseIterable {
  case apart, joining, working, checking, left

  var machine: JoinMachine {
    let path: [Event] =
      switch self {
      case .apart: []
      case .joining: [.begin]
      case .working: [.begin, .settled]
      case .checking: [.begin, .settled, .begin]
      case .left: [.leave]
      }
    var machine = JoinMachine()
    for event in path { _ = event.apply(to: &machine) }
    return machine
  }
}

private struct Row {
  var from: Situation
  var on: Event
  var to: JoinMachine.State
  var round: Int?
}

/// What is not listed changes nothing.
private let table = [
  Row(from: .apart, on: .begin, to: .joining(round: 1), round: 1),
  Row(from: .apart, on: .leave, to: .left),
  Row(from: .joining, on: .settled, to: .working),
  Row(from: .joining, on: .interrupted, to: .apart),
  Row(from: .joining, on: .standBack, to: .apart),
  Row(from: .joining, on: .leave, to: .left),
  Row(from: .working, on: .begin, to: .checking(round: 2), round: 2),
  Row(from: .working, on: .standBack, to: .apart),
  Row(from: .working, on: .leave, to: .left),
  Row(from: .checking, on: .settled, to: .working),
  Row(from: .checking, on: .interrupted, to: .working),
  Row(from: .checking, on: .standBack, to: .apart),
  Row(from: .checking, on: .leave, to: .left),
]

@Suite struct JoinMachineTests {
  @Test func everyStateAnswersEveryEventAsInTheTable() {
    for situation in Situation.allCases {
      for event in Event.allCases {
        let before = situation.machine
        var machine = before
        let round = event.apply(to: &machine)
        let row = table.first { $0.from == situation && $0.on == event }
        #expect(machine.state == row?.to ?? before.state, "\(situation), \(event)")
        #expect(round == row?.round, "\(situation), \(event)")
      }
    }
  }

  @Test func aNodeWorksWhileItChecksAndNotBefore() {
    #expect(Situation.allCases.filter { $0.machine.isWorking } == [.working, .checking])
    #expect(Situation.allCases.filter { $0.machine.hasLeft } == [.left])
  }

  @Test func onlyTheAnswersOfTheRoundUnderWayCount() {
    var machine = JoinMachine()
    let answer1 = machine.begin()
    #expect(answer1 == 1)
    machine.standBack()
    #expect(!machine.isCurrent(1))
    let answer2 = machine.begin()
    #expect(answer2 == 2)
    #expect(!machine.isCurrent(1) && machine.isCurrent(2))
    machine.settled()
    #expect(!machine.isCurrent(2))
    let answer3 = machine.begin()
    #expect(answer3 == 3)
    #expect(machine.isCurrent(3))
  }
}

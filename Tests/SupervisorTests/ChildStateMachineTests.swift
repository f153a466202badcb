import Simulation
import Testing

@testable import Supervisor

private enum Event: CaseIterable {
  case wantedOn, wantedOff, spawnFailed, ready, misbehaved, exited, exitedForGood, restartDue, replace, configurationChanged, kill

  func apply(to machine: inout ChildStateMachine) -> [ChildStateMachine.Action] {
    switch self {
    case .wantedOn: machine.wanted(true)
    case .wantedOff: machine.wanted(false)
    case .spawnFailed: machine.spawnFailed()
    case .ready: machine.becameReady()
    case .misbehaved: machine.misbehaved()
    case .exited: machine.exited(permanent: false)
    case .exitedForGood: machine.exited(permanent: true)
    case .restartDue: machine.restartDue()
    case .replace: machine.replacementRequested()
    case .configurationChanged: machine.configurationChanged()
    case .kill: machine.killRequested()
    }
  }
}

/// Every situation a machine can be in, and the events that lead there.
private enum Situation: CaseIterable {
  case stopped, starting, running, draining, dying, replacing, backoff, failed

  var machine: ChildStateMachine {
    let path: [Event] =
      switch self {
      case .stopped: []
      case .starting: [.wantedOn]
      case .running: [.wantedOn, .ready]
      case .draining: [.wantedOn, .ready, .wantedOff]
      case .dying: [.wantedOn, .ready, .misbehaved]
      case .replacing: [.wantedOn, .ready, .replace]
      case .backoff: [.wantedOn, .ready, .exited]
      case .failed: [.wantedOn, .exitedForGood]
      }
    var machine = ChildStateMachine()
    for event in path { _ = event.apply(to: &machine) }
    return machine
  }

  init?(_ machine: ChildStateMachine) {
    guard let found = Self.allCases.first(where: { $0.machine == machine }) else { return nil }
    self = found
  }
}

private struct Row {
  var from: Situation
  var on: Event
  var to: Situation
  var actions: [ChildStateMachine.Action] = []
}

/// What is not listed changes nothing and does nothing.
private let table: [Row] = [
  Row(from: .stopped, on: .wantedOn, to: .starting, actions: [.spawn]),

  Row(from: .starting, on: .wantedOff, to: .draining, actions: [.drain(kill: false)]),
  Row(from: .starting, on: .spawnFailed, to: .backoff, actions: [.scheduleRestart]),
  Row(from: .starting, on: .ready, to: .running),
  Row(from: .starting, on: .misbehaved, to: .dying, actions: [.kill]),
  Row(from: .starting, on: .exited, to: .backoff, actions: [.scheduleRestart]),
  Row(from: .starting, on: .exitedForGood, to: .failed, actions: [.announceFailure]),
  Row(from: .starting, on: .replace, to: .replacing, actions: [.kill]),
  Row(from: .starting, on: .kill, to: .draining, actions: [.drain(kill: true)]),

  Row(from: .running, on: .wantedOff, to: .draining, actions: [.drain(kill: false)]),
  Row(from: .running, on: .misbehaved, to: .dying, actions: [.kill]),
  Row(from: .running, on: .exited, to: .backoff, actions: [.scheduleRestart]),
  Row(from: .running, on: .exitedForGood, to: .failed, actions: [.announceFailure]),
  Row(from: .running, on: .replace, to: .replacing, actions: [.kill]),
  Row(from: .running, on: .kill, to: .draining, actions: [.drain(kill: true)]),

  Row(from: .draining, on: .wantedOn, to: .replacing, actions: [.kill]),
  Row(from: .draining, on: .misbehaved, to: .draining, actions: [.kill]),
  Row(from: .draining, on: .exited, to: .stopped),
  Row(from: .draining, on: .exitedForGood, to: .stopped),
  Row(from: .draining, on: .kill, to: .draining, actions: [.drain(kill: true)]),

  Row(from: .dying, on: .wantedOff, to: .draining),
  Row(from: .dying, on: .misbehaved, to: .dying, actions: [.kill]),
  Row(from: .dying, on: .exited, to: .backoff, actions: [.scheduleRestart]),
  Row(from: .dying, on: .exitedForGood, to: .failed, actions: [.announceFailure]),
  Row(from: .dying, on: .replace, to: .replacing, actions: [.kill]),
  Row(from: .dying, on: .kill, to: .draining, actions: [.drain(kill: true)]),

  Row(from: .replacing, on: .wantedOff, to: .draining),
  Row(from: .replacing, on: .misbehaved, to: .replacing, actions: [.kill]),
  Row(from: .replacing, on: .exited, to: .starting, actions: [.spawn]),
  Row(from: .replacing, on: .exitedForGood, to: .starting, actions: [.spawn]),
  Row(from: .replacing, on: .replace, to: .replacing, actions: [.kill]),
  Row(from: .replacing, on: .kill, to: .draining, actions: [.drain(kill: true)]),

  Row(from: .backoff, on: .wantedOff, to: .stopped, actions: [.cancelRestart]),
  Row(from: .backoff, on: .restartDue, to: .starting, actions: [.spawn]),
  Row(from: .backoff, on: .replace, to: .starting, actions: [.cancelRestart, .spawn]),
  Row(from: .backoff, on: .kill, to: .stopped, actions: [.cancelRestart]),

  Row(from: .failed, on: .wantedOff, to: .stopped),
  Row(from: .failed, on: .replace, to: .starting, actions: [.forgetDeaths, .spawn]),
  Row(from: .failed, on: .configurationChanged, to: .starting, actions: [.forgetDeaths, .spawn]),
  Row(from: .failed, on: .kill, to: .stopped),
]

@Suite struct ChildStateMachineTests {
  @Test func everyEventIsAnsweredInEverySituationAsTheTableSays() {
    for from in Situation.allCases {
      for event in Event.allCases {
        let row = table.first { $0.from == from && $0.on == event } ?? Row(from: from, on: event, to: from)
        var machine = from.machine
        let actions = event.apply(to: &machine)
        #expect(Situation(machine) == row.to, "\(event) in \(from)")
        #expect(actions == row.actions, "\(event) in \(from)")
      }
    }
  }

  @Test func noRowOfTheTableIsThereTwice() {
    for row in table { #expect(table.filter { $0.from == row.from && $0.on == row.on }.count == 1, "\(row)") }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func anyOrderOfEventsKeepsOneProcessAtMostAndNeverForgetsAWantedChild(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var machine = ChildStateMachine()
    var processes = 0
    var timers = 0
    for _ in 0..<5000 {
      guard let event = Event.allCases.randomElement(using: &random) else { return }
      // The world's own rules: only a process can become ready or exit, only a timer can fire.
      switch event {
      case .exited, .exitedForGood: if processes == 0 { continue } else { processes -= 1 }
      case .ready: if processes == 0 { continue }
      case .spawnFailed: if machine.state != .starting { continue } else { processes -= 1 }
      case .restartDue: if timers == 0 { continue } else { timers -= 1 }
      default: break
      }
      for action in event.apply(to: &machine) {
        switch action {
        case .spawn: processes += 1
        case .scheduleRestart: timers += 1
        case .cancelRestart: timers -= 1
        case .drain, .kill: #expect(processes == 1, "a signal to nobody after \(event)")
        case .forgetDeaths, .announceFailure: break
        }
      }
      #expect(processes == (machine.isAlive ? 1 : 0), "after \(event) in \(machine)")
      #expect(timers == (machine.state == .backoff ? 1 : 0), "after \(event) in \(machine)")
      #expect(Situation(machine) != nil, "a situation that the table does not know: \(machine)")
      if machine.want { #expect(machine.state != .stopped, "a wanted child without a future after \(event)") }
      if !machine.want { #expect(machine.state == .stopped || machine.state == .stopping, "an unwanted child goes on after \(event)") }
    }
  }
}

import Core
import Testing

@testable import JobKit

private let job = TakenJob(item: QueueItem(payload: "7", group: 0, score: 5), lock: "poller.device.7", owner: "node-Poller_1", slot: 1)
private let process = ProcessIdentity(pid: 4711, startTime: 99)
private let hold = Duration.seconds(10)

/// Every situation that a slot can be in, and the events that lead there.
private enum Situation: CaseIterable {
  case free, taking, checking, starting, running, identifying, adopted, unresolved, releasing
  /// Without job and process; with a process only; with both.
  case newer, garbage, dangerous

  var path: [SlotMachine.Event] {
    switch self {
    case .free: []
    case .taking: [.take]
    case .checking: [.take, .taken(job)]
    case .starting: [.take, .taken(job), .entered]
    case .running: [.take, .taken(job), .entered, .started(process)]
    case .identifying: [.found(job)]
    case .adopted: [.found(job), .identified(process)]
    case .unresolved: [.found(job), .identified(process), .gone]
    case .releasing: [.take, .taken(job), .entered, .started(process), .judged(hold: nil)]
    case .newer: [.setAside(nil)]
    case .garbage: [.setAside(process)]
    case .dangerous: [.found(job), .setAside(process)]
    }
  }

  var machine: SlotMachine {
    var machine = SlotMachine()
    for event in path { _ = machine.handle(event) }
    return machine
  }

  var state: SlotMachine.State {
    switch self {
    case .free: .free
    case .taking: .taking
    case .checking: .checking(job)
    case .starting: .starting(job)
    case .running, .adopted: .running(job, process)
    case .identifying: .identifying(job)
    case .unresolved: .unresolved(job, process)
    case .releasing: .releasing(job)
    case .newer: .quarantined(nil, nil)
    case .garbage: .quarantined(nil, process)
    case .dangerous: .quarantined(job, process)
    }
  }
}

private let events: [SlotMachine.Event] = [
  .take, .nothingTaken, .taken(job), .skipped(hold: hold), .entered, .started(process), .postponed, .found(job), .identified(process),
  .gone, .judged(hold: hold), .released, .setAside(process), .vacated,
]

private struct Row {
  var from: [Situation]
  var on: SlotMachine.Event
  var to: SlotMachine.State
  var actions: [SlotMachine.Action] = []
}

/// What is not listed changes nothing: a late event is ignored, every other one is a violation.
private let table: [Row] = [
  Row(from: [.free], on: .take, to: .taking, actions: [.askQueue]),
  Row(from: [.taking], on: .nothingTaken, to: .free, actions: [.clear]),
  Row(from: [.taking], on: .taken(job), to: .checking(job), actions: [.check(job)]),
  Row(from: [.checking], on: .skipped(hold: hold), to: .free, actions: [.finish(job, hold: hold), .clear]),
  Row(from: [.checking], on: .postponed, to: .free, actions: [.clear, .putBack(job)]),
  Row(from: [.checking], on: .entered, to: .starting(job)),
  Row(from: [.starting], on: .started(process), to: .running(job, process)),
  Row(
    from: [.starting, .running, .adopted, .unresolved], on: .postponed, to: .free, actions: [.freeEntry, .clear, .putBack(job)]),

  Row(from: [.free], on: .found(job), to: .identifying(job), actions: [.keepLock(job)]),
  Row(from: [.identifying], on: .identified(process), to: .running(job, process)),
  Row(from: [.running, .adopted], on: .gone, to: .unresolved(job, process), actions: [.stopWatching, .findStatus(process)]),

  Row(
    from: [.checking, .identifying, .running, .adopted, .unresolved, .dangerous], on: .judged(hold: hold), to: .releasing(job),
    actions: [.stopWatching, .release(job, hold: hold)]),
  Row(from: [.releasing], on: .released, to: .free, actions: [.freeEntry, .clear, .announceFree]),

  Row(from: [.free], on: .setAside(process), to: .quarantined(nil, process)),
  Row(from: [.identifying], on: .setAside(process), to: .quarantined(job, process)),
  Row(from: [.newer, .garbage], on: .vacated, to: .free, actions: [.freeEntry, .clear]),
]

@Suite struct SlotMachineTests {
  @Test func everyEventIsAnsweredInEverySituationAsTheTableSays() {
    var answered = 0
    for from in Situation.allCases {
      for event in events {
        var machine = from.machine
        #expect(machine.state == from.state, "the way to \(from)")
        let actions = machine.handle(event)
        if let row = table.first(where: { $0.from.contains(from) && $0.on == event }) {
          answered += 1
          #expect(machine.state == row.to, "\(event) in \(from)")
          #expect(actions == row.actions, "\(event) in \(from)")
        } else {
          let mayBeLate = event == .gone || event == .released
          #expect(machine == from.machine, "\(event) in \(from)")
          #expect(actions == (mayBeLate ? [] : [.violation]), "\(event) in \(from)")
        }
      }
    }
    #expect(answered == table.reduce(0) { $0 + $1.from.count }, "each row is reached once")
  }

  @Test func everyPhaseIsASituation() {
    #expect(Set(Situation.allCases.map(\.machine.phase)) == Set(SlotMachine.Phase.allCases))
  }

  /// Over all situations and events: no job is lost on the way, and none is in two places.
  @Test func aJobLeavesItsSlotOnlyIntoTheQueueOrToItsLock() {
    for from in Situation.allCases {
      for event in events {
        var machine = from.machine
        let before = machine.job
        let actions = machine.handle(event)
        guard let before, machine.job == nil, from != .releasing else { continue }
        let ends = actions.count { $0 == .putBack(before) || $0 == .finish(before, hold: hold) }
        #expect(ends == 1, "\(event) in \(from)")
      }
    }
  }

  @Test func theTableIsEmptiedExactlyWhenASlotThatIsEnteredBecomesFree() {
    let entered: Set<Situation> = [
      .starting, .running, .identifying, .adopted, .unresolved, .releasing, .newer, .garbage, .dangerous,
    ]
    for from in Situation.allCases {
      for event in events {
        var machine = from.machine
        let actions = machine.handle(event)
        let becomesFree = from != .free && machine.phase == .free
        #expect(actions.contains(.freeEntry) == (becomesFree && entered.contains(from)), "\(event) in \(from)")
      }
    }
  }

  @Test func aSlotHasAProcessExactlyWhileItsEndIsNotJudged() {
    for situation in Situation.allCases {
      let machine = situation.machine
      let hasProcess = [.running, .adopted, .unresolved, .garbage, .dangerous].contains(situation)
      #expect((machine.process != nil) == hasProcess, "\(situation)")
      let hasJob = ![.free, .taking, .newer, .garbage].contains(situation)
      #expect((machine.job != nil) == hasJob, "\(situation)")
    }
  }
}

import Core
import Testing

@testable import JobKit

private func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

private func job(_ name: String, slot: Int) -> TakenJob {
  TakenJob(item: QueueItem(payload: name, group: 0, score: 1), lock: "lock:\(name)", owner: "n1-\(slot)", slot: slot)
}

/// The job of slot 0 in all that follows; slot 1 runs `other`.
private let mine = job("mine", slot: 0)
private let other = job("other", slot: 1)
private let owedEnd = SlotLedger.End(job: mine, until: time(99))

private enum Event: CaseIterable {
  case takeBegins, takeFound, takeFoundWhatRuns, acquired, takeFailed, adopted, renewed, end, endOwed, returned, returnedToNobody
  case endAnswered, endLost, sendOwed, noteFound, otherNoteFound

  /// What the event answered, as text.
  func apply(to ledger: inout SlotLedger) -> String? {
    switch self {
    case .takeBegins: ledger.takeBegins(0)
    case .takeFound: return "\(ledger.takeFound(mine, renewAt: time(5)))"
    case .takeFoundWhatRuns: return "\(ledger.takeFound(job("other", slot: 0), renewAt: time(5)))"
    case .acquired: ledger.acquired(mine, renewAt: time(5))
    case .takeFailed: ledger.takeFailed(0)
    case .adopted: ledger.adopted(mine, at: time(5))
    case .renewed: ledger.renewed([mine], renewAt: time(7))
    case .end: return "\(ledger.end(mine, owing: owedEnd, canSend: true))"
    case .endOwed: return "\(ledger.end(mine, owing: owedEnd, canSend: false))"
    case .returned: return "\(ledger.end(mine, owing: nil, canSend: true))"
    case .returnedToNobody: return "\(ledger.end(mine, owing: nil, canSend: false))"
    case .endAnswered: ledger.endAnswered(0, owing: nil)
    case .endLost: ledger.endAnswered(0, owing: owedEnd)
    case .sendOwed: return "\(ledger.sendOwed().count)"
    case .noteFound: return "\(ledger.noteFound(mine))"
    case .otherNoteFound: return "\(ledger.noteFound(job("lost", slot: 0)))"
    }
    return nil
  }
}

private enum Use: CaseIterable { case idle, taking, held }

private struct Situation {
  var use: Use
  /// Ends under way.
  var ending: Int
  var owed: Int

  static let all = Use.allCases.flatMap { use in
    [0, 1, 2].flatMap { ending in [0, 1].map { Situation(use: use, ending: ending, owed: $0) } }
  }

  var ledger: SlotLedger {
    var ledger = SlotLedger()
    ledger.adopted(other, at: time(1))
    for _ in 0..<ending { _ = ledger.end(mine, owing: nil, canSend: true) }
    for _ in 0..<owed { _ = ledger.end(mine, owing: owedEnd, canSend: false) }
    if use != .idle { ledger.takeBegins(0) }
    if use == .held { _ = ledger.takeFound(mine, renewAt: time(5)) }
    return ledger
  }
}

/// What an event leaves behind; nil = as before.
private struct Effect {
  var use: SlotLedger.Use?
  var ending = 0
  var owed = 0
  var answer: String?
}

private let held = SlotLedger.Use.held(mine, renewAt: time(5))

/// nil = the event can't happen then, which is a precondition.
private func effect(of event: Event, in situation: Situation) -> Effect? {
  let action = "\(situation.ending > 0 ? SlotLedger.NoteAction.keep : .putBack)"
  switch (event, situation.use) {
  case (.takeBegins, .idle): return Effect(use: .taking)
  case (.takeBegins, _): return nil
  case (.takeFound, .taking): return Effect(use: held, answer: "start")
  case (.takeFoundWhatRuns, .taking): return Effect(use: .idle, ending: 1, answer: "\(SlotLedger.TakeAction.giveBack(to: other))")
  case (.acquired, .taking): return Effect(use: held)
  case (.takeFailed, .taking): return Effect(use: .idle)
  case (.takeFound, _), (.takeFoundWhatRuns, _), (.acquired, _), (.takeFailed, _): return nil
  case (.adopted, .taking): return nil
  case (.adopted, _): return Effect(use: held)
  case (.renewed, .held): return Effect(use: .held(mine, renewAt: time(7)))
  case (.renewed, _): return Effect()
  case (.end, .taking), (.endOwed, .taking), (.returned, .taking), (.returnedToNobody, .taking): return nil
  case (.end, _), (.returned, _): return Effect(use: .idle, ending: 1, answer: "send")
  case (.endOwed, _): return Effect(use: .idle, owed: 1, answer: "owe")
  case (.returnedToNobody, _): return Effect(use: .idle, answer: "owe")
  case (.endAnswered, _): return situation.ending > 0 ? Effect(ending: -1) : nil
  case (.endLost, _): return situation.ending > 0 ? Effect(ending: -1, owed: 1) : nil
  case (.sendOwed, _): return Effect(ending: situation.owed, owed: -situation.owed, answer: "\(situation.owed)")
  case (.noteFound, .idle): return Effect(answer: action)
  case (.noteFound, _): return Effect(answer: "keep")
  case (.otherNoteFound, .taking): return Effect(answer: "keep")
  case (.otherNoteFound, _): return Effect(answer: action)
  }
}

@Suite struct SlotLedgerTests {
  @Test func everySituationAnswersEveryEventAsInTheTable() {
    var tried = 0
    for situation in Situation.all {
      for event in Event.allCases {
        guard let effect = effect(of: event, in: situation) else { continue }
        let before = situation.ledger
        var ledger = before
        let answer = event.apply(to: &ledger)
        #expect(answer == effect.answer, "\(situation), \(event)")
        #expect(ledger.use(of: 0) == effect.use ?? before.use(of: 0), "\(situation), \(event)")
        #expect(ledger.ending(0) == situation.ending + effect.ending, "\(situation), \(event)")
        #expect(ledger.owed.count == situation.owed + effect.owed, "\(situation), \(event)")
        #expect(ledger.takesUnderWay == (ledger.use(of: 0) == .taking ? 1 : 0), "\(situation), \(event)")
        #expect(ledger.use(of: 1) == .held(other, renewAt: time(1)), "\(situation), \(event): another slot's job")
        tried += 1
      }
    }
    #expect(tried == 186)
  }

  @Test func renewalsAreDueByTheirTimeAndInTheOrderOfSlots() {
    var ledger = SlotLedger()
    for slot in [3, 1, 2] { ledger.adopted(job("\(slot)", slot: slot), at: time(Int64(slot))) }
    #expect(ledger.held.map(\.slot) == [1, 2, 3])
    #expect(ledger.due(at: time(2)).map(\.slot) == [1, 2])
    ledger.renewed(ledger.due(at: time(2)), renewAt: time(9))
    #expect(ledger.due(at: time(3)).map(\.slot) == [3])
  }

  @Test func aRenewalThatWasSentForAnotherJobOfTheSlotLeavesThisOneDue() {
    var ledger = SlotLedger()
    ledger.adopted(mine, at: time(1))
    ledger.renewed([job("before", slot: 0)], renewAt: time(9))
    #expect(ledger.due(at: time(1)) == [mine])
  }

  @Test func whatIsOwedIsSentInItsOrder() {
    var ledger = SlotLedger()
    let jobs = [job("c", slot: 2), job("a", slot: 0), job("b", slot: 1)]
    for job in jobs { _ = ledger.end(job, owing: SlotLedger.End(job: job, until: nil), canSend: false) }
    let answer1 = ledger.sendOwed()
    #expect(answer1.map(\.job) == jobs)
    #expect(ledger.owed.isEmpty)
    #expect(jobs.allSatisfy { ledger.ending($0.slot) == 1 && ledger.noteFound($0) == .keep })
  }
}

import Core
import JobKit
import Testing

/// Alerting and billing on a node alone: a tick waits for the lock of the run before it.
@Suite struct TickQueueTests {
  private func make() -> LocalCoordinator { LocalCoordinator(lockName: { "billing.\($0.payload)" }, keepsTicks: true, clock: { .now }) }

  private func take(_ coordinator: LocalCoordinator) -> TakenJob? {
    var taken: TakenJob?
    coordinator.take(SlotOwner(prefix: "me_", slot: 0)) { if case .job(let job) = $0 { taken = job } }
    return taken
  }

  private func enqueue(_ coordinator: LocalCoordinator, _ payload: String, score: Double = 5) {
    coordinator.enqueue([QueueItem(payload: payload, group: 0, score: score)], respectingLocks: false)
  }

  private func presence(_ coordinator: LocalCoordinator, _ payload: String) -> Presence? {
    var found: Presence?
    coordinator.presence(of: QueueItem(payload: payload, group: 0, score: 5)) { found = $0 }
    return found
  }

  @Test func aTickThatComesDuringTheLastRunStaysUntilThatHasEnded() throws {
    let coordinator = make()
    #expect(presence(coordinator, "poll") == .absent)
    enqueue(coordinator, "poll")
    #expect(presence(coordinator, "poll") == .waits)
    let first = try #require(take(coordinator))
    #expect(presence(coordinator, "poll") == .runs)
    enqueue(coordinator, "poll")
    #expect(presence(coordinator, "poll") == .waits)
    for _ in 0..<3 { #expect(take(coordinator) == nil, "its lock is held") }
    #expect(coordinator.depth == 1, "and it is not dropped")
    coordinator.finish(first, hold: nil)
    #expect(take(coordinator) == first)
    #expect(coordinator.depth == 0)
  }

  @Test func anotherTickOvertakesOneWhoseLockIsHeldAndOtherwiseTheLongerWaitingComesFirst() throws {
    let coordinator = make()
    enqueue(coordinator, "poll", score: 1)
    let poll = try #require(take(coordinator))
    enqueue(coordinator, "poll", score: 2)
    enqueue(coordinator, "calculate", score: 3)
    let calculate = try #require(take(coordinator))
    #expect(calculate.item.payload == "calculate")
    enqueue(coordinator, "calculate", score: 4)
    coordinator.finish(poll, hold: nil)
    coordinator.finish(calculate, hold: nil)
    #expect(take(coordinator)?.item.payload == "poll")
    #expect(take(coordinator)?.item.payload == "calculate")
  }
}

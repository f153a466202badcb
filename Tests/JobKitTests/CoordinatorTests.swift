import Core
import JobKit
import Testing

@Suite struct CoordinatorTests {
  private final class TestClock { var now = MonotonicTime(nanoseconds: 0) }

  private func make() -> (LocalCoordinator, TestClock) {
    let clock = TestClock()
    return (LocalCoordinator(lockName: { "poller.device.\($0.payload)" }, clock: { clock.now }), clock)
  }

  private func take(_ coordinator: LocalCoordinator) -> TakenJob? {
    var taken: TakenJob?
    coordinator.take(SlotOwner(prefix: "me_", slot: 0)) { if case .job(let job) = $0 { taken = job } }
    return taken
  }

  private func item(_ payload: String) -> QueueItem { QueueItem(payload: payload, group: 0, score: 5) }

  @Test func aRunningJobIsNeverHandedOutAgainHoweverLongItRuns() throws {
    let (coordinator, clock) = make()
    coordinator.enqueue([item("1")], respectingLocks: true)
    let job = try #require(take(coordinator))
    clock.now = clock.now + .seconds(100_000)
    coordinator.enqueue([item("1")], respectingLocks: true)
    #expect(coordinator.depth == 0)
    coordinator.enqueue([item("1")], respectingLocks: false)
    #expect(take(coordinator) == nil, "a member whose lock is held is dropped")
    coordinator.finish(job, hold: nil)
    coordinator.enqueue([item("1")], respectingLocks: true)
    #expect(take(coordinator) == job)
  }

  @Test func aHoldEndsAfterItsTime() throws {
    let (coordinator, clock) = make()
    coordinator.enqueue([item("1")], respectingLocks: true)
    coordinator.finish(try #require(take(coordinator)), hold: .seconds(60))
    clock.now = clock.now + .seconds(59)
    #expect(coordinator.isHeld("poller.device.1"))
    clock.now = clock.now + .seconds(1)
    #expect(!coordinator.isHeld("poller.device.1"))
    coordinator.enqueue([item("1")], respectingLocks: true)
    #expect(take(coordinator) != nil)
  }

  @Test func aJobThatIsPutBackKeepsItsPlace() throws {
    let (coordinator, _) = make()
    coordinator.enqueue([QueueItem(payload: "1", group: 0, score: 3), QueueItem(payload: "2", group: 0, score: 4)], respectingLocks: true)
    let first = try #require(take(coordinator))
    coordinator.putBack(first)
    #expect(take(coordinator)?.item == first.item)
  }

  @Test func adoptedJobsAndRestoredCooldownsHoldTheirLocks() {
    let (coordinator, clock) = make()
    coordinator.adopt(TakenJob(item: item("1"), lock: "poller.device.1", owner: "dead", slot: 0))
    coordinator.restore(lock: "poller.device.2", owner: "dead", until: clock.now + .seconds(10))
    coordinator.enqueue([item("1"), item("2"), item("3")], respectingLocks: true)
    #expect(take(coordinator)?.item.payload == "3")
    #expect(take(coordinator) == nil)
  }

  /// It notes the lock's key there.
  @Test func aJobOfAPredecessorThatRanWithRedisIsNotTakenTwice() throws {
    let (coordinator, _) = make()
    let job = TakenJob(item: item("1"), lock: "librenms.lock:poller.device.1", owner: "a", slot: 0)
    coordinator.adopt(job)
    coordinator.enqueue([item("1")], respectingLocks: false)
    let taken = take(coordinator)
    #expect(taken == nil && coordinator.isHeld("poller.device.1"))
    coordinator.finish(job, hold: nil)
    #expect(!coordinator.isHeld("poller.device.1"))
  }

  @Test func newWorkWakesTheEngineAndKnownWorkDoesNot() {
    let (coordinator, _) = make()
    var wakes = 0
    coordinator.onWake = { wakes += 1 }
    coordinator.enqueue([item("1")], respectingLocks: true)
    coordinator.enqueue([item("1")], respectingLocks: true)
    #expect(wakes == 1)
  }

  @Test func whatIsLiftedComesFirstAndSaysWhetherItWaited() {
    let (coordinator, _) = make()
    coordinator.enqueue([item("1"), item("2")], respectingLocks: true)
    var waited: [Bool] = []
    for payload in ["2", "3"] {
      coordinator.lift(QueueItem(payload: payload, group: 0, score: QueueItem.onDemand)) {
        if case .success(let did) = $0 { waited.append(did) }
      }
    }
    #expect(waited == [true, false])
    #expect((0..<3).compactMap { _ in take(coordinator)?.item.payload } == ["2", "3", "1"])
    #expect(take(coordinator) == nil)
  }

  @Test func aHoldIsReleasedAndARunningJobsLockIsNot() throws {
    let (coordinator, clock) = make()
    func holder() throws -> LockHolder? {
      var result: Result<LockHolder?, CoordinatorFailure>?
      coordinator.holder(of: "poller.device.1") { result = $0 }
      return try result?.get()
    }
    func release() throws -> Bool? {
      var result: Result<Bool, CoordinatorFailure>?
      coordinator.releaseHold("poller.device.1", owner: "me_0-1") { result = $0 }
      return try result?.get()
    }
    #expect(try holder() == nil)
    coordinator.enqueue([item("1")], respectingLocks: true)
    let job = try #require(take(coordinator))
    #expect(try holder() == LockHolder(owner: "me_0-1", remaining: nil, isRunning: true))
    #expect(try release() == false)
    coordinator.finish(job, hold: .seconds(60))
    clock.now = clock.now + .seconds(20)
    #expect(try holder() == LockHolder(owner: "me_0-1", remaining: .seconds(40), isRunning: false))
    var listed: [LockReport] = []
    coordinator.locks { if case .success(let found) = $0 { listed = found.locks } }
    #expect(listed == [LockReport(name: "poller.device.1", owner: "me_0-1", remaining: .seconds(40), isRunning: false)])
    #expect(try release() == true)
    #expect(try holder() == nil)
    #expect(try release() == false)
  }

  @Test func onlyTheOwnerReleasesALock() {
    var locks = LockStore()
    let start = MonotonicTime(nanoseconds: 0)
    let acquired = locks.acquire("a", owner: "x", until: start + .seconds(5), at: start)
    #expect(acquired)
    let stolen = locks.acquire("a", owner: "y", until: nil, at: start)
    #expect(!stolen)
    let releasedByStranger = locks.release("a", owner: "y")
    #expect(!releasedByStranger)
    #expect(locks.holder(of: "a", at: start)?.owner == "x")
    let acquiredLater = locks.acquire("a", owner: "y", until: nil, at: start + .seconds(5))
    #expect(acquiredLater, "expired")
  }
}

import Core
import Testing

@testable import JobKit

@Suite struct MastershipPolicyTests {
  private let ttl = Duration.seconds(20)

  @Test func aFitNodeAsksEverySecondAndLeadsOnlyWhileItsRenewalIsFresh() {
    var policy = MastershipPolicy()
    #expect(policy.turn(at: .seconds(1)) == .claim)
    #expect(!policy.leads(at: .seconds(1), ttl: ttl))
    policy.claimed(asked: .seconds(1))
    #expect(policy.leads(at: .seconds(2), ttl: ttl))
    #expect(policy.leads(at: .milliseconds(20_999), ttl: ttl))
    #expect(!policy.leads(at: .seconds(21), ttl: ttl), "a paused process must not dispatch on a lapsed lock")
    policy.claimed(asked: .seconds(21))
    #expect(policy.leads(at: .seconds(22), ttl: ttl))
    policy.refused(by: "other")
    #expect(!policy.leads(at: .seconds(22), ttl: ttl))
    #expect(policy.state == .following(leader: "other"))
  }

  @Test func anUnfitLeaderYieldsToOthersAndLeadsAgainWhenNobodyWants() {
    var policy = MastershipPolicy()
    policy.claimed(asked: .seconds(1))
    policy.change(isFit: false, jitter: .seconds(1))
    #expect(!policy.leads(at: .seconds(2), ttl: ttl), "nothing is dispatched between the decision and the release")
    #expect(policy.turn(at: .seconds(2)) == .abdicate)
    policy.abdicated()
    #expect(policy.turn(at: .seconds(3)) == .look)
    policy.saw(owner: nil, at: .seconds(3))
    #expect(policy.turn(at: .milliseconds(5_999)) == .look)
    #expect(policy.turn(at: .seconds(6)) == .claim)
    policy.claimed(asked: .seconds(6))
    #expect(policy.leads(at: .seconds(7), ttl: ttl), "a node alone goes on")
    #expect(policy.turn(at: .seconds(7)) == .claim)
  }

  @Test func aFitterNodeKeepsTheLockAndALookThatFindsItStartsTheWaitAgain() {
    var policy = MastershipPolicy()
    policy.change(isFit: false, jitter: .zero)
    policy.saw(owner: nil, at: .seconds(1))
    policy.saw(owner: "other", at: .seconds(2))
    policy.saw(owner: nil, at: .seconds(10))
    #expect(policy.turn(at: .seconds(11)) == .look)
    #expect(policy.turn(at: .seconds(12)) == .claim)
    policy.change(isFit: true, jitter: .zero)
    #expect(policy.turn(at: .seconds(10)) == .claim)
  }

  @Test func anEmptyServerMakesTheLeaderWaitForTheOthersLocks() {
    var policy = MastershipPolicy()
    policy.foundEmptyServer(at: .seconds(10))
    policy.claimed(asked: .seconds(10))
    #expect(!policy.leads(at: .milliseconds(12_999), ttl: ttl))
    #expect(policy.leads(at: .seconds(13), ttl: ttl))
  }

  @Test func aNodeThatStopsNeverComesBack() {
    var policy = MastershipPolicy()
    policy.claimed(asked: .seconds(1))
    policy.retire()
    #expect(policy.turn(at: .seconds(2)) == .abdicate)
    policy.abdicated()
    policy.saw(owner: nil, at: .seconds(3))
    #expect(policy.turn(at: .seconds(10_000)) == .look)
  }

  @Test func aLeadThatIsGrantedAfterTheRetirementIsGivenBack() {
    var policy = MastershipPolicy()
    policy.retire()
    policy.claimed(asked: .seconds(1))
    #expect(!policy.leads(at: .seconds(1), ttl: ttl))
    #expect(policy.turn(at: .seconds(1)) == .abdicate)
    policy.abdicated()
    #expect(policy.turn(at: .seconds(2)) == .look)
  }

  @Test func theNodesUuidIsStableAndItsOwn() {
    let one = NodeIdentity.uuid(of: ["node", "host", "/opt/librenms", ""])
    #expect(one == NodeIdentity.uuid(of: ["node", "host", "/opt/librenms", ""]))
    let others = [["node", "host2", "/opt/librenms", ""], ["nod", "ehost", "/opt/librenms", ""], ["node", "host", "/opt/librenms", "7"]]
    #expect(Set(others.map(NodeIdentity.uuid(of:)) + [one]).count == 4)
    let parts = one.split(separator: "-")
    #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
    #expect(parts[2].first == "8")
    #expect(parts[3].first.map { "89ab".contains($0) } == true)
  }

  @Test func anInFlightNoteReadsBackWhateverThePayload() {
    for payload in ["42", "", "a\tb"] {
      let item = QueueItem(payload: payload, group: 3, score: 1_700_000_000.25)
      let note = InFlightNote(job: TakenJob(item: item, lock: "librenms.lock:x", owner: "n-u-Poller_3-1", slot: 0))
      #expect(InFlightNote(note.text, slot: 0) == note)
    }
    #expect(InFlightNote("nonsense", slot: 0) == nil)
  }
}

import Core
import Testing

@testable import JobKit

/// What a node writes into Redis of itself.
@Suite struct NodeIdentityTests {
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

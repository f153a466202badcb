import Fixture
import Glibc
import Testing

/// Real children on a real database. One after the other, since they measure times.
@Suite(.serialized) struct IntegrationTests {}

/// The long runs at the length that the requirements name, instead of long enough to see a fault.
let fullLength = getenv("FULL_LENGTH").map { String(cString: $0) == "1" } ?? false

/// Polling alone, every 20 s, as in the requirements.
let pollingOnly: [String: JSON] = [
  "service_poller_frequency": 20, "service_poller_workers": 24, "service_poller_down_retry": 8, "service_discovery_enabled": false,
  "service_ping_enabled": false, "service_services_enabled": false, "service_alerting_enabled": false, "service_billing_enabled": false,
  "service_update_enabled": false,
]

extension [String: JSON] {
  func with(_ changes: [String: JSON]) -> [String: JSON] { merging(changes) { $1 } }
}

/// Polls that were last started evenly spread over a period of 20 s: an equal number is due each second.
let spreadOverPeriod = "NOW() - INTERVAL (seq % 20) SECOND"

extension Scene {
  /// Starts the dispatcher and waits until scripts of the type run; returns the time of the start.
  @discardableResult
  func startAndAwaitWork(_ type: String = "poller", within limit: Duration = .seconds(30)) throws -> Double {
    let began = wallClock()
    try node.start()
    guard eventually(within: limit, every: .milliseconds(50), { node.journal.runs(type).contains { $0.start >= began } }) else {
      throw FixtureError("no \(type) script within \(limit)")
    }
    return began
  }

  /// Waits for the first script of a type that starts after the moment; nil if none does.
  func firstStart(_ type: String = "poller", after moment: Double, within limit: Duration) -> Double? {
    var found: Double?
    eventually(within: limit, every: .milliseconds(20)) {
      found = node.journal.runs(type).first { $0.start > moment }?.start
      return found != nil
    }
    return found
  }

  /// Lets the scripts that run come to their end, without new ones.
  func stopOrderly() {
    let ending = node.stop()
    #expect(ending == .exited(0), "SIGTERM: scripts finish, exit 0")
  }
}

/// What holds for every journal, whatever was killed: nothing twice at once, nothing again within half a period.
func expectNoDoubles(_ journal: Journal, _ type: String = "poller", halfPeriod: Double = 10, except ids: Set<String> = []) {
  let overlaps = journal.overlaps(type)
  #expect(overlaps.isEmpty, "a device twice at once: \(overlaps.prefix(3))")
  let repeats = journal.repeats(type, within: halfPeriod).filter { !ids.contains($0.0.id) }
  #expect(repeats.isEmpty, "a device again within half a period: \(repeats.prefix(3))")
}

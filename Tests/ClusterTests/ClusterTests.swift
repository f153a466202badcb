import Fixture
import Glibc
import Testing

/// Real nodes on one database and one Redis. One after the other, since they measure times.
@Suite(.serialized) struct ClusterTests {}

/// The long run at the size and length that the requirements name.
let fullLength = getenv("FULL_LENGTH").map { String(cString: $0) == "1" } ?? false

/// Polling alone, every 20 s.
let pollingOnly: [String: JSON] = [
  "distributed_poller": true, "service_poller_frequency": 20, "service_poller_workers": 24, "service_poller_down_retry": 8,
  "service_master_timeout": 5, "service_discovery_enabled": false, "service_ping_enabled": false, "service_services_enabled": false,
  "service_alerting_enabled": false, "service_billing_enabled": false, "service_update_enabled": false,
]

/// Polls that were last started evenly spread over a period of 20 s: an equal number is due each second.
let spreadOverPeriod = "NOW() - INTERVAL (seq % 20) SECOND"

extension [String: JSON] {
  func with(_ changes: [String: JSON]) -> [String: JSON] { merging(changes) { $1 } }
}

/// For progress lines: two digits after the point.
func seconds(_ value: Double) -> String {
  guard value.isFinite else { return "never" }
  let hundredths = Int((value * 100).rounded())
  return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) s"
}

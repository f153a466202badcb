import Core
import JobKit

@testable import AlertingProc
@testable import BillingProc
@testable import DiscoveryProc
@testable import MaintenanceProc
@testable import PingProc
@testable import PollerProc
@testable import ServicesProc

/// Every scheduler type by its word.
let allTypes: [TaskType: any SchedulerType] = [
  .poller: PollerType(), .discovery: DiscoveryType(), .services: ServicesType(), .ping: PingType(), .alerting: AlertingType(),
  .billing: BillingType(), .maintenance: MaintenanceType(),
]

func settings(generation: Int = 26, debug: Bool = false, output: OutputMode = .none, groups: [Int] = [0]) -> Settings {
  var settings = Settings(base: "/opt/librenms", nodeID: "n", pollerName: "n")
  settings.scripts.discoverCommand = generation == 26
  settings.scripts.fastPingCommand = generation == 26
  settings.flags.debug = debug
  settings.flags.output = output
  settings.groups = groups
  return settings
}

func item(_ payload: String, group: Int = 0) -> QueueItem { QueueItem(payload: payload, group: group, score: 5) }

/// The scheduler types of LibreNMS. The raw value is the word that LibreNMS uses in setting names, Redis keys and reports.
public enum TaskType: String, Codable, CaseIterable, Sendable, CodingKeyRepresentable {
  case poller, discovery, services, ping, billing, alerting, maintenance

  /// By its place in the list: hashing the word is what a look into a dictionary by type would mostly cost.
  public func hash(into hasher: inout Hasher) {
    let place: UInt8 =
      switch self {
      case .poller: 0
      case .discovery: 1
      case .services: 2
      case .ping: 3
      case .billing: 4
      case .alerting: 5
      case .maintenance: 6
      }
    hasher.combine(place)
  }

  /// The name of the executable that runs this type.
  public var executable: String {
    switch self {
    case .poller: "librenms-pollerd"
    case .discovery: "librenms-discoveryd"
    case .services: "librenms-servicesd"
    case .ping: "librenms-pingd"
    case .billing: "librenms-billingd"
    case .alerting: "librenms-alertingd"
    case .maintenance: "librenms-maintenanced"
    }
  }

  /// The word in lock owners, spelled as the Python service spells it.
  public var ownerName: String {
    rawValue.prefix(1).uppercased() + rawValue.dropFirst()
  }
}

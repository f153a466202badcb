/// The scheduler types of LibreNMS. The raw value is the word that LibreNMS uses in setting names, Redis keys and reports.
public enum TaskType: String, Codable, CaseIterable, Sendable, CodingKeyRepresentable {
  case poller, discovery, services, ping, billing, alerting, maintenance

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

/// A row of `devices`, with the columns that a node reads. Times are whole seconds since 1970, as the server keeps them; nil = NULL.
public struct SimulatedDevice: Equatable, Sendable {
  public var id: Int64
  public var hostname: String
  public var group: Int
  public var isDisabled = false
  /// 1 = up, 0 = down; the column takes anything.
  public var status = 1
  /// 0 = the zero date, which a server that is not strict takes for nonsense.
  public var lastPolled: Int64?
  /// Seconds.
  public var lastPolledTaken: Double?
  public var lastDiscovered: Int64?
  public var lastDiscoveredTaken: Double?
  public var hasServices = false

  public init(id: Int64, hostname: String? = nil, group: Int = 0) {
    self.id = id
    self.hostname = hostname ?? "device-\(id)"
    self.group = group
  }
}

/// A row of `poller_cluster` with its rows of `poller_cluster_stats`.
public struct SimulatedClusterRow: Equatable, Sendable {
  /// Figures of `poller_cluster_stats`.
  public struct Figures: Equatable, Sendable {
    public var depth: Int
    public var devices: Int
    public var workerSeconds: Double
    public var workers: Int
    public var frequency: Int

    public init(depth: Int, devices: Int, workerSeconds: Double, workers: Int, frequency: Int) {
      self.depth = depth
      self.devices = devices
      self.workerSeconds = workerSeconds
      self.workers = workers
      self.frequency = frequency
    }
  }

  public var nodeID: String
  public var name: String
  public var version = ""
  public var groups: String
  /// Seconds since 1970 by the server's clock.
  public var lastReport: Int64
  public var master = 0
  /// The admin's; nil = NULL.
  public var pollerEnabled: Int?
  public var pollerFrequency: Int?
  public var discoveryFrequency: Int?
  /// By `poller_type`.
  public var stats: [String: Figures] = [:]

  public init(nodeID: String, name: String, groups: String, lastReport: Int64) {
    self.nodeID = nodeID
    self.name = name
    self.groups = groups
    self.lastReport = lastReport
  }
}

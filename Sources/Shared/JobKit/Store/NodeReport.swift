import Core
import Database

/// What the node says about itself in `poller_cluster` and `poller_cluster_stats`, at one moment.
public struct NodeReport: Equatable, Sendable {
  /// One row of `poller_cluster_stats`.
  public struct TypeRow: Equatable, Sendable {
    public var type: TaskType
    public var depth: Int
    public var jobs: Int
    public var seconds: Double
    public var workers: Int
    public var frequency: Int

    public init(type: TaskType, depth: Int, jobs: Int, seconds: Double, workers: Int, frequency: Int) {
      self.type = type
      self.depth = depth
      self.jobs = jobs
      self.seconds = seconds
      self.workers = workers
      self.frequency = frequency
    }
  }

  /// What was there when the report was written. `last_report` before and after: what is in between was written by somebody else.
  public struct Written: Equatable, Sendable {
    /// When the row was reported before this report; nil = it is new.
    public var before: String?
    public var after: String
    /// The other living nodes, if this one leads: as they were before the report cleared anything in their rows.
    public var others: [OtherNode]

    public init(before: String?, after: String, others: [OtherNode] = []) {
      self.before = before
      self.after = after
      self.others = others
    }
  }

  /// The row of another node that reported lately.
  public struct OtherNode: Equatable, Sendable {
    public var node: String
    public var name: String
    /// As they are in the row: numbers with commas between them.
    public var groups: [Int]
    public var isMaster: Bool
    /// Since its last report.
    public var age: Duration

    public init(node: String, name: String, groups: [Int], isMaster: Bool, age: Duration) {
      self.node = node
      self.name = name
      self.groups = groups
      self.isMaster = isMaster
      self.age = age
    }
  }

  /// A node that has not reported for this long is not among the others: ours report every 30 s, Python's each polling period.
  public static let othersAge = Duration.seconds(180)
  /// Room for a node's name and for its groups, in characters.
  public static let textLimit = 255

  public var nodeID: String
  public var name: String
  public var groups: String
  public var version: String
  public var isMaster: Bool
  public var rows: [TypeRow]
  /// Rows of other nodes that say that they are master and are older than this are cleared by a master; nil = not ours to clear.
  public var staleMasterAge: Duration?

  public init(
    nodeID: String, name: String, groups: String, version: String, isMaster: Bool, rows: [TypeRow], staleMasterAge: Duration?
  ) {
    self.nodeID = nodeID
    self.name = name
    self.groups = groups
    self.version = version
    self.isMaster = isMaster
    self.rows = rows
    self.staleMasterAge = staleMasterAge
  }

  /// The error of a new row whose name or groups have no room: a server that is not strict would cut them off, and what is left then wins
  /// over the configuration.
  public var refusal: DatabaseError? {
    for (column, text) in [("poller_name", name), ("poller_groups", groups)] where text.count > Self.textLimit {
      return DatabaseError(
        kind: .statement, number: 0,
        text: "\(column) has room for \(Self.textLimit) characters and this node's would need \(text.count): \(text.prefix(40))…")
    }
    return nil
  }
}

/// Writes the node's report. Name and groups are written with a new row only: later they are the admin's.
public struct WriteReport: DatabaseQuestion, Equatable {
  public var report: NodeReport

  public init(_ report: NodeReport) { self.report = report }

  /// Done twice, its own first half would look like a twin.
  public var mayRepeat: Bool { false }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> NodeReport.Written {
    try session.write(report)
  }
}

/// The last word of a node that stops: another one leads now.
public struct ClearMaster: DatabaseQuestion, Equatable {
  public var nodeID: String

  public init(nodeID: String) { self.nodeID = nodeID }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) {
    try session.clearMaster(nodeID: nodeID)
  }
}

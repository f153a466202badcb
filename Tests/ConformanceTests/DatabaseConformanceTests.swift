import Core
import Database
import Fixture
import JobKit
import Simulation
import Testing

@testable import JobKit

/// The same rows and the same questions, in the simulation and in a real server whose clock stands still (`SET timestamp`): the same answers.
///
/// Rows whose order a statement leaves open may come in any.
@Suite(.serialized) final class DatabaseConformanceTests {
  private let mark = ProcessMark()
  private let server: MariaDBServer
  private let connection: DatabaseConnection
  private let loader: TableLoader
  /// What was answered, in words: a test of empty answers would show nothing.
  private var seen: [String: Int] = [:]

  init() throws {
    server = try MariaDBServer(mark: mark)
    connection = try server.connect()
    loader = TableLoader(try server.connect())
  }

  deinit { mark.killAll() }

  private func count(_ what: String, _ number: Int = 1) { seen[what, default: 0] += number }

  @Test func everyQuestionHasTheSameAnswer() throws {
    for seed in UInt64(1)...50 { try play(seed) }
    let expected = [
      "due", "early", "newcomer", "run", "disabled", "no such device", "not a device id", "now in group", "newer than half a period",
      "unseenDone", "unseenDown", "unseenLost", "ahead", "behind", "coverage", "others", "report of a new node", "report of a known node",
      "refused report", "other masters", "early poll",
    ]
    let rare = expected.filter { seen[$0, default: 0] < 5 }
    #expect(rare.isEmpty, "\(seen)")
  }

  private func play(_ seed: UInt64) throws {
    var random = RandomTables(seed: seed)
    var tables = random.tables()
    let zone = random.pick([0, 7200, -12_600])
    try server.administer("SET GLOBAL time_zone = '\(zone == 0 ? "+00:00" : zone > 0 ? "+02:00" : "-03:30")'")
    try loader.load(tables)
    for _ in 0..<3 {
      try connection.query("SET timestamp = \(random.now).\(random.pick([0, 5, 999]))")
      try ask(&random, &tables, zone, "seed \(seed), now \(random.now)")
      random.now += Int64(random.number(0...400))
      for _ in 0..<3 {
        let id = Int64(random.number(1...40))
        if random.chance(30) { tables.remove(id) } else { tables.set(random.device(id)) }
        try loader.put(id, tables[id])
      }
    }
  }

  private func ask(_ random: inout RandomTables, _ tables: inout SimulatedTables, _ zone: Int, _ place: String) throws {
    // New ones remember nothing of rows that are gone.
    func real() -> MariaDBSession { MariaDBSession(connection) }
    let start = MonotonicTime(nanoseconds: 0)
    var age = Duration.milliseconds(random.number(0...600_000))
    if random.chance(60), let taken = tables.devices.compactMap(\.lastDiscoveredTaken).filter({ $0 < 1e6 }).max() {
      // When an overdue discovery is held back no more.
      age = Duration(seconds: taken * DueQuestion.restartMargin)
    }
    for question in random.dueQuestions(startedAt: start) {
      let here = tables.due(question, serviceAge: age.inSeconds, now: random.now)
      let there = try real().due(question, askedAt: start + age)
      #expect(here == DueOrder(question, tables).canonical(there, place), "\(place): \(question)")
      count("due", here.count)
      count("early", here.count(where: \.isEarly))
      if case .polls = question { count("early poll", here.count(where: \.isEarly)) }
      count("newcomer", here.count(where: \.isNewcomer))
    }
    for _ in 0..<30 {
      let question = random.fitnessQuestion(tables)
      let here = tables.fitness(question, now: random.now)
      #expect(try here == real().fitness(question), "\(place): \(question)")
      count(Self.word(here))
    }
    for _ in 0..<12 {
      let question = random.endQuestion(tables)
      let here = tables.ending(question, now: random.now)
      #expect(try here == real().ending(question), "\(place): \(question)")
      count("\(here)")
    }
    let devices = DevicesQuestion(ids: (0..<random.number(0...5)).map { _ in Int64(random.number(-1...50)) })
    #expect(try tables.devices(devices) == real().devices(devices), "\(place): \(devices)")
    try askDiagnosis(&random, tables, zone, place)
    try report(&random, &tables, zone, place)
  }

  private func askDiagnosis(_ random: inout RandomTables, _ tables: SimulatedTables, _ zone: Int, _ place: String) throws {
    let session = MariaDBSession(connection)
    let clocks = random.clocksQuestion()
    let there = try session.clocks(clocks)
    // The reading compares the server's clock, which stands still, with that of this host.
    let here = tables.clocks(clocks, clock: there.clock, isReadOnly: false, now: random.now)
    #expect(here == there && there.clock?.databaseOffset == zone, "\(place): \(clocks)")
    count("ahead", here.ahead)
    count("behind", here.behind.count)
    let question = random.coverageQuestion()
    let coverage = tables.coverage(question, now: random.now)
    let other = try session.coverage(question)
    #expect(coverage.devices == other.devices, "\(place): \(question)")
    func sorted(_ nodes: [CoverageQuestion.Node]) -> [String] { nodes.map { "\($0)" }.sorted() }
    #expect(sorted(coverage.others) == sorted(other.others), "\(place): \(question)")
    count("coverage", coverage.devices.count)
    count("others", coverage.others.count)
  }

  private func report(_ random: inout RandomTables, _ tables: inout SimulatedTables, _ zone: Int, _ place: String) throws {
    let report = random.report()
    let here = Result { () throws(DatabaseError) in try tables.write(report, now: random.now, zone: zone) }
    var there = Result { () throws(DatabaseError) in try MariaDBSession(connection).write(report) }
    if case .success(var written) = there {
      let order = tables.cluster.map(\.nodeID)
      written.others.sort { order.firstIndex(of: $0.node) ?? 0 < order.firstIndex(of: $1.node) ?? 0 }
      there = .success(written)
    }
    #expect(here == there, "\(place): \(report)")
    switch here {
    case .success(let written):
      count(written.before == nil ? "report of a new node" : "report of a known node")
      count("other masters", written.others.count(where: \.isMaster))
    case .failure: count("refused report")
    }
    if random.chance(30) {
      let node = random.pick(RandomTables.nodes)
      tables.clearMaster(nodeID: node)
      try MariaDBSession(connection).clearMaster(nodeID: node)
    }
    #expect(try loader.cluster() == tables.cluster, "\(place): \(report)")
  }

  /// The simulation passes over what can't be due yet.
  @Test func devicesBecomeDueInTheSameSecond() throws {
    var changes = 0
    for seed in UInt64(1)...20 {
      var random = RandomTables(seed: seed)
      var tables = random.tables(devices: 4)
      try loader.load(tables)
      let question = DueQuestion.polls(period: .seconds(random.pick([60, 300])), lookAhead: .seconds(random.pick([0, 1])), groups: nil)
      var last: [DueJob] = []
      for _ in 0..<40 {
        try connection.query("SET timestamp = \(random.now)")
        let here = tables.due(question, serviceAge: 0, now: random.now)
        let there = try MariaDBSession(connection).due(question, askedAt: MonotonicTime(nanoseconds: 0))
        let place = "seed \(seed), now \(random.now)"
        #expect(here == DueOrder(question, tables).canonical(there, place), "\(place): \(question)")
        if here != last { changes += 1 }
        last = here
        random.now += Int64(random.number(0...2))
        // An admin, or another node.
        if random.chance(10) {
          let device = random.device(Int64(random.number(1...4)))
          tables.set(device)
          try loader.put(device.id, device)
        }
        // What is due is done, as a node would.
        for job in here where random.chance(50) {
          guard let id = Int64(job.payload), var device = tables[id] else { continue }
          device.lastPolled = random.now - Int64(random.number(0...300))
          device.lastPolledTaken = Double(random.number(0...20))
          tables.set(device)
          try loader.put(id, device)
        }
      }
    }
    #expect(changes > 50, "\(changes)")
  }

  private static func word(_ fitness: Fitness) -> String {
    guard case .skip(let reason) = fitness else { return "run" }
    let words = ["now in group", "newer than half a period"]
    return words.first { reason.contains($0) } ?? reason
  }

  @Test func aReadOnlyServerRefusesTheSame() throws {
    let loop = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: 1))
    let simulated = SimulatedDatabase(loop: loop)
    simulated.isReadOnly = true
    try loader.load(simulated.tables)
    try server.administer("SET GLOBAL read_only = 1")
    defer { _ = try? server.administer("SET GLOBAL read_only = 0") }
    var random = RandomTables(seed: 5)
    let reports = (0..<40).map { _ in random.report() }
    var numbers: Set<UInt32> = []
    for report in reports {
      let scene = VirtualClient(simulated)
      let here = scene.ask(WriteReport(report))
      let there = Result { () throws(DatabaseError) in try MariaDBSession(connection).write(report) }
      guard case .failure(let one) = here, case .failure(let other) = there else {
        Issue.record("\(report): \(here), \(there)")
        continue
      }
      #expect(one.kind == other.kind && one.number == other.number && one.isTransient == other.isTransient)
      numbers.insert(one.number)
    }
    #expect(numbers == [0, 1290])
    let suspects = ClocksQuestion(suspects: [.init(type: .poller, device: "1", time: .polled)])
    #expect(try VirtualClient(simulated).ask(suspects).get().isReadOnly && MariaDBSession(connection).clocks(suspects).isReadOnly)
  }
}

/// The order that a due question promises: equal rows in any.
struct DueOrder {
  private let question: DueQuestion
  private let tables: SimulatedTables

  init(_ question: DueQuestion, _ tables: SimulatedTables) {
    self.question = question
    self.tables = tables
  }

  private func key(_ job: DueJob) -> (Int, Double) {
    let taken = Int64(job.payload).flatMap { tables[$0] }?.lastPolledTaken ?? -1
    switch question {
    case .polls: return (0, -taken)
    case .discoveries, .allDevices: return (job.isNewcomer ? 0 : 1, -taken)
    case .deviceGroups: return (job.group, 0)
    case .devicesWithServices, .fixed: return (0, 0)
    }
  }

  /// Equal rows by id, after a look whether the answer has the order.
  func canonical(_ jobs: [DueJob], _ place: String) -> [DueJob] {
    if case .deviceGroups = question { return jobs.sorted { $0.group < $1.group } }
    for (job, next) in zip(jobs, jobs.dropFirst()) { #expect(key(job) <= key(next), "\(place): \(question): \(job) before \(next)") }
    return jobs.sorted { (key($0).0, key($0).1, Int64($0.payload) ?? 0) < (key($1).0, key($1).1, Int64($1.payload) ?? 0) }
  }
}

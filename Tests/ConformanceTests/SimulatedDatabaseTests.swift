import Core
import Database
import JobKit
import Simulation
import Testing

/// The simulated server's faults, as the product's client meets them. The same facts about a real server are in `DatabaseClientTests`.
@Suite struct SimulatedDatabaseTests {
  private let server: SimulatedDatabase
  private let polls = DueQuestion.polls(period: .seconds(300), lookAhead: .seconds(1), groups: nil)

  init() { server = Self.server(seed: 1) }

  private static func server(seed: UInt64, devices: Int64 = 3) -> SimulatedDatabase {
    let server = SimulatedDatabase(loop: EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: seed)))
    for id in 1...devices {
      var device = SimulatedDevice(id: id)
      device.lastDiscovered = server.now - 1000
      server.tables.set(device)
    }
    return server
  }

  private func due(_ scene: VirtualClient) throws -> [String] { try scene.ask(polls).get().map(\.payload) }

  private var report: NodeReport {
    NodeReport(nodeID: "a", name: "a", groups: "0", version: "1", isMaster: true, rows: [], staleMasterAge: .seconds(40))
  }

  @Test func aDeviceIsDueAPeriodAfterItsPollBeganAndNotBefore() throws {
    let scene = VirtualClient(server)
    #expect(try due(scene) == ["1", "2", "3"])
    for id in 1...3 { #expect(server.polled(Int64(id), taken: .seconds(20))) }
    #expect(try due(scene).isEmpty)
    scene.turn(for: .seconds(276))
    #expect(try due(scene).isEmpty)
    scene.turn(for: .seconds(4))
    #expect(try due(scene) == ["1", "2", "3"])
  }

  @Test func anOutageIsToldByTheFirstQuestionAndItsEndWithinTwoSeconds() throws {
    let scene = VirtualClient(server)
    server.goDown()
    #expect(scene.client.isUp == true, "nobody has asked")
    #expect((try? due(scene)) == nil)
    scene.turn(for: .seconds(30))
    #expect((try? due(scene)) == nil && scene.changes == [true, false])
    server.comeUp()
    scene.turn(for: .seconds(2))
    #expect(try due(scene).count == 3)
    #expect(scene.changes == [true, false, true] && scene.lines.all.count == 3, "\(scene.lines.all)")
  }

  @Test func aConnectionThatIsCutIsReplacedWithoutAWord() throws {
    let scene = VirtualClient(server)
    server.cutConnections()
    #expect(try due(scene).count == 3)
    let answer = scene.begin(polls)
    server.cutConnections()
    scene.turn(for: .seconds(1))
    #expect(try answer.value?.get().count == 3)
    #expect(scene.changes == [true] && scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  /// With an effect or without: the cut comes at a random moment.
  @Test func aReportThatIsCutIsNotWrittenTwice() throws {
    var effects: Set<Bool> = []
    for seed in UInt64(1)...40 {
      let server = Self.server(seed: seed)
      let scene = VirtualClient(server)
      let answer = scene.begin(WriteReport(report))
      scene.turn(for: .nanoseconds(Int64(seed) * 100_000))
      server.cutConnections()
      scene.turn(for: .seconds(1))
      guard case .failure(let error) = answer.value else { continue }
      #expect(error.isOutage && scene.client.isUp == true)
      effects.insert(!server.tables.cluster.isEmpty)
    }
    #expect(effects == [false, true])
  }

  @Test func aServerThatIsSilentIsAwayAfterTenSecondsAndBackWithItsFirstAnswer() throws {
    let scene = VirtualClient(server)
    server.freeze()
    let answer = scene.begin(polls)
    scene.turn(for: .seconds(9))
    #expect(answer.value == nil && scene.client.isUp == true)
    scene.turn(for: .seconds(3))
    #expect(answer.value != nil && scene.changes == [true, false])
    #expect((try? due(scene)) == nil)
    server.thaw()
    scene.turn(for: .milliseconds(100))
    #expect(scene.changes == [true, false, true])
    #expect(try due(scene).count == 3)
    // For longer than libmariadb waits for an answer, and than a connection may take.
    server.freeze()
    _ = scene.begin(polls)
    scene.turn(for: .seconds(100))
    server.thaw()
    scene.turn(for: .seconds(2))
    #expect(try due(scene).count == 3)
    #expect(scene.lines.all.count == 5, "\(scene.lines.all)")
  }

  @Test func whatPassesIsAskedAgainAndWhatLastsIsToldToWhoeverAsked() throws {
    let scene = VirtualClient(server)
    server.transientErrors = 0.2
    let answers = (0..<200).map { _ in scene.ask(polls) }
    #expect((190..<200).contains(answers.count { (try? $0.get()) != nil }), "three tries each")
    server.transientErrors = 1
    guard case .failure(let error) = scene.ask(polls) else {
      Issue.record("an answer")
      return
    }
    #expect(error.isTransient && scene.changes == [true])
  }

  @Test func aReadOnlyServerKeepsNothing() throws {
    server.isReadOnly = true
    let scene = VirtualClient(server)
    #expect(!server.polled(1, taken: .seconds(1)) && !server.discovered(1, taken: .seconds(1)))
    #expect(try due(scene).count == 3)
    #expect((try? scene.ask(WriteReport(report)).get()) == nil && server.tables.cluster.isEmpty)
    #expect(scene.changes == [true])
  }

  @Test func aClockThatIsOffMakesDevicesDueTooEarlyOrTooLate() throws {
    server.clockOffset = .seconds(-120)
    let scene = VirtualClient(server)
    for id in 1...3 { server.polled(Int64(id), taken: .seconds(1)) }
    let clocks = try scene.ask(ClocksQuestion(suspects: [])).get()
    #expect(clocks.ahead == 3 && (119...120).contains(clocks.furthest) && clocks.clock?.skew == -120)
    scene.turn(for: .seconds(310))
    #expect(try due(scene).isEmpty)
    server.clockOffset = .zero
    #expect(try due(scene).count == 3)
  }

  @Test func otherSettingsMakeAnotherConnectionAndTheSameNone() throws {
    let scene = VirtualClient(server)
    let before = scene.client.statementCount
    scene.client.change(DatabaseSettings())
    scene.turn(for: .seconds(1))
    #expect(scene.client.statementCount == before)
    var other = DatabaseSettings()
    other.name = "other"
    scene.client.change(other)
    scene.turn(for: .seconds(1))
    #expect(scene.client.statementCount == before + 2 && scene.changes == [true])
  }

  /// Everything at once, twice: whoever draws the same dice has the same minutes.
  @Test(arguments: UInt64(1)...8) func theSameSeedGivesTheSameMinutes(_ seed: UInt64) throws {
    #expect(try Self.minutes(seed) == Self.minutes(seed))
  }

  private static func minutes(_ seed: UInt64) throws -> [String] {
    let server = server(seed: seed, devices: 20)
    var dice = SeededGenerator(seed: seed)
    server.transientErrors = 0.05
    let scene = VirtualClient(server)
    let clients = [scene, VirtualClient(server)]
    var trace: [String] = []
    for second in 0..<400 {
      for (number, scene) in clients.enumerated() {
        scene.client.ask(DueQuestion.polls(period: .seconds(60), lookAhead: .seconds(1), groups: nil)) {
          trace.append("\(second) \(number) \($0)")
        }
      }
      clients[0].client.ask(
        WriteReport(.init(nodeID: "a", name: "a", groups: "0", version: "1", isMaster: true, rows: [], staleMasterAge: nil))
      ) {
        trace.append("\(second) \($0)")
      }
      switch Int.random(in: 0..<40, using: &dice) {
      case 0: server.goDown()
      case 1: server.freeze()
      case 2, 3: server.comeUp()
      case 4, 5: server.thaw()
      case 6: server.cutConnections()
      case 7: server.isReadOnly.toggle()
      case 8: server.clockOffset = .seconds(Int.random(in: -400...400, using: &dice))
      case 9: server.addGarbage(2, using: &dice)
      default: server.polled(Int64.random(in: 1...20, using: &dice), taken: .milliseconds(Int.random(in: 1...90_000, using: &dice)))
      }
      scene.turn(for: .seconds(1))
      clients[1].client.look(at: server.loop.now)
    }
    return trace + scene.lines.all
  }

  /// A virtual hour of a leader's due queries over 200 devices, each of them polled every five minutes.
  @Test func anHourOfDueQueriesCostsLittle() throws {
    let server = Self.server(seed: 1, devices: 200)
    let scene = VirtualClient(server)
    var polled = 0
    let begin = ContinuousClock.now
    for _ in 0..<3600 {
      scene.client.ask(polls) { answer in
        for job in (try? answer.get()) ?? [] where !job.isEarly {
          polled += 1
          server.polled(Int64(job.payload) ?? 0, taken: .seconds(3))
        }
      }
      scene.turn(for: .seconds(1))
    }
    let each = (ContinuousClock.now - begin) / 3600
    #expect((200 * 12...200 * 13).contains(polled), "\(polled)")
    // A release build takes a tenth of it, and so does a machine that has nothing else to do.
    #expect(each < .milliseconds(2), "\(each) each")
  }
}

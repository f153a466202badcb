import Core
import Fixture
import Glibc
import Logging
import Testing

@testable import Supervisor

@Suite struct NotificationPlanTests {
  /// All messages, as a reader takes them.
  private func messages(_ plan: NotificationPlan) -> [String] {
    var plan = plan
    var all: [String] = []
    while let next = plan.next {
      all.append(next)
      plan.sent()
    }
    return all
  }

  @Test func readyComesWithTheLatestStatus() {
    var plan = NotificationPlan()
    plan.say(status: "old")
    plan.say(status: "new")
    plan.enter(.ready)
    #expect(messages(plan) == ["READY=1\nSTATUS=new"])
  }

  @Test func whatWasNotTakenIsKeptOnceAndWithItsLatestValue() {
    var plan = NotificationPlan()
    for number in 1...1000 {
      plan.say(status: "\(number)")
      plan.beat()
      plan.extendTimeout(microseconds: Int64(number))
    }
    #expect(messages(plan) == ["EXTEND_TIMEOUT_USEC=1000\nWATCHDOG=1\nSTATUS=1000"])
    plan.withholdBeat()
    #expect(messages(plan) == ["EXTEND_TIMEOUT_USEC=1000\nSTATUS=1000"])
  }

  @Test func phasesKeepTheirOrderAndReloadsThatNobodySawAreOne() {
    var plan = NotificationPlan()
    plan.enter(.ready)
    for time in 1...500 {
      plan.enter(.reloading(microseconds: time))
      plan.enter(.ready)
      plan.enter(.ready)
    }
    plan.enter(.stopping)
    #expect(messages(plan) == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=500", "READY=1", "STOPPING=1"])
  }

  @Test func aReloadUnderWayIsNotEnded() {
    var plan = NotificationPlan()
    plan.enter(.reloading(microseconds: 1))
    plan.enter(.reloading(microseconds: 2))
    #expect(messages(plan) == ["RELOADING=1\nMONOTONIC_USEC=2"])
  }
}

@Suite struct ServiceNotifierTests {
  /// A service manager that reads only when it is told to.
  private final class Manager {
    let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)

    init(_ address: String) throws {
      let bound = SocketAddress.use(text: address) { bind(fd, $0, $1) }
      guard bound == 0 else { throw FixtureError("bind \(address): \(errno)") }
    }

    deinit { close(fd) }

    func read() -> [String] {
      var all: [String] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while case let count = recv(fd, &buffer, buffer.count, 0), count > 0 { all.append(String(decoding: buffer[..<count], as: UTF8.self)) }
      return all
    }
  }

  private func notifier(_ address: String) throws -> ServiceNotifier {
    let log = Logger(label: "test")
    return ServiceNotifier(manager: NotifySocket(address: address, log: log), loop: try EventLoop(), log: log)
  }

  @Test(arguments: [false, true]) func nobodyWaitsForAManagerThatDoesNotRead(isAbstract: Bool) throws {
    let directory = try TemporaryDirectory()
    let address = isAbstract ? "@lnmsd-test-\(getpid())" : directory.path + "/notify"
    let manager = try Manager(address)
    let notifier = try notifier(address)
    let start = ContinuousClock.now
    notifier.ready()
    for number in 1...2000 {
      notifier.status("\(number)")
      notifier.watchdog(isWell: true)
    }
    notifier.reloading()
    notifier.reloaded()
    notifier.stopping()
    #expect(ContinuousClock.now - start < .seconds(2))
    var heard = manager.read()
    #expect(heard.first?.hasPrefix("READY=1") == true)
    for _ in 0..<3 {
      notifier.flush()
      heard += manager.read()
    }
    let phases = heard.compactMap { $0.split(separator: "\n").first }.filter { ["READY=1", "RELOADING=1", "STOPPING=1"].contains($0) }
    #expect(phases == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"])
    #expect(heard.last { $0.contains("STATUS=") }?.contains("STATUS=2000") == true)
  }

  @Test func aManagerThatMakesItsSocketLaterHearsWhatIsTrueThen() throws {
    let directory = try TemporaryDirectory()
    let notifier = try notifier(directory.path + "/notify")
    notifier.status("one")
    notifier.ready()
    notifier.status("two")
    let manager = try Manager(directory.path + "/notify")
    notifier.flush()
    #expect(manager.read() == ["READY=1\nSTATUS=two"])
  }

  @Test(arguments: ["", "notify", "vsock:2:9999", "/" + String(repeating: "x", count: 200)])
  func anAddressThatIsNoneIsNoManager(address: String) throws {
    let notifier = try notifier(address)
    notifier.ready()
    #expect(notifier.isReady)
  }
}

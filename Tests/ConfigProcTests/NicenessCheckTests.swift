import Core
import Testing

@testable import ConfigProc

@Suite struct NicenessCheckTests {
  /// `lowest`: 20 = no right to go below 0, -20 = every right.
  @Test(arguments: [(-5, 20, true), (-5, 0, true), (-5, -5, false), (-6, -5, true), (-20, -20, false), (0, 20, false), (10, 20, false)])
  func onlyANicenessThatTheKernelWouldRefuseIsSaid(nice: Int32, lowest: Int, isSaid: Bool) {
    var settings = Settings(base: "/opt/librenms", nodeID: "a", pollerName: "a")
    var limits = TypeLimits(for: .poller)
    limits.nice = nice
    settings.limits[.poller] = limits
    let notes = NicenessCheck.notes(settings, lowest: lowest)
    #expect(notes.count == (isSaid ? 1 : 0))
    #expect(notes.allSatisfy { $0.text.hasPrefix("DISPATCHER_POLLER_NICE: \(nice)") && $0.text.contains("LimitNICE=\(nice)") })
  }
}

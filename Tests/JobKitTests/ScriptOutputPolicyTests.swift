import Testing

@testable import JobKit

/// Texts as PHP, Symfony's console, Collision and LibreNMS print them.
@Suite struct ScriptOutputPolicyTests {
  private static let alerts = ScriptOutputPolicy.Frame(opening: "Start:", closing: "End  :")
  private static let begin = "Start: Thu, 26 Nov 2026 12:00:00 +0000\r\nClearStaleAlerts():\nRunFollowUp():\r\nRunAlerts():\r\n"
  private static let end = "RunAcks():\r\nEnd  : Thu, 26 Nov 2026 12:00:01 +0000\r\n"

  @Test(arguments: [
    (
      "\n   In RunAlerts.php line 212:\n                                              \n  Cannot access offset of type string on string  \n      \n",
      "died of an exception: RunAlerts.php line 212: Cannot access offset of type string on string"
    ),
    (
      "\n   TypeError \n\n  Cannot access offset of type string on string\n\n  at LibreNMS/Alert/RunAlerts.php:212\n    208▕ \n",
      "died of an exception: TypeError: Cannot access offset of type string on string at LibreNMS/Alert/RunAlerts.php:212"
    ),
    (
      "PHP Fatal error:  Uncaught TypeError: Cannot access offset in /opt/librenms/x.php:3\nStack trace:\n#0 {main}\n  thrown in /opt/x.php on line 3\n",
      "died of an exception: TypeError: Cannot access offset in /opt/librenms/x.php:3"
    ),
    (
      "Fatal error: Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /x.php on line 7",
      "died of an exception: Fatal error: Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /x.php on line 7"
    ),
    (
      "PHP Parse error:  syntax error, unexpected token in /opt/librenms/config.php on line 9",
      "died of an exception: PHP Parse error:  syntax error, unexpected token in /opt/librenms/config.php on line 9"
    ),
    (
      "[2026-11-26 12:00:00] production.ERROR: no {\"exception\":\"[object] (UnexpectedValueException(code: 0): The stream could not be opened at /v.php:1)\"}",
      "died of an exception: UnexpectedValueException(code: 0): The stream could not be opened at /v.php:1)\"}"
    ),
    (
      "Could not connect to database, check logs/librenms.log.\n",
      "died of an exception: Could not connect to database, check logs/librenms.log."
    ),
  ])
  func exceptionsAreKnownByTheirTexts(_ output: String, _ expected: String) {
    #expect(ScriptOutputPolicy.fault(in: output) == expected)
    #expect(ScriptOutputPolicy.fault(in: Self.begin + output, frame: Self.alerts) == expected)
  }

  @Test func aRunOfAlertsHasALastLine() {
    #expect(ScriptOutputPolicy.fault(in: Self.begin + Self.end, frame: Self.alerts) == nil)
    #expect(ScriptOutputPolicy.fault(in: Self.begin + Self.end) == nil)
    #expect(
      ScriptOutputPolicy.fault(in: Self.begin, frame: Self.alerts)
        == "did not come to its end, since the line \"End  :\" is missing; its last one: RunAlerts():")
    #expect(ScriptOutputPolicy.fault(in: "Issuing Alert-UID #7\r\n", isCut: true, frame: Self.alerts)?.hasPrefix("did not come") == true)
    #expect(ScriptOutputPolicy.fault(in: "Issuing Alert-UID #7\r\n" + Self.end, isCut: true, frame: Self.alerts) == nil)
  }

  @Test(arguments: [
    "", "\r\n", "DEBUG!\n", "PHP Warning:  Undefined array key \"x\" in /opt/librenms/includes/common.php on line 7\n",
    "Polled device 5: 42 rows\nno errors, 0 exceptions\n", "sysDescr: Cisco Error Correcting Exception\n", "In other words: fine\n",
    "Exception\n",
  ])
  func goodRunsShowNothing(_ output: String) {
    #expect(ScriptOutputPolicy.fault(in: output, frame: Self.alerts) == nil)
  }

  @Test func aCauseIsSaidOnceForAllItsJobsAndIsOverWithTheLastOfThem() {
    var policy = UnnoticedFaultPolicy()
    #expect(policy.failed("poller 1", "x", at: .zero) == true)
    #expect(policy.failed("poller 2", "x", at: .seconds(1)) == false)
    #expect(policy.failed("poller 2", "y", at: .seconds(2)) == true)
    #expect(policy.failed("poller 1", "x", at: .seconds(3600)) == true, "again each hour")
    #expect(policy.lasting.map(\.jobs) == [2, 1])
    #expect(policy.worked("poller 1") == [])
    #expect(policy.worked("poller 2") == ["x", "y"])
    #expect(policy.lasting.isEmpty)
  }

  @Test func causesWithANumberInThemDoNotFillTheLog() {
    var policy = UnnoticedFaultPolicy()
    let said = (0..<1000).count { policy.failed("poller \($0)", "at offset \($0)", at: .seconds($0)) }
    #expect(said == UnnoticedFaultPolicy.limit)
  }
}

import Core
import JobKit
import Testing

/// The command lines of the contract with LibreNMS, row by row.
@Suite struct CommandLineTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var type: TaskType
    var payload: String
    var plain26: String
    var debug26: String
    /// nil: as 26.
    var plain25: String?
    var debug25: String?
    /// With a log output other than `none`, where that changes something.
    var logged: String?
    var testDescription: String { "\(type) \(payload)" }
  }

  /// `php X` stands for `/usr/bin/env php /opt/librenms/X`.
  static let rows = [
    Row(
      type: .poller, payload: "42", plain26: "lnms device:poll 42 -q", debug26: "lnms device:poll 42 -vv", logged: "lnms device:poll 42"),
    Row(
      type: .discovery, payload: "42", plain26: "lnms device:discover 42 -q", debug26: "lnms device:discover 42 -vv",
      plain25: "php discovery.php -h 42", debug25: "php discovery.php -d -h 42", logged: "lnms device:discover 42"),
    Row(
      type: .ping, payload: "", plain26: "lnms device:ping fast -q -g 3", debug26: "lnms device:ping fast -vv -g 3",
      plain25: "php ping.php -f -g 3", debug25: "php ping.php -d -f -g 3"),
    Row(type: .services, payload: "42", plain26: "php check-services.php -h 42", debug26: "php check-services.php -d -h 42"),
    Row(type: .alerting, payload: "alerts", plain26: "php alerts.php -f", debug26: "php alerts.php -d -f"),
    Row(type: .billing, payload: "poll", plain26: "php poll-billing.php -f", debug26: "php poll-billing.php -d -f"),
    Row(type: .billing, payload: "calculate", plain26: "php billing-calculate.php -f", debug26: "php billing-calculate.php -d -f"),
    Row(type: .maintenance, payload: "daily.sh", plain26: "daily.sh", debug26: "daily.sh"),
  ]

  private func line(_ row: Row, _ settings: Settings) -> String? {
    allTypes[row.type].map { type in
      let command = type.command(item(row.payload, group: 3), settings)
      var words = [command.path] + command.arguments
      if words.starts(with: ["/usr/bin/env", "php"]), words.count > 2, words[2].hasPrefix("/opt/librenms/") {
        words = ["php", String(words[2].dropFirst("/opt/librenms/".count))] + words.dropFirst(3)
      }
      return words.joined(separator: " ")
    }
  }

  @Test(arguments: rows) func everyCommandLineIsThatOfTheContract(_ row: Row) {
    #expect(line(row, settings()) == row.plain26)
    #expect(line(row, settings(debug: true)) == row.debug26)
    #expect(line(row, settings(generation: 25)) == row.plain25 ?? row.plain26)
    #expect(line(row, settings(generation: 25, debug: true)) == row.debug25 ?? row.debug26)
    for output in OutputMode.allCases where output != .none {
      #expect(line(row, settings(output: output)) == row.logged ?? row.plain26, "\(output)")
      #expect(line(row, settings(debug: true, output: output)) == row.debug26, "\(output)")
    }
  }

  @Test(
    arguments: [
      (TaskType.poller, "42", "dispatch_device_42_poller.log"), (.discovery, "42", "dispatch_device_42_discovery.log"),
      (.services, "42", "dispatch_device_42_services.log"), (.alerting, "alerts", "dispatch_alerts.log"), (.ping, "", nil),
      (.billing, "poll", nil), (.billing, "calculate", nil), (.maintenance, "daily.sh", nil),
    ] as [(TaskType, String, String?)])
  func outputGoesToTheFileOfTheContractOrIsOnlyKeptForErrors(_ type: TaskType, _ payload: String, _ file: String?) {
    #expect(allTypes[type]?.logFile(item(payload)) == file)
  }
}

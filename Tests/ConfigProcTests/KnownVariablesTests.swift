import Core
import Foundation
import Testing

@testable import ConfigProc

@Suite struct KnownVariablesTests {
  @Test(
    arguments: [
      ("DISPATCHER_POLLER_MEMORYMAX", "DISPATCHER_POLLER_MEMORY_MAX"), ("DISPATCHER_POLER_NICE", "DISPATCHER_POLLER_NICE"),
      ("DISPATCHER_SCHEDULE_RNU", "DISPATCHER_SCHEDULE_RUN"), ("dispatcher_php_opcache", "DISPATCHER_PHP_OPCACHE"),
      ("DISPATCHER_DISCOVERY_TIMEOUT", "DISPATCHER_DISCOVERY_JOB_TIMEOUT"), ("DISPATCHER_SOMETHING", nil), ("DISPATCHER_", nil),
      ("DISPATCHER_PINGS_CPU_QUOTA", "DISPATCHER_PING_CPU_QUOTA"),
    ] as [(String, String?)])
  func aMisspeltNameHasANearestOne(name: String, nearest: String?) {
    #expect(KnownVariables.nearest(name) == nearest)
    let complaints = KnownVariables.complaints(environment: [name, "PATH"], dotenv: [:])
    #expect(complaints.count == 1)
    #expect(complaints.first?.contains(nearest.map { "did you mean \($0)?" } ?? "it has no effect") == true)
  }

  @Test func everySettingOfTheConfigurationIsKnown() throws {
    #expect(KnownVariables.complaints(environment: KnownVariables.dispatcher, dotenv: ["DISPATCHER_POLLER_NICE": 3]).isEmpty)
    for type in TaskType.allCases {
      for resource in Resource.allCases { #expect(KnownVariables.dispatcher.contains(resource.setting(type))) }
    }
  }

  /// What any part of the program reads by a name of its own, found in its source.
  @Test func everyNameInTheSourcesIsKnown() throws {
    let sources = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Sources"
    var names: Set<String> = []
    let files = try #require(FileManager.default.enumerator(atPath: sources)).compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
    for file in files {
      for part in try String(contentsOfFile: sources + "/" + file, encoding: .utf8).components(separatedBy: "\"DISPATCHER_").dropFirst() {
        let name = "DISPATCHER_" + part.prefix { $0 == "_" || $0.isASCII && $0.isUppercase }
        if name != "DISPATCHER_" { names.insert(name) }
      }
    }
    #expect(names.count > 4)
    #expect(KnownVariables.complaints(environment: names, dotenv: [:]) == [])
  }

  @Test func aLongListIsCutAndTheFileIsNamedWithItsLine() throws {
    let lines = Dictionary(uniqueKeysWithValues: (1...40).map { ("DISPATCHER_X\($0)", $0) })
    #expect(KnownVariables.complaints(environment: [], dotenv: lines).count == 10)
    let sources = ResolverTests.sources(environment: ["DISPATCHER_POLLER_NICEE": "1"], dotenv: "NODE_ID=n\nDISPATCHER_SOMETHING=1\n")
    let notes = try ResolverTests.resolve(sources).notes
    #expect(notes.map(\.level) == [.warning, .warning])
    #expect(notes.contains { $0.text.contains("DISPATCHER_SOMETHING (.env line 2) is no setting") })
    #expect(notes.contains { $0.text.contains("DISPATCHER_POLLER_NICEE (the environment)") && $0.text.contains("DISPATCHER_POLLER_NICE?") })
  }

  @Test(arguments: [("", "", 0), ("ab", "ab", 0), ("ab", "ba", 1), ("abc", "abd", 1), ("abc", "", 3), ("kitten", "sitting", 3)])
  func changesAreCounted(first: String, second: String, count: Int) {
    #expect(KnownVariables.distance(first, second) == count)
  }
}

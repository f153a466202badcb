import Core
import Glibc
import MariaDBFixture
import Testing

@testable import ConfigProc

/// What is made of php's answers, and of a real php.
@Suite final class PHPCacheProbeTests {
  private static let answer = """
    a warning that php always prints

    @dispatcher
    version=8.2.1
    sapi=cli
    opcache=8.2.1
    enable=1
    """
  private let cache: String

  init() {
    var template = Array("/tmp/phpprobe-test-XXXXXX".utf8CString)
    mkdtemp(&template)
    cache = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? MariaDBServer.run(["rm", "-rf", cache], output: "/dev/null") }

  private func decide(_ wanted: PHPCache = .wanted, _ ask: @escaping (String, [CText]) -> ScriptRun) -> (PHPCache, [ConfigNote]) {
    var settings = Settings(base: "/opt/x", nodeID: "n", pollerName: "p")
    settings.phpCache = wanted
    let probe = PHPCacheProbe(environment: ["PATH=/usr/bin:/bin", "CACHE_DIRECTORY=\(cache)"], ask: ask)
    guard case .resolved(let decided, _, let notes) = probe.decide(.resolved(settings: settings, entries: [], notes: [])) else {
      return (.wanted, [])
    }
    return (decided.phpCache, notes)
  }

  private static func run(_ output: String, _ end: ScriptRun.End = .ended(.exited(0)), errors: String = "") -> ScriptRun {
    ScriptRun(end: end, output: Array(output.utf8), errors: errors)
  }

  private static func folder(_ environment: [CText]) -> String? {
    environment.compactMap(\.string).first { $0.hasPrefix("PHP_INI_SCAN_DIR=:") }.map { String($0.dropFirst("PHP_INI_SCAN_DIR=:".count)) }
  }

  @Test func aPHPThatTakesTheSettingsGetsTheCache() {
    let (decided, notes) = decide { _, environment in
      guard let folder = Self.folder(environment) else { return Self.run(Self.answer + "\n@end\n") }
      return Self.run(Self.answer + "\ncli=1\nonly=1\ncache=\(folder)\n@end\n")
    }
    guard case .on(let directory) = decided else {
      Issue.record("\(decided)")
      return
    }
    #expect(directory.hasPrefix(cache) && notes.isEmpty)
  }

  @Test func aPHPThatComplainsDoesNotKeepTheSettings() {
    var found: String?
    let (decided, _) = decide { _, environment in
      guard let folder = Self.folder(environment) else { return Self.run(Self.answer + "\n@end\n") }
      found = FileText.read(folder + "/dispatcher.ini", limit: 4096)
      return Self.run(
        Self.answer + "\ncli=1\nonly=1\ncache=\(folder)\n@end\n", errors: "Cannot load Zend OPcache - it was already loaded\n")
    }
    guard case .off(let reason) = decided else {
      Issue.record("\(decided)")
      return
    }
    #expect(reason.contains("already loaded") && found != nil)
  }

  @Test func aPHPThatDoesNotAnswerIsNoError() {
    for (end, output) in [
      (.ended(.exited(127)), ""), (.timedOut(.seconds(10)), ""), (.ended(.exited(0)), "@dispatcher\nversion=8"), (.notStarted("no"), ""),
    ]
      as [(ScriptRun.End, String)]
    {
      let (decided, notes) = decide { _, _ in Self.run(output, end) }
      guard case .off(let reason) = decided else {
        Issue.record("\(end): \(decided)")
        continue
      }
      #expect(reason.hasPrefix("php can't be asked") && notes.isEmpty)
    }
  }

  @Test func whatIsTurnedOffAsksNobody() {
    let (decided, _) = decide(.off(reason: "DISPATCHER_PHP_OPCACHE says so")) { _, _ in
      Issue.record("php was asked")
      return Self.run("")
    }
    #expect(decided == .off(reason: "DISPATCHER_PHP_OPCACHE says so"))
  }

  @Test func aFolderThatIsRefusedIsAnError() {
    chmod(cache, 0o777)
    let (decided, notes) = decide { _, _ in Self.run(Self.answer + "\n@end\n") }
    guard case .off = decided else {
      Issue.record("\(decided)")
      return
    }
    #expect(notes.map(\.level) == [.error])
  }

  /// The question is understood by a real php, whatever its settings are.
  @Test(.enabled(if: access("/usr/bin/php", X_OK) == 0, "there is no /usr/bin/php")) func aRealPHPAnswers() {
    let port = ReportPort(descriptor: -1)
    let (decided, _) = decide { code, environment in
      ScriptRunner(arguments: ["php", "-r", code], directory: "/", environment: environment, limit: .seconds(20), port: port).run()
    }
    switch decided {
    case .on(let directory): #expect(directory.hasPrefix(cache))
    case .off(let reason): #expect(!reason.hasPrefix("php can't be asked"), "\(reason)")
    case .wanted: Issue.record("nothing was decided")
    }
  }
}

import Core
import Glibc

enum StandInConfiguration {
  /// `ok workers=4 ping=on health=PATH poller=off note=WORD`, `watch=PATH` every `every=SECONDS`, `password=TEXT`, `level=ERROR`, `wait REASON`, `refuse CODE`, `garbage`, `cut`, `huge`, `die SIGNAL`, `silent`.
  static func run() -> Never {
    note("configd \(CommandLine.arguments.dropFirst().joined(separator: " "))")
    let words = behaviour("configd")
    switch words.first ?? "ok" {
    case "wait":
      send(ResolverReport.waiting(reason: words.dropFirst().joined(separator: " ")), to: 1)
      waitForReader()
    case "refuse":
      send(ResolverReport.refused(exitCode: Int32(words[1]) ?? 2, message: "the configuration is refused"), to: 1)
      exit(Int32(words[1]) ?? 2)
    case "garbage": sendBytes(Array("PHP Warning: something\n".utf8), to: 1)
    case "cut": sendBytes([0, 0, 1, 0, 123], to: 1)
    case "huge": sendBytes([0x7F, 0xFF, 0xFF, 0xFF], to: 1)
    case "die": kill(getpid(), Int32(words[1]) ?? SIGKILL)
    case "silent": waitForReader()
    default:
      let settings = settings(words.dropFirst())
      let entries = [
        ConfigEntry(key: "service_poller_workers", value: .integer(settings[.poller].workers), origin: "config dump"),
        ConfigEntry(key: "DB_PASSWORD", value: .text("***"), origin: ".env line 2"),
      ]
      let notes = words.filter { $0.hasPrefix("note=") }.map { ConfigNote(level: .warning, text: "a note of the configuration: \($0)") }
      send(ResolverReport.resolved(settings: settings, entries: entries, notes: notes), to: 1)
    }
    exit(0)
  }

  private static func settings(_ words: some Sequence<String>) -> Settings {
    let base = CommandLine.arguments.first { $0.hasPrefix("--base=") }.map { String($0.dropFirst(7)) } ?? "/"
    var settings = Settings(base: base, nodeID: "stand-in", pollerName: "stand-in")
    settings.database.password = "correct horse battery staple"
    settings.logLevel = .debug
    settings[.poller].frequency = .seconds(10)
    // What the tests are about are types that run and types that don't, not how many there are.
    for type in [TaskType.services, .alerting, .billing] { settings[type].enabled = false }
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if let type = TaskType(rawValue: parts[0]) { settings[type].enabled = parts[1] == "on" }
      if parts[0] == "workers" { settings[.poller].workers = Int(parts[1]) ?? 1 }
      if parts[0] == "health" { settings.healthFile = parts[1] }
      if parts[0] == "level" { settings.logLevel = LogLevel(rawValue: parts[1]) ?? .debug }
      if parts[0] == "password" { settings.database.password = parts[1] }
      if parts[0] == "every" { settings[.poller].frequency = .seconds(Int(parts[1]) ?? 10) }
      if parts[0] == "watch" {
        settings.watchdogEnabled = true
        settings.logFile = parts[1]
      }
    }
    return settings
  }

  private static func waitForReader() -> Never {
    var watched = pollfd(fd: 1, events: 0, revents: 0)
    while poll(&watched, 1, -1) <= 0 {}
    note("configd reader gone")
    exit(0)
  }
}

import Core

/// A raw value and where it comes from.
struct Candidate: Equatable {
  var value: JSONValue
  var origin: String
}

/// Everything that was read, before any of it is judged.
struct ConfigSources {
  var base: String
  var hostName: String
  var flags = RunFlags()
  /// The node's row in `poller_cluster`; empty = no row yet.
  var row: [String: JSONValue] = [:]
  var environment: [String: String] = [:]
  var dotenv = DotenvFile()
  var dump: [String: JSONValue] = [:]
  var scripts = ScriptGeneration()
  /// What limits in percent are a part of.
  var machine = MachineSize()

  init(base: String, hostName: String) {
    self.base = base
    self.hostName = hostName
  }

  func row(_ column: String) -> [Candidate] {
    row[column].map { [Candidate(value: $0, origin: "poller_cluster.\(column)")] } ?? []
  }

  /// A variable of the environment or the `.env` file. One that is set in the environment hides the file's, even if it is empty.
  func variable(_ name: String) -> [Candidate] {
    if let value = environment[name] { return [Candidate(value: .string(value), origin: "environment")] }
    return dotenv.entries[name].map { [Candidate(value: .string($0.value), origin: ".env line \($0.line)")] } ?? []
  }

  /// A key of the dump. `setting` is what the value is looked up for: another name is added to the origin.
  func dump(_ key: String, for setting: String) -> [Candidate] {
    dump[key].map { [Candidate(value: $0, origin: key == setting ? "config dump" : "config dump: \(key)")] } ?? []
  }
}

/// The configuration can't be used: the exit code of the contract and a message for people.
struct Refusal: Error, Equatable {
  var exitCode: Int32
  var message: String
}

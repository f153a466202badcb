import Core
import Glibc

/// The control group that the scripts of a type are started into, made and limited by the supervisor.
final class ScriptGroup {
  typealias Kills = MemoryKills

  let directory: String
  /// Of the directory.
  let descriptor: Int32

  init(directory: String) throws(SystemError) {
    self.directory = directory
    descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor < 0 { throw SystemError("open \(directory)") }
  }

  deinit { close(descriptor) }

  /// nil where memory is not limited.
  var kills: Kills? {
    FileText.read(directory + "/memory.events", limit: 1024).map { Self.kills(in: $0) }
  }

  static func kills(in events: String) -> Kills {
    var kills = Kills()
    for line in events.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let count = UInt64(words[1]) else { continue }
      if words[0] == "oom" { kills.atLimit = count }
      if words[0] == "oom_kill" { kills.killed = count }
    }
    return kills
  }

  /// Why a script that was killed by a signal nobody here sent was killed; nil: not for memory. Both counts since before its start; smaller
  /// ones than then are those of a group whose limits were taken away and set again.
  static func reason(before: Kills?, after: Kills?, limit: String?) -> String? {
    guard let after else { return nil }
    let before = before.map { $0.killed > after.killed ? Kills() : $0 } ?? Kills()
    guard after.killed > before.killed else { return nil }
    guard after.atLimit > before.atLimit else { return "killed for its memory: the service or the machine has too little" }
    return "killed for its memory, \(limit ?? "at the limit of its group")"
  }
}

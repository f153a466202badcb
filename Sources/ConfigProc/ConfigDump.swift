import FoundationEssentials

/// Why a dump is not used.
struct DumpFailure: Error, Equatable {
  var reason: String
}

/// The dump is all or nothing: anything but one clean JSON object from a script that ended well is refused, since half of it would look
/// like a configuration full of defaults.
enum ConfigDump {
  static func parse(_ run: ScriptRun) throws(DumpFailure) -> [String: JSONValue] {
    switch run.end {
    case .notStarted(let reason): throw DumpFailure(reason: "config dump can't be started: \(reason)")
    case .timedOut(let limit): throw DumpFailure(reason: "config dump did not end within \(limit) and was killed")
    case .ended(.exited(0)): break
    case .ended(let status): throw DumpFailure(reason: "config dump ended with \(status)\(said(run))")
    }
    guard !run.overflowed else { throw DumpFailure(reason: "config dump is longer than \(ScriptRun.outputLimit >> 20) MiB") }
    if let line = run.output.split(separator: 10, omittingEmptySubsequences: false).firstIndex(where: {
      String(validating: $0, as: UTF8.self) == nil
    }) {
      throw DumpFailure(
        reason:
          "config dump has bytes that are no UTF-8 in its line \(line + 1): a setting in config.php or table config is in another encoding")
    }
    guard let first = run.output.first(where: { !isSpace($0) }) else {
      throw DumpFailure(reason: "config dump is empty\(said(run))")
    }
    guard first == UInt8(ascii: "{") else {
      let kind = first == UInt8(ascii: "[") ? "is not a JSON object" : "starts with something else than JSON"
      throw DumpFailure(reason: "config dump \(kind): \(excerpt(run.output))")
    }
    // From here on the bytes may hold passwords, so no message quotes them.
    guard let object = try? JSONDecoder().decode([String: JSONValue].self, from: Data(run.output)) else {
      throw DumpFailure(reason: "config dump is cut or broken JSON (\(run.output.count) bytes)\(said(run))")
    }
    return object
  }

  private static func said(_ run: ScriptRun) -> String {
    let lines = run.errors.split(whereSeparator: \.isNewline).map { $0.trimmed }.filter { !$0.isEmpty }
    if let last = lines.last { return ": \(last.prefix(200))" }
    let starts = run.output.first(where: { !isSpace($0) })
    if let starts, starts != UInt8(ascii: "{") { return ": \(excerpt(run.output))" }
    return ""
  }

  private static func excerpt(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes.drop(while: isSpace).prefix(120), as: UTF8.self)
    let line = String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    return "\"\(line.trimmed)\""
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}

import Core

/// Cuts a stream of bytes into lines for `--log-output logger`.
public struct LineSplitter: Sendable {
  /// Longer lines are cut here: a log line of a megabyte helps nobody.
  public static let longest = 4096
  private var partial: [UInt8] = []
  private var skipping = false

  public init() {}

  /// The lines that are complete now, without their ends.
  public mutating func feed(_ chunk: some Collection<UInt8>) -> [String] {
    var lines: [String] = []
    for byte in chunk {
      if byte == UInt8(ascii: "\n") {
        if !skipping { lines.append(take()) }
        skipping = false
      } else if skipping {
        continue
      } else {
        partial.append(byte)
        if partial.count >= Self.longest {
          lines.append(take())
          skipping = true
        }
      }
    }
    return lines.filter { !$0.isEmpty }
  }

  /// What was left without an end of line.
  public mutating func finish() -> String? {
    defer { skipping = false }
    let rest = take()
    return rest.isEmpty ? nil : rest
  }

  private mutating func take() -> String {
    defer { partial.removeAll(keepingCapacity: true) }
    if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
    return VisibleText.of(partial)
  }
}

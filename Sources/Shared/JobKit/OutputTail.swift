import Core

/// The last bytes of a script's output, for error lines.
public struct OutputTail: Sendable {
  public static let capacity = 4096
  private var bytes: [UInt8] = []
  /// There was more.
  public private(set) var isCut = false

  public init() {}

  public mutating func append(_ chunk: some Collection<UInt8>) {
    bytes.append(contentsOf: chunk.suffix(Self.capacity))
    if chunk.count > Self.capacity || bytes.count > Self.capacity { isCut = true }
    if bytes.count > Self.capacity { bytes.removeFirst(bytes.count - Self.capacity) }
  }

  public mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    isCut = false
  }

  public var text: String { String(decoding: bytes, as: UTF8.self) }

  public var isEmpty: Bool { bytes.isEmpty }

  /// The last lines with something in them, joined for one log line.
  public func lastLines(_ count: Int) -> String {
    let lines = bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    let texts = lines.suffix(count).map { VisibleText.of($0).trimmedBlanks }.filter { !$0.isEmpty }
    return texts.joined(separator: " | ")
  }
}

extension String {
  fileprivate var trimmedBlanks: String {
    let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    return String(drop(while: blanks).reversed().drop(while: blanks).reversed())
  }
}

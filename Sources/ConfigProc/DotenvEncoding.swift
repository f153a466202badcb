/// Whether the bytes of a `.env` file are text that can be used. Editors of other systems write UTF-16, old ones Latin-1; read as if it were
/// UTF-8 the first has no NODE_ID and the second another password than the one that was meant.
enum DotenvEncoding {
  /// What is wrong and the way out, without any value of the file; nil = it is UTF-8, with or without a byte order mark.
  static func complaint(_ bytes: [UInt8], file: String) -> String? {
    if let name = wide(bytes) {
      return "\(file) is \(name), not UTF-8 (line 1, the whole file); convert it: \(command(from: name, file: file))"
    }
    var line = 1
    for text in lines(bytes) {
      if let fault = fault(text) {
        let key = key(text).map { " (\($0))" } ?? ""
        return """
          \(file) line \(line)\(key) \(fault); write the line in UTF-8, or convert the whole file, if it is in Latin-1: \
          \(command(from: "ISO-8859-1", file: file))
          """
      }
      line += 1
    }
    return nil
  }

  /// By its byte order mark, or by where its zeros are: the first characters of a settings file are ASCII.
  private static func wide(_ bytes: [UInt8]) -> String? {
    // UTF-32 first: its little-endian mark begins like that of UTF-16.
    if bytes.starts(with: [0xFF, 0xFE, 0, 0]) { return "UTF-32LE" }
    if bytes.starts(with: [0, 0, 0xFE, 0xFF]) { return "UTF-32BE" }
    if bytes.starts(with: [0xFF, 0xFE]) { return "UTF-16LE" }
    if bytes.starts(with: [0xFE, 0xFF]) { return "UTF-16BE" }
    let zeros = bytes.prefix(4).map { $0 == 0 }
    switch zeros {
    case [false, true, true, true]: return "UTF-32LE"
    case [true, true, true, false]: return "UTF-32BE"
    case [false, true, false, true]: return "UTF-16LE"
    case [true, false, true, false]: return "UTF-16BE"
    default: return nil
    }
  }

  /// A byte order mark that is left at the start does no harm. The result is beside the file, with its rights, since it holds passwords.
  private static func command(from name: String, file: String) -> String {
    let quoted = { (path: String) in "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'" }
    let new = file + ".new"
    return
      "cp -p \(quoted(file)) \(quoted(new)) && iconv -f \(name) -t UTF-8 \(quoted(file)) > \(quoted(new)) && mv \(quoted(new)) \(quoted(file))"
  }

  private static func fault(_ line: ArraySlice<UInt8>) -> String? {
    // What a comment says means nothing to anybody here.
    if line.first(where: { $0 != 32 && $0 != 9 }) == UInt8(ascii: "#") { return nil }
    if line.contains(0) { return "holds a zero byte" }
    if String(validating: line, as: UTF8.self) == nil { return "has bytes that are no UTF-8" }
    return nil
  }

  /// The name before the sign, if it is one that can be shown.
  private static func key(_ line: ArraySlice<UInt8>) -> String? {
    guard let sign = line.firstIndex(of: UInt8(ascii: "=")) else { return nil }
    let words = line[..<sign].split { $0 == UInt8(ascii: " ") || $0 == 9 }
    guard let name = words.last, name.count <= 64 else { return nil }
    let isPlain = name.allSatisfy { byte in
      byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
    return isPlain ? String(decoding: name, as: UTF8.self) : nil
  }

  /// As the scanner counts them: LF, CR and CR LF end a line.
  private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index < bytes.count {
      if bytes[index] == 10 || bytes[index] == 13 {
        lines.append(bytes[start..<index])
        if bytes[index] == 13, index + 1 < bytes.count, bytes[index + 1] == 10 { index += 1 }
        start = index + 1
      }
      index += 1
    }
    lines.append(bytes[start...])
    return lines
  }
}

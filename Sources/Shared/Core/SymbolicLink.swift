import Glibc

/// Where links in /proc lead.
public enum SymbolicLink {
  /// The target as it is written; nil when there is no such link or it may not be read.
  public static func read(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink(path, &buffer, buffer.count)
    guard length > 0, length < buffer.count else { return nil }
    return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

import Glibc

func systemMessage(_ code: Int32) -> UnsafeMutablePointer<CChar> { strerror(code) }

/// The whole file as bytes; nil if it can't be read. Works for /proc, whose files have no size.
public func readBytes(_ path: String) -> [UInt8]? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var all: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { return nil }
    if count == 0 { return all }
    all.append(contentsOf: chunk[0..<count])
  }
}

/// The whole file as text; nil if it can't be read.
public func readText(_ path: String) -> String? {
  readBytes(path).map { String(decoding: $0, as: UTF8.self) }
}

/// Replaces the file's content in one step, so that a reader sees the old or the new one.
public func writeText(_ text: String, to path: String, mode: mode_t = 0o644) throws {
  let draft = path + ".new"
  let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
  guard descriptor >= 0 else { throw FixtureError.system("open \(draft)", errno) }
  defer { close(descriptor) }
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard count > 0 else { throw FixtureError.system("write \(draft)", errno) }
    rest = rest.dropFirst(count)
  }
  guard rename(draft, path) == 0 else { throw FixtureError.system("rename \(draft)", errno) }
}

/// Entries of a directory without `.` and `..`; empty if it can't be read.
public func directoryEntries(_ path: String) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}

public func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// Where a symbolic link points; nil if it is none.
public func linkTarget(_ path: String) -> String? {
  var buffer = [UInt8](repeating: 0, count: 4096)
  let count = buffer.withUnsafeMutableBufferPointer { bytes in
    bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { pointer in readlink(path, pointer, 4096) } ?? -1 }
  }
  return count < 0 ? nil : String(decoding: buffer[0..<count], as: UTF8.self)
}

/// A directory that is gone with its owner. Its path is short, since socket addresses have room for 107 bytes.
public final class TemporaryDirectory {
  public let path: String

  public init() throws {
    var template = Array("/tmp/lnmsd-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw FixtureError.system("mkdtemp", errno) }
    path = String(cString: made)
  }

  public func remove() {
    guard fileExists(path) else { return }
    _ = try? ChildProcess.run(["rm", "-rf", path])
  }

  deinit { remove() }
}

import Core
import Glibc

/// The pipe that takes a slot's output: a FIFO with a name, opened read-write for the script.
///
/// So a script never sees a missing reader, whatever becomes of this process; its successor opens the same name and reads on. A script
/// waits at most while nobody reads.
final class SlotOutput: ScriptOutput {
  /// Bytes per turn of the loop: a script that floods its output shares the loop with the others.
  private static let budget = 64 * 1024

  /// For the script: blocking, read-write.
  let scriptEnd: Int32
  private let path: () -> String
  private let readEnd: Int32
  private let loop: EventLoop
  private let onBytes: (UnsafeRawBufferPointer) -> Void

  /// Where there can be no FIFO (no runtime directory, one without space or rights) it is a pipe without a name: what a successor would
  /// have to read is lost then, and with it a script that goes on writing. `writer`: a script that has the pipe already, whatever became of its name.
  init(
    path: @escaping () -> String, loop: EventLoop, writer: Int32? = nil, onBytes: @escaping (UnsafeRawBufferPointer) -> Void
  ) throws(SystemError) {
    let ends: (script: Int32, reader: Int32)
    let name = path()
    if let writer, let found = Self.lost(name, writer) {
      ends = found
    } else {
      do throws(SystemError) { ends = try Self.named(name) } catch { ends = try Self.unnamed() }
    }
    self.path = path
    scriptEnd = ends.script
    readEnd = ends.reader
    self.loop = loop
    self.onBytes = onBytes
    do throws(SystemError) {
      try loop.watch(readEnd, for: .readable) { [weak self] _ in self?.drain(budget: Self.budget) }
    } catch {
      close(scriptEnd)
      close(readEnd)
      throw error
    }
  }

  /// The name leads to this pipe.
  var isInPlace: Bool { FileIdentity.of(path: path()) == FileIdentity.of(descriptor: scriptEnd) }

  private static func unnamed() throws(SystemError) -> (script: Int32, reader: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    // Read-write, as with the FIFO: the script is its own reader of last resort.
    let script = open("/proc/self/fd/\(ends[1])", O_RDWR | O_CLOEXEC)
    guard script >= 0 else {
      let error = SystemError("open a pipe for reading and writing")
      for end in ends { close(end) }
      throw error
    }
    close(ends[1])
    return (script, ends[0])
  }

  /// The FIFO of this slot that a script still has as its standard error, though its name is gone. Only the kernel's own word for that counts.
  private static func lost(_ path: String, _ pid: Int32) -> (script: Int32, reader: Int32)? {
    let link = "/proc/\(pid)/fd/2"
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink(link, &target, target.count)
    let name = "/" + (path.split(separator: "/").last ?? "") + " (deleted)"
    guard length > 0, String(decoding: target[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self).hasSuffix(name) else { return nil }
    let reader = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard reader >= 0 else { return nil }
    let script = open(link, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard script >= 0 else {
      close(reader)
      return nil
    }
    return (script, reader)
  }

  private static func named(_ path: String) throws(SystemError) -> (script: Int32, reader: Int32) {
    if mkfifo(path, 0o600) != 0 && errno != EEXIST { throw SystemError("mkfifo \(path)") }
    let scriptEnd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard scriptEnd >= 0 else { throw SystemError("open \(path)") }
    var status = stat()
    fstat(scriptEnd, &status)
    let readEnd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
    guard readEnd >= 0, status.st_mode & S_IFMT == S_IFIFO else {
      let error = SystemError("open \(path) as a FIFO", number: readEnd < 0 ? errno : EINVAL)
      close(scriptEnd)
      if readEnd >= 0 { close(readEnd) }
      throw error
    }
    return (scriptEnd, readEnd)
  }

  deinit {
    loop.unwatch(readEnd)
    close(readEnd)
    close(scriptEnd)
  }

  /// After a script's end: at most what the pipe holds.
  func drain() { drain(budget: 256 * 1024) }

  private func drain(budget: Int) {
    withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 8) { buffer in
      var left = budget
      while left > 0 {
        let count = read(readEnd, buffer.baseAddress, buffer.count)
        guard count > 0 else { return }
        onBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        left -= count
      }
    }
  }
}

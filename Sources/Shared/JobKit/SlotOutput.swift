import Core
import Glibc

/// The pipe that takes a slot's output: a FIFO with a name, opened read-write for the script.
///
/// So a script never sees a missing reader, whatever becomes of this process; its successor opens the same name and reads on. A script
/// waits at most while nobody reads.
final class SlotOutput {
  /// Bytes per turn of the loop: a script that floods its output shares the loop with the others.
  private static let budget = 64 * 1024

  /// For the script: blocking, read-write.
  let scriptEnd: Int32
  private let readEnd: Int32
  private let loop: EventLoop
  private let onBytes: (UnsafeRawBufferPointer) -> Void

  init(path: String, loop: EventLoop, onBytes: @escaping (UnsafeRawBufferPointer) -> Void) throws(SystemError) {
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
    self.scriptEnd = scriptEnd
    self.readEnd = readEnd
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

  deinit {
    loop.unwatch(readEnd)
    close(readEnd)
    close(scriptEnd)
  }

  /// Reads what is there; after a script's end that is at most what the pipe holds.
  func drain(budget: Int = 256 * 1024) {
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

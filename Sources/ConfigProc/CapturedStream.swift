import Glibc

/// The reading end of a pipe to a script, and what came through it so far: the first bytes up to a limit, or the last ones.
struct CapturedStream {
  enum Keep: Equatable {
    case first(Int)
    case last(Int)
  }

  /// -1 after the end of the stream.
  private(set) var descriptor: Int32
  /// The script's end; -1 once it has been given away.
  private(set) var writer: Int32
  private(set) var bytes: [UInt8] = []
  private(set) var overflowed = false
  private let keep: Keep

  /// nil: no descriptors (errno says why).
  init?(_ keep: Keep) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // Ours only: a write of the script waits as on any pipe.
    _ = fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK)
    (descriptor, writer) = (ends[0], ends[1])
    self.keep = keep
  }

  mutating func closeWriter() {
    if writer >= 0 { Glibc.close(writer) }
    writer = -1
  }

  mutating func close() {
    closeWriter()
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Takes what is there now.
  mutating func drain() {
    var chunk = [UInt8](repeating: 0, count: 65536)
    while descriptor >= 0 {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        take(chunk[..<count])
      } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
        Glibc.close(descriptor)
        descriptor = -1
      } else if errno == EAGAIN {
        return
      }
    }
  }

  private mutating func take(_ chunk: ArraySlice<UInt8>) {
    switch keep {
    case .first(let limit):
      let room = limit - bytes.count
      bytes.append(contentsOf: chunk.prefix(room))
      if chunk.count > room { overflowed = true }
    case .last(let limit):
      bytes.append(contentsOf: chunk)
      if bytes.count > limit { bytes.removeFirst(bytes.count - limit) }
    }
  }
}

import Core
import FoundationEssentials
import Glibc

/// Asks a running service, from a command that waits for the answer.
struct OperatorClient {
  enum Failure: Error, CustomStringConvertible {
    /// No socket, or nobody behind it.
    case notRunning(base: String)
    case refused(String)
    case noAnswer(Duration)
    case system(SystemError)

    var description: String {
      switch self {
      case .notRunning(let base): "no dispatcher runs for \(base). Start one with: librenms-dispatcher run --base \(base)"
      case .refused(let why): why
      case .noAnswer(let limit): "the dispatcher did not answer within \(StatusText.age(limit))"
      case .system(let error): "\(error)"
      }
    }
  }

  let base: String

  /// One request, one reply; `limit` bounds the wait.
  func ask(_ request: OperatorRequest, limit: Duration) throws(Failure) -> OperatorReply {
    let fd = try connect()
    defer { close(fd) }
    setLimit(fd, limit)
    var request = (try? JSONEncoder().encode(request)).map(Array.init) ?? []
    request.append(UInt8(ascii: "\n"))
    guard request.withUnsafeBytes({ send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) == request.count else {
      throw .system(SystemError("ask the dispatcher"))
    }
    let line = try readLine(fd, limit)
    guard let reply = try? JSONDecoder().decode(OperatorReply.self, from: Data(line)) else {
      throw .refused("the dispatcher's answer is not understood; is it of another version?")
    }
    return reply
  }

  private func connect() throws(Failure) -> Int32 {
    let directories = RuntimeDirectory.existing(base: base, runtimeDirectory: ScriptEnvironment.value("RUNTIME_DIRECTORY"))
    var denied: String?
    for directory in directories {
      let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard fd >= 0 else { throw .system(SystemError("socket")) }
      if SocketAddress.use(directory: directory, name: OperatorSocket.name, { Glibc.connect(fd, $0, $1) }) == 0 { return fd }
      if errno == EACCES || errno == EPERM { denied = directory }
      close(fd)
    }
    if let denied {
      throw .refused("this user may not ask the dispatcher in \(denied); try it as the user of the service or as root")
    }
    throw .notRunning(base: base)
  }

  private func setLimit(_ fd: Int32, _ limit: Duration) {
    let (seconds, attoseconds) = limit.components
    var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] { setsockopt(fd, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size)) }
  }

  private func readLine(_ fd: Int32, _ limit: Duration) throws(Failure) -> [UInt8] {
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    let end = MonotonicTime.now + limit
    while true {
      let count = buffer.withUnsafeMutableBytes { read(fd, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN || MonotonicTime.now > end { throw .noAnswer(limit) }
      if count < 0 { throw .system(SystemError("hear the dispatcher")) }
      if count == 0 { throw .refused("the dispatcher ended the connection: it is stopping, or this user may not ask it") }
      line.append(contentsOf: buffer[..<count])
      if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return Array(line[..<end]) }
    }
  }
}

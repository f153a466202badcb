import Core
import FoundationEssentials
import Glibc

/// What a dispatcher that runs on this directory says of itself, over its operator socket.
enum RunningService {
  /// It answers within one turn of its loop.
  private static let limit = 5

  private struct Answer: Decodable {
    var ok: Bool
    var text: String
  }

  /// The line of `health`; nil when nobody can be asked.
  static func health(base: String, runtimeDirectory: String?) -> (isWell: Bool, text: String)? {
    for directory in RuntimeDirectory.existing(base: base, runtimeDirectory: runtimeDirectory) {
      if let line = ask("{\"command\":\"health\"}\n", in: directory), let answer = try? JSONDecoder().decode(Answer.self, from: Data(line))
      {
        return (answer.ok, answer.text)
      }
    }
    return nil
  }

  private static func ask(_ question: String, in directory: String) -> [UInt8]? {
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var time = timeval(tv_sec: limit, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] { setsockopt(fd, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size)) }
    let bytes = Array(question.utf8)
    guard SocketAddress.use(directory: directory, name: "control.sock", { connect(fd, $0, $1) }) == 0,
      send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    else { return nil }
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while line.last != UInt8(ascii: "\n"), line.count < 65536 {
      let count = read(fd, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return nil }
      line += buffer[..<count]
    }
    return line
  }
}

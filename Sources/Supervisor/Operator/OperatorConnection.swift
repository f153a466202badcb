import Core
import FoundationEssentials
import Glibc

/// One operator's connection: lines in, lines out, bounded in size and time, so that a slow or mad client costs nothing.
final class OperatorConnection {
  private static let requestLimit = 4096
  /// A status with 4096 running jobs is under 1 MiB.
  private static let replyLimit = 2 * 1024 * 1024
  /// A client that neither asks nor reads for so long is not waiting for anything.
  private static let patience = Duration.seconds(10)

  let fd: Int32
  private let loop: EventLoop
  private var input: [UInt8] = []
  private var output: [UInt8] = []
  private var sent = 0
  private var timer: TimerToken?
  private var isOpen = true
  /// A request was handed on and is not answered yet.
  private var isAnswering = false
  /// The loop over the lines of the input is under way.
  private var isTaking = false
  var onRequest: ((OperatorRequest, OperatorConnection) -> Void)?
  var onClose: ((OperatorConnection) -> Void)?

  init(fd: Int32, loop: EventLoop) throws(SystemError) {
    self.fd = fd
    self.loop = loop
    try loop.watch(fd, for: .readable) { [weak self] in self?.handle($0) }
    arm()
  }

  deinit { close() }

  func reply(_ reply: OperatorReply) {
    isAnswering = false
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard isOpen, let line = try? encoder.encode(reply), output.count - sent + line.count < Self.replyLimit else { return close() }
    output.append(contentsOf: line)
    output.append(UInt8(ascii: "\n"))
    arm()
    flush()
    takeLines()
  }

  private func arm() {
    if let timer { loop.cancel(timer) }
    timer = loop.schedule(after: Self.patience) { [weak self] in
      guard let self, !isAnswering else { return }
      close()
    }
  }

  private func handle(_ readiness: Readiness) {
    if readiness.contains(.writable) {
      flush()
      takeLines()
    }
    guard isOpen, readiness.contains(.readable) || !readiness.isDisjoint(with: .failed) else { return }
    // Gone, and nobody is left to read what is due to be answered first.
    guard mayRead else { return readiness.isDisjoint(with: .failed) ? () : close() }
    var bytes = [UInt8](repeating: 0, count: Self.requestLimit)
    let count = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress, $0.count) }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    guard count > 0 else { return close() }
    input.append(contentsOf: bytes[..<count])
    if nextEnd == nil, input.count >= Self.requestLimit { return close() }
    takeLines()
  }

  private var nextEnd: Int? { input.firstIndex(of: UInt8(ascii: "\n")) }

  /// More is read when everything before is answered: the input stays bounded, and a client that asks for much and reads nothing costs one
  /// answer and not thousands.
  private var mayRead: Bool { sent == output.count && nextEnd == nil }

  private func watch() {
    if isOpen { loop.change(fd, to: sent < output.count ? .writable : mayRead ? .readable : []) }
  }

  /// One request at a time, and the next one only when the client has taken the answer. A loop, since an answer at once comes back here:
  /// thousands of empty lines must not become thousands of frames on the stack.
  private func takeLines() {
    guard !isTaking else { return }
    isTaking = true
    defer {
      isTaking = false
      watch()
    }
    while isOpen, !isAnswering, sent == output.count, let end = nextEnd {
      let line = Array(input[..<end])
      input.removeFirst(end + 1)
      isAnswering = true
      if let request = try? JSONDecoder().decode(OperatorRequest.self, from: Data(line)) {
        onRequest?(request, self)
      } else {
        let commands = OperatorRequest.Command.allCases.map(\.rawValue).joined(separator: ", ")
        reply(OperatorReply(ok: false, text: "not understood; a request is {\"command\":\"NAME\"} with one of: \(commands)"))
      }
    }
  }

  private func flush() {
    while isOpen, sent < output.count {
      let count = output.withUnsafeBytes { send(fd, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        sent += count
        arm()
      } else if errno == EAGAIN {
        return
      } else if errno != EINTR {
        return close()
      }
    }
    output = []
    sent = 0
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    if let timer { loop.cancel(timer) }
    loop.unwatch(fd)
    Glibc.close(fd)
    onClose?(self)
  }
}

import Glibc

/// The receiving end of sd_notify.
public final class NotifySocket {
  public let path: String
  private let descriptor: Int32
  /// Everything received, as one dictionary per datagram.
  public private(set) var messages: [[String: String]] = []

  public init(path: String) throws {
    self.path = path
    descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(O_CLOEXEC) | Int32(O_NONBLOCK), 0)
    guard descriptor >= 0 else { throw FixtureError.system("socket", errno) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { throw FixtureError("socket path too long: \(path)") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    unlink(path)
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
      }
    }
    guard code == 0 else { throw FixtureError.system("bind \(path)", code) }
  }

  /// Takes what has arrived.
  public func drain() {
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return }
      var message: [String: String] = [:]
      for line in String(decoding: buffer[0..<count], as: UTF8.self).split(separator: "\n") {
        guard let equals = line.firstIndex(of: "=") else { continue }
        message[String(line[..<equals])] = String(line[line.index(after: equals)...])
      }
      messages.append(message)
    }
  }

  /// The latest value of a name, nil if it never came.
  public func latest(_ name: String) -> String? {
    drain()
    return messages.last { $0[name] != nil }?[name]
  }

  deinit {
    close(descriptor)
    unlink(path)
  }
}

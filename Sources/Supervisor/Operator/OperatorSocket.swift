import CLinuxShims
import Core
import Glibc
import Logging

/// `control.sock` in the runtime directory, for the user of the service and root.
final class OperatorSocket: OperatorEntrance {
  static let name = "control.sock"
  /// Operators and monitoring agents; more than this at once is a mistake or an attack.
  private static let clientLimit = 16

  private let loop: EventLoop
  private let log: Logger
  private let fd: Int32
  private let path: String
  private var identity: FileIdentity?
  private var clients: [ObjectIdentifier: OperatorConnection] = [:]
  var onRequest: OperatorService?

  /// A socket of an earlier run is replaced: the instance lock says that nobody serves it.
  init(directory: String, loop: EventLoop, log: Logger) throws(SystemError) {
    self.loop = loop
    self.log = log
    path = directory + "/" + Self.name
    unlink(path)
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { throw SystemError("socket") }
    self.fd = fd
    let bound = SocketAddress.use(directory: directory, name: Self.name) { bind(fd, $0, $1) }
    guard bound == 0, chmod(path, 0o600) == 0, listen(fd, 8) == 0 else {
      let error = SystemError("listen on \(path)")
      Glibc.close(fd)
      throw error
    }
    identity = FileIdentity.of(path: path)
    try loop.watch(fd, for: .readable) { [weak self] _ in self?.accept() }
  }

  private func accept() {
    let client = Glibc.accept(fd, nil, nil)
    guard client >= 0 else { return }
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    _ = fcntl(client, F_SETFL, O_NONBLOCK)
    var user: UInt32 = 0
    var pid: Int32 = 0
    guard shim_peer(client, &user, &pid) == 0, user == 0 || user == geteuid() else {
      log.warning("process \(pid) of user \(user) may not use the operator socket")
      Glibc.close(client)
      return
    }
    guard clients.count < Self.clientLimit, let connection = try? OperatorConnection(fd: client, loop: loop) else {
      Glibc.close(client)
      return
    }
    clients[ObjectIdentifier(connection)] = connection
    connection.onClose = { [weak self] in self?.clients[ObjectIdentifier($0)] = nil }
    connection.onRequest = { [weak self] request, connection in
      self?.onRequest?(request) { [weak connection] in connection?.reply($0) }
    }
  }

  /// Its name still leads to it.
  var isInPlace: Bool { identity != nil && FileIdentity.of(path: path) == identity }

  func close() {
    for client in clients.values { client.close() }
    loop.unwatch(fd)
    Glibc.close(fd)
    if isInPlace { unlink(path) }
  }
}

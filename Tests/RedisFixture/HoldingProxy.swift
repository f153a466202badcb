import Fixture
import Glibc
import Synchronization

/// Stands between a client and a server, and can keep what clients say for later: what a network does with the bytes of a connection that
/// its client has given up. A thread of its own carries the bytes, so whoever uses it need not turn it.
public final class HoldingProxy {
  fileprivate struct Pair {
    var client: Int32
    var server: Int32
    var isHeld = false
    var kept: [UInt8] = []
  }

  fileprivate struct Orders {
    var hold = false
    var deliver = false
    var stop = false
    /// How many kept bytes there are, as the thread says it.
    var kept = 0
    /// Answers that came to what was delivered late, in bytes.
    var answered = 0
  }

  /// What the thread has; nobody else touches it once the thread runs.
  fileprivate final class Carrier: @unchecked Sendable {
    let listener: Int32
    let target: Int
    let orders = Mutex(Orders())
    var pairs: [Pair] = []

    init(listener: Int32, target: Int) {
      self.listener = listener
      self.target = target
    }
  }

  public let port: Int
  private let carrier: Carrier
  private var thread = pthread_t()

  /// Listens on a loopback port and connects each client to `target`, another one.
  public init(to target: Int) throws {
    port = try RedisServer.freePort()
    let listener = Self.tcp()
    var on: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    let bound = Self.address(port) { bind(listener, $0, $1) }
    guard bound == 0, listen(listener, 16) == 0 else { throw FixtureError("listen on \(port): errno \(errno)") }
    carrier = Carrier(listener: listener, target: target)
    let context = Unmanaged.passRetained(carrier).toOpaque()
    pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Carrier>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context)
  }

  deinit {
    carrier.orders.withLock { $0.stop = true }
    pthread_join(thread, nil)
  }

  /// From now on what the present clients say is kept; new ones are served as before.
  public func hold() {
    carrier.orders.withLock { $0.hold = true }
    while carrier.orders.withLock({ $0.hold }) { usleep(1000) }
  }

  /// How many bytes are kept.
  public var kept: Int { carrier.orders.withLock { $0.kept } }

  /// Carries what was kept to the server, and waits for its answers to it.
  public func deliver() {
    carrier.orders.withLock {
      $0.answered = 0
      $0.deliver = true
    }
    for _ in 0..<2000 where carrier.orders.withLock({ $0.deliver || $0.answered == 0 }) { usleep(1000) }
    usleep(50_000)
  }

  fileprivate static func tcp() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }

  fileprivate static func address(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
  }
}

extension HoldingProxy.Carrier {
  func run() {
    while !orders.withLock({ $0.stop }) {
      obey()
      var polled = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
      for pair in pairs {
        polled.append(pollfd(fd: pair.client, events: Int16(POLLIN), revents: 0))
        polled.append(pollfd(fd: pair.server, events: Int16(POLLIN), revents: 0))
      }
      guard poll(&polled, nfds_t(polled.count), 5) > 0 else { continue }
      for index in pairs.indices {
        if polled[1 + 2 * index].revents != 0 { fromClient(index) }
        if polled[2 + 2 * index].revents != 0 { fromServer(index) }
      }
      pairs.removeAll { $0.client < 0 && $0.server < 0 }
      if polled[0].revents != 0 { accept() }
    }
    for pair in pairs { for descriptor in [pair.client, pair.server] where descriptor >= 0 { close(descriptor) } }
    close(listener)
  }

  private func obey() {
    let (hold, deliver) = orders.withLock { ($0.hold, $0.deliver) }
    if hold { for index in pairs.indices { pairs[index].isHeld = true } }
    if deliver {
      for index in pairs.indices where pairs[index].isHeld {
        write(pairs[index].kept, to: pairs[index].server)
        pairs[index].kept = []
      }
    }
    let kept = pairs.reduce(0) { $0 + $1.kept.count }
    orders.withLock {
      $0.kept = kept
      if hold { $0.hold = false }
      if deliver { $0.deliver = false }
    }
  }

  private func accept() {
    let client = Glibc.accept(listener, nil, nil)
    guard client >= 0 else { return }
    let server = HoldingProxy.tcp()
    guard HoldingProxy.address(target, { connect(server, $0, $1) }) == 0 else {
      close(server)
      close(client)
      return
    }
    pairs.append(HoldingProxy.Pair(client: client, server: server))
  }

  private func fromClient(_ index: Int) {
    let bytes = read(pairs[index].client)
    if bytes.isEmpty {
      close(pairs[index].client)
      pairs[index].client = -1
      // Of a held one the server hears nothing.
      if !pairs[index].isHeld { shut(index) }
    } else if pairs[index].isHeld {
      pairs[index].kept += bytes
    } else {
      write(bytes, to: pairs[index].server)
    }
  }

  private func fromServer(_ index: Int) {
    let bytes = read(pairs[index].server)
    if bytes.isEmpty { return shut(index) }
    if pairs[index].isHeld { orders.withLock { $0.answered += bytes.count } }
    if pairs[index].client >= 0 { write(bytes, to: pairs[index].client) }
  }

  private func shut(_ index: Int) {
    if pairs[index].server >= 0 { close(pairs[index].server) }
    if pairs[index].client >= 0 { close(pairs[index].client) }
    (pairs[index].client, pairs[index].server) = (-1, -1)
  }

  private func read(_ descriptor: Int32) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer[..<count]) : []
  }

  private func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}

import Core

/// What the loop watches a connection's descriptor for.
struct RedisSocketWatch {
  private let loop: EventLoop
  private var descriptor: Int32 = -1
  private var handler: EventLoop.Handler?
  private var watched: Readiness = []
  private var read = false
  private var write = true
  private var holdsWrites = false

  init(loop: EventLoop) { self.loop = loop }

  /// Waits for the connection to stand, which is told as writable.
  mutating func start(_ descriptor: Int32, _ handler: @escaping EventLoop.Handler) throws(SystemError) {
    try loop.watch(descriptor, for: .writable, handler)
    self.descriptor = descriptor
    self.handler = handler
    watched = .writable
  }

  mutating func want(read: Bool, write: Bool) {
    self.read = read
    self.write = write
    settle()
  }

  /// There is something to write, and it will be tried at the end of this turn. False: it is under way already.
  mutating func holdWrites(read: Bool) -> Bool {
    self.read = read
    write = true
    guard !holdsWrites else { return false }
    holdsWrites = true
    settle()
    return true
  }

  /// It was tried: what did not fit waits for the kernel.
  mutating func releaseWrites() {
    holdsWrites = false
    settle()
  }

  /// To be called before the descriptor is closed.
  mutating func stop() {
    if !watched.isEmpty { loop.unwatch(descriptor) }
    watched = []
    descriptor = -1
    handler = nil
  }

  private mutating func settle() {
    guard descriptor >= 0, let handler else { return }
    let wanted: Readiness = (read ? Readiness.readable : []).union(write && !holdsWrites ? .writable : [])
    guard wanted != watched else { return }
    if wanted.isEmpty {
      loop.unwatch(descriptor)
    } else if watched.isEmpty {
      guard (try? loop.watch(descriptor, for: wanted, handler)) != nil else { return }
    } else {
      loop.change(descriptor, to: wanted)
    }
    watched = wanted
  }
}

import CLinuxShims

/// What may hang runs here, on a thread of its own, at most one call at a time: a call that never returns costs this thread and nothing else.
///
/// A loop may not wait for a file server, and one `stat` is too little for a helper process: there is nothing in it that
/// could crash, and a thread that hangs in it does not keep the process from ending.
public final class BlockingCall<Value: Sendable> {
  private let mailbox: Mailbox<Value>
  public private(set) var isRunning = false
  /// Called on the loop, once per `start`.
  public var onEnd: ((Value) -> Void)?

  /// Throws when the kernel refuses a descriptor.
  public init(loop: EventLoop) throws {
    mailbox = try Mailbox()
    try mailbox.deliver(on: loop) { [weak self] value in
      self?.isRunning = false
      self?.onEnd?(value)
    }
  }

  /// Does nothing while a call runs. The error when there is no thread to be had.
  public func start(_ body: @escaping @Sendable () -> Value) -> SystemError? {
    guard !isRunning else { return nil }
    let mailbox = self.mailbox
    let status = ThreadBody.start { mailbox.send(body()) }
    isRunning = status >= 0
    return isRunning ? nil : SystemError("start a thread", number: -status)
  }
}

/// A closure for one thread, which frees it.
private final class ThreadBody: Sendable {
  private let body: @Sendable () -> Void

  private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  /// A negative error number when there is no thread.
  static func start(_ body: @escaping @Sendable () -> Void) -> Int32 {
    let job = Unmanaged.passRetained(ThreadBody(body))
    let run: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
      guard let context else { return }
      Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
    }
    let status = shim_thread_start(run, job.toOpaque(), 128 * 1024, "look")
    if status < 0 { job.release() }
    return status
  }
}

import CLinuxShims
import Glibc

/// Delivers signals as events of the loop. They stay blocked in every thread, so no handler ever interrupts anything.
public final class SignalSource {
  private let fd: Int32
  private let loop: EventLoop

  /// Blocks `signals` in the calling thread: to be made before any other thread starts.
  public init(_ signals: [Int32], on loop: EventLoop, _ handler: @escaping (Int32) -> Void) throws {
    let fd = try SystemError.check(shim_signalfd(signals, Int32(signals.count)), "signalfd")
    self.fd = fd
    self.loop = loop
    try loop.watch(fd, for: .readable) { _ in
      while case let signal = shim_signalfd_read(fd), signal != 0 { handler(signal) }
    }
  }

  deinit {
    loop.unwatch(fd)
    close(fd)
  }
}

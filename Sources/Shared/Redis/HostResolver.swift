import CLinuxShims
import Core
import Glibc

/// Names to numeric addresses, off the loop: a look-up blocks for as long as a name server likes.
///
/// One thread per look-up, which ends with it; a name that is being looked up is not looked up again. Results are kept until `forget`, and as
/// a last resort beyond: an address from before may still be right when the name servers are gone.
public final class HostResolver {
  public typealias Answer = (Result<[String], RedisError>) -> Void

  private struct Waiter {
    var number: UInt64
    var answer: Answer
    var timer: TimerToken
  }

  /// With an old address at hand, name servers that are silent are not waited for.
  private static let limitWithFallback = Duration.seconds(1)

  private let loop: EventLoop
  private var mailbox: Mailbox<HostLookup.Outcome>?
  private var fresh: [String: [String]] = [:]
  private var old: [String: [String]] = [:]
  private var waiters: [String: [Waiter]] = [:]
  private var running: Set<String> = []
  private var nextNumber: UInt64 = 0

  public init(loop: EventLoop) { self.loop = loop }

  /// What was found may have moved: the next `resolve` looks again.
  public func forget() { fresh = [:] }

  /// Numeric and known names are answered at once, others within `limit`.
  public func resolve(_ name: String, limit: Duration, _ answer: @escaping Answer) {
    if RedisHost.isNumeric(name) { return answer(.success([name])) }
    if let known = fresh[name] { return answer(.success(known)) }
    nextNumber += 1
    let number = nextNumber
    let timer = loop.schedule(after: old[name] == nil ? limit : min(limit, Self.limitWithFallback)) { [weak self] in
      guard let self, let index = waiters[name]?.firstIndex(where: { $0.number == number }),
        let waiter = waiters[name]?.remove(at: index)
      else { return }
      waiter.answer(fallback(name, "no answer within \(limit)"))
    }
    waiters[name, default: []].append(Waiter(number: number, answer: answer, timer: timer))
    guard running.insert(name).inserted else { return }
    do {
      try HostLookup.start(name, try mailboxOnLoop())
    } catch {
      received(HostLookup.Outcome(name: name, addresses: [], failure: "\(error)"))
    }
  }

  private func mailboxOnLoop() throws -> Mailbox<HostLookup.Outcome> {
    if let mailbox { return mailbox }
    let new = try Mailbox<HostLookup.Outcome>()
    try new.deliver(on: loop) { [weak self] outcome in self?.received(outcome) }
    mailbox = new
    return new
  }

  private func received(_ outcome: HostLookup.Outcome) {
    running.remove(outcome.name)
    if !outcome.addresses.isEmpty {
      fresh[outcome.name] = outcome.addresses
      old[outcome.name] = outcome.addresses
    }
    let result =
      outcome.addresses.isEmpty ? fallback(outcome.name, outcome.failure ?? "no address") : .success(outcome.addresses)
    for waiter in waiters.removeValue(forKey: outcome.name) ?? [] {
      loop.cancel(waiter.timer)
      waiter.answer(result)
    }
  }

  private func fallback(_ name: String, _ reason: String) -> Result<[String], RedisError> {
    old[name].map { .success($0) } ?? .failure(RedisError(.unreachable, "can't look up \(name): \(reason)"))
  }
}

/// One look-up on a thread of its own.
private enum HostLookup {
  struct Outcome: Sendable {
    var name: String
    var addresses: [String]
    var failure: String?
  }

  private final class Job {
    let name: String
    let mailbox: Mailbox<Outcome>

    init(_ name: String, _ mailbox: Mailbox<Outcome>) {
      self.name = name
      self.mailbox = mailbox
    }
  }

  static func start(_ name: String, _ mailbox: Mailbox<Outcome>) throws(SystemError) {
    let job = Unmanaged.passRetained(Job(name, mailbox))
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
      guard let context else { return }
      let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
      job.mailbox.send(HostLookup.look(job.name))
    }
    do throws(SystemError) {
      // getaddrinfo's own buffers and those of the modules of nsswitch.conf live on the stack.
      try SystemError.check(shim_thread_start(body, job.toOpaque(), 256 * 1024, "lookup"), "start a look-up thread")
    } catch {
      job.release()
      throw error
    }
  }

  private static func look(_ name: String) -> Outcome {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(name, nil, &hints, &list)
    guard status == 0 else { return Outcome(name: name, addresses: [], failure: String(cString: gai_strerror(status))) }
    defer { freeaddrinfo(list) }
    var addresses: [String] = []
    var entry = list
    while let current = entry {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let info = current.pointee
      if getnameinfo(info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if !addresses.contains(address) { addresses.append(address) }
      }
      entry = info.ai_next
    }
    return Outcome(name: name, addresses: addresses, failure: nil)
  }
}

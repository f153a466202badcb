import Core
import Glibc
import Redis
import RedisFixture

/// Turns a loop in the test's own thread until something has happened.
struct TestLoop {
  let loop: EventLoop

  init() throws { loop = try EventLoop() }

  /// True as soon as the condition holds, false at the limit.
  @discardableResult
  func turn(until limit: Duration = .seconds(5), _ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + limit
    while !condition() {
      if ContinuousClock.now >= end { return false }
      do { try loop.turn(limit: .milliseconds(10)) } catch { return false }
    }
    return true
  }

  /// Turns for as long as this.
  func turn(for time: Duration) { turn(until: time) { false } }

  /// A command's answer; nil = none within the limit.
  func ask(_ connection: RedisConnection, _ words: RedisArgument..., limit: Duration = .seconds(8)) -> Result<RedisReply, RedisError>? {
    var result: Result<RedisReply, RedisError>?
    connection.send(words) { result = $0 }
    turn(until: limit) { result != nil }
    return result
  }
}

extension Result where Failure == RedisError {
  var error: RedisError? {
    if case .failure(let error) = self { error } else { nil }
  }
}

/// What became of a connection.
final class Outcome {
  var ready = 0
  var error: RedisError?
  var pushes: [RedisReply] = []

  init(_ connection: RedisConnection) {
    connection.onReady = { [weak self] in self?.ready += 1 }
    connection.onClose = { [weak self] in self?.error = $0 }
    connection.onPush = { [weak self] in self?.pushes.append($0) }
  }

  var isDecided: Bool { ready > 0 || error != nil }
}

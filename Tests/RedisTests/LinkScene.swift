import Core
import Logging

import class Fixture.LogLines

@testable import Redis

/// A link on a loop of its own, and what it said.
final class LinkScene {
  let test: TestLoop
  let link: RedisLink
  let lines = LogLines()
  private(set) var changes: [Bool] = []
  var invalidations: [[String]?] = []

  init(_ settings: RedisSettings, tracking: Bool = false, _ change: (inout RedisLimits) -> Void = { _ in }) throws {
    test = try TestLoop()
    var limits = RedisLimits()
    change(&limits)
    let lines = lines
    let availability = RedisAvailability(log: Logger(label: "test") { _ in lines })
    link = RedisLink(loop: test.loop, settings: settings, name: "scene", availability: availability, limits: limits)
    link.onChange = { [weak self] in self?.changes.append($0) }
    if tracking { link.onInvalidation = { [weak self] in self?.invalidations.append($0) } }
    link.start()
  }

  deinit { link.stop() }

  func isUp(within limit: Duration = .seconds(5)) -> Bool { test.turn(until: limit) { self.link.isUp } }
  func isDown(within limit: Duration = .seconds(5)) -> Bool { test.turn(until: limit) { !self.link.isUp } }

  func ask(_ words: RedisArgument...) -> Result<RedisReply, RedisError>? {
    var result: Result<RedisReply, RedisError>?
    link.send(words) { result = $0 }
    test.turn(until: .seconds(8)) { result != nil }
    return result
  }

  func eval(_ script: RedisScript, _ keys: [String] = [], _ arguments: [RedisArgument] = []) -> Result<RedisReply, RedisError>? {
    var result: Result<RedisReply, RedisError>?
    link.eval(script, keys: keys, arguments: arguments) { result = $0 }
    test.turn(until: .seconds(8)) { result != nil }
    return result
  }
}

import Core
import Redis

/// What the cluster's commands need of a connection; `RedisLink` is one.
public protocol ClusterLink: AnyObject {
  typealias Answer = (Result<RedisReply, RedisError>) -> Void
  var isUp: Bool { get }
  /// It is not up, and a try has failed.
  var isAway: Bool { get }
  /// The server, or its ACL, runs no scripts for us.
  var scriptsForbidden: Bool { get }
  /// Changes of tracked keys are told.
  var isTracking: Bool { get }
  func track(_ keys: [String], answer: @escaping (Result<Int64, RedisError>) -> Void)
  func send(_ words: [String], _ answer: @escaping Answer)
  func eval(_ script: RedisScript, keys: [String], arguments: [String], _ answer: @escaping Answer)
}

extension RedisLink: ClusterLink {
  public func send(_ words: [String], _ answer: @escaping ClusterLink.Answer) {
    send(words.map { RedisArgument($0) }, answer: answer)
  }

  public func eval(_ script: RedisScript, keys: [String], arguments: [String], _ answer: @escaping ClusterLink.Answer) {
    eval(script, keys: keys, arguments: arguments.map { RedisArgument($0) }, answer: answer)
  }
}

/// A connection as `RedisLink` uses it: `RedisConnection`, or a simulated one.
///
/// Answers come in the order of the commands; when it ends, those that are awaited fail with `lost`, and then `onClose` is called.
package protocol RedisChannel: AnyObject {
  typealias Answer = (Result<RedisReply, RedisError>) -> Void
  var address: RedisAddress { get }
  /// Commands may be sent.
  var isReady: Bool { get }
  /// Commands given to the server, greeting and probes included.
  var commandsSent: Int { get }
  var onReady: (() -> Void)? { get set }
  /// Ended by itself, once.
  var onClose: ((RedisError) -> Void)? { get set }
  /// A message of a subscribed channel, or the confirmation of a subscription.
  var onPush: ((RedisReply) -> Void)? { get set }

  /// Begins to connect; success and failure are told by `onReady` and `onClose`.
  func open()
  func send(_ arguments: [RedisArgument], answer: @escaping Answer)
  /// Subscribes; from then on nothing else may be sent.
  func subscribe(to channel: String)
  /// Ends it; `onClose` is not called.
  func close()
  /// Another connection to the same server, not opened yet, for messages only. `name` is shown in the server's CLIENT LIST.
  func makeListener(name: String) -> any RedisChannel
}

/// Finds the server and makes connections that are ready: `RedisDialer`, or a simulated one.
package protocol RedisDialing: AnyObject {
  /// Commands sent on connections that are over.
  var commandsSent: Int { get }
  /// Answers once, from the loop, never from within this call; not at all after `cancel`.
  func dial(_ answer: @escaping (Result<any RedisChannel, RedisError>) -> Void)
  func cancel()
}

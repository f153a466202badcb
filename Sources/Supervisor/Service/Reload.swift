import Core

/// One reload, from the request to the last child's answer.
struct Reload {
  typealias Answer = (_ ok: Bool, _ text: String) -> Void

  /// Children answer a `configure` within one turn of their loop, and a new one adopts within milliseconds.
  static let childLimit = Duration.seconds(30)

  var answers: [Answer] = []
  /// Nobody asked for it: it is mentioned only when it changes something, or when it fails in a new way.
  var isAutomatic = false
  /// Who has to answer yet.
  var awaiting: Set<TaskType> = []
  var problems: [String] = []
  /// The helper waits for a server or for a dump that can be read; whoever asked has been told.
  var isWaiting = false
  /// Names one reload, so that a late timer does not end the next one.
  var number = 0
}

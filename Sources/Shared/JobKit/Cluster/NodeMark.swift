import Core

/// What says in Redis that one child of one service works under its node's name: an incarnation, as the field calls it.
///
/// The node's name is made of what a clone has too. So whoever begins looks first whether another one is alive, and everything that is
/// written carries the mark: what a connection said that was given up since, or a service that another one has replaced, is refused.
struct NodeMark: Equatable, Sendable {
  /// Of the job table, drawn when it was made: a child that was killed comes back with the same one, a clone has another.
  var table: UInt64
  /// Grows with each connection of this table's child: milliseconds since boot.
  var connection: Int64

  var text: String { "\(tableText)/\(connection)" }
  var tableText: String { String(table, radix: 16) }
}

/// How long a mark lives that nobody renews, and how often it is renewed.
///
/// A machine that was reset comes back with a new table and waits for so long; a child that stands still for longer gives its work away.
struct MarkLifetime: Sendable {
  static let standard = Duration.seconds(15)
  var whole = standard

  var renewal: Duration { whole / 5 }
}

/// What became of the wish to work under the node's name.
enum MarkAnswer: Equatable {
  case ours
  /// Another one is alive, its mark in the form of the server.
  case taken(by: String)
}

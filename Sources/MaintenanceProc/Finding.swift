/// What one look at one possible fault has found.
struct Finding: Equatable, Sendable {
  /// Which fault, and of what: the warning begins, lasts and ends under this key.
  var key: String
  var signal: WarningPolicy.Signal
  /// What is wrong, with figures, and what to do.
  var text = ""
  /// What is said when it is over.
  var relief = ""
  /// How long it has to be bad before it is said, and good before it is over.
  var onset = Duration.zero
  var calm = Duration.seconds(60)
}

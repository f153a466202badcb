import Core

/// How a run of a script went, as seen from outside.
struct ScriptRun: Equatable {
  enum End: Equatable {
    case ended(ExitStatus)
    /// The limit passed; the script and its group were killed.
    case timedOut(Duration)
    case notStarted(String)
  }

  var end: End
  var output: [UInt8] = []
  /// More came than may be kept.
  var overflowed = false
  /// The last of what it wrote to standard error.
  var errors = ""

  /// What is kept of the output; a real dump of the configuration has half a megabyte.
  static let outputLimit = 64 << 20
  /// What is kept of standard error.
  static let errorLimit = 4096
}

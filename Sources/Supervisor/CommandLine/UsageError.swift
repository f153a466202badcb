/// A command line that can't be understood: what is wrong, and what was probably meant. Exit code 2.
struct UsageError: Error, Equatable, CustomStringConvertible {
  var message: String
  var hint: String?

  init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  var description: String {
    hint.map { "\(message)\n\($0)" } ?? message
  }

  /// "Did you mean …?" when a known word is close enough to be a slip of the fingers.
  static func suggestion(for word: String, among known: [String], prefix: String = "") -> String? {
    let limit = word.count <= 3 ? 1 : word.count <= 6 ? 2 : 3
    let ranked = known.map { (word: $0, distance: distance(word, $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= limit else { return nil }
    return "Did you mean '\(prefix)\(best.word)'?"
  }

  /// Edits that turn one word into the other: insertions, deletions, replacements, and swaps of neighbours, the commonest slip of all.
  static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a)
    let b = Array(b)
    var rows = [Array(0...b.count)]
    for i in 1...max(1, a.count) where i <= a.count {
      var row = [i]
      for j in 1...max(1, b.count) where j <= b.count {
        var best = min(row[j - 1] + 1, rows[i - 1][j] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}

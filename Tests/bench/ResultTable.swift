/// What was measured, line by line, with the goal where there is one.
struct ResultTable {
  private var rows: [[String]] = [["measured", "value", "goal"]]

  mutating func add(_ name: String, _ value: String, goal: String = "") {
    rows.append([name, value, goal])
  }

  var rendered: String {
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { $1 + String(repeating: " ", count: widths[$0] - $1.count) }.joined(separator: "  ").trimmingSuffix()
    }.joined(separator: "\n")
  }
}

extension String {
  fileprivate func trimmingSuffix() -> String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// With so many digits after the point.
func rounded(_ value: Double, _ digits: Int = 2) -> String {
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let whole = (value * scale).rounded() / scale
  return digits == 0 ? String(Int(whole)) : String(whole)
}

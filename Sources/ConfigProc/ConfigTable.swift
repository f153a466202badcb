import Core

/// The configuration in aligned columns for people.
enum ConfigTable {
  static func lines(_ entries: [ConfigEntry], origins: Bool) -> [String] {
    let rows = entries.map { [$0.key, text($0.value)] + (origins ? [$0.origin] : []) }
    // One very long value must not push the last column off every screen.
    let widths = (0..<(origins ? 3 : 2)).map { column in min(48, rows.map { $0[column].count }.max() ?? 0) }
    return rows.map { row in
      zip(row, widths).enumerated().map { index, cell in
        index == row.count - 1 ? cell.0 : cell.0 + String(repeating: " ", count: max(0, cell.1 - cell.0.count))
      }.joined(separator: "  ")
    }
  }

  /// An empty text shows as `-`, so that every row has its columns.
  private static func text(_ value: ConfigValue) -> String {
    switch value {
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .text(let value): value.isEmpty ? "-" : value
    case .integers(let values): values.map(String.init).joined(separator: ",")
    }
  }
}

/// One row of a result. All rows of a result share one store of cells, so a row costs no allocation of its own.
public struct SQLRow: Sendable {
  let cells: SQLCells
  let start: Int

  /// The number of columns.
  public var count: Int { cells.columns.count }

  /// The names of the columns in their order.
  public var columns: [String] { cells.columns }

  /// The cell of a column, counted from 0. Out of range is a programming error.
  public subscript(column: Int) -> SQLValue {
    precondition(column >= 0 && column < cells.columns.count, "no column \(column)")
    return cells.values[start + column]
  }

  /// The cell of the column with this name, as the statement spells it; nil = there is no such column.
  public subscript(name: String) -> SQLValue? {
    cells.columns.firstIndex(of: name).map { cells.values[start + $0] }
  }
}

/// The cells of all rows of a result, row after row.
final class SQLCells: Sendable {
  let columns: [String]
  let values: [SQLValue]

  init(columns: [String], values: [SQLValue]) {
    self.columns = columns
    self.values = values
  }

  var rows: [SQLRow] {
    guard !columns.isEmpty else { return [] }
    return stride(from: 0, to: values.count, by: columns.count).map { SQLRow(cells: self, start: $0) }
  }
}

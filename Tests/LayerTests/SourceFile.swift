import Fixture

/// A source file as the layer rules see it: path below the repository, imports, number of lines.
struct SourceFile {
  let path: String
  let lines: [Substring]

  /// The first folder below Sources, or the second below Sources/Shared.
  var target: String {
    let parts = path.split(separator: "/").map(String.init)
    return parts.count > 2 && parts[1] == "Shared" ? parts[2] : parts[1]
  }

  var name: String { String(path.split(separator: "/").last ?? "") }

  var imports: [String] {
    lines.compactMap { line in
      var words = line.split(separator: " ")
      // @testable, @preconcurrency, access levels.
      while let first = words.first,
        first.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(String(first))
      {
        words.removeFirst()
      }
      guard words.first == "import" else { return nil }
      // `import struct Module.Name` counts as the module.
      let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
      let module = words.dropFirst().first { !kinds.contains($0) }
      return module.map { String($0.split(separator: ".")[0]) }
    }
  }

  /// A line without its strings and its comment.
  static func code(of line: Substring) -> String {
    let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
    let code = parts.enumerated().map { $0.offset.isMultiple(of: 2) ? String($0.element) : "" }.joined(separator: "\"")
    return code.firstRange(of: "//").map { String(code[..<$0.lowerBound]) } ?? code
  }

  static func all(below folder: String, endings: [String]) -> [SourceFile] {
    var found: [SourceFile] = []
    func visit(_ path: String) {
      for entry in directoryEntries(SampleNode.sourceDirectory + "/" + path).sorted() {
        if endings.contains(where: { entry.hasSuffix($0) }) {
          guard let text = readText(SampleNode.sourceDirectory + "/\(path)/\(entry)") else { continue }
          // A last line without a line break counts, the nothing after a last line break does not.
          var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
          if lines.last == "" { lines.removeLast() }
          found.append(SourceFile(path: "\(path)/\(entry)", lines: lines))
        } else if !entry.hasPrefix(".") {
          visit("\(path)/\(entry)")
        }
      }
    }
    visit(folder)
    return found
  }
}

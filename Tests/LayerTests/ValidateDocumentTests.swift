import Fixture
import Testing

/// README.md and the man page name everything that `validate` looks at, in the words with which its lines begin, and nothing else.
@Suite struct ValidateDocumentTests {
  /// The subjects of the checks, as the sources have them: the first argument of a `Check`, or the `subject` that stands for it.
  private static let subjects = SourceFile.all(below: "Sources/ConfigProc", endings: [".swift"]).flatMap(\.lines).reduce(
    into: Set<String>()
  ) {
    found, line in
    for opening in [".ok(\"", ".warn(\"", ".fail(\"", "let subject = \"", "    \"instance\"", "    \"log_dir\""] {
      guard let range = line.firstRange(of: opening) else { continue }
      let start = opening.hasPrefix("    ") ? opening.dropFirst(5).dropLast() : line[range.upperBound...].prefix { $0 != "\"" }
      found.insert(String(start))
    }
  }

  private func text(_ path: String) -> String { readText(SampleNode.sourceDirectory + "/" + path) ?? "" }

  @Test func readmeNamesEachCheck() {
    let lines = text("README.md").split(separator: "\n", omittingEmptySubsequences: false)
    let begin = lines.firstIndex { $0.hasPrefix("| line | looks at |") } ?? lines.endIndex
    let rows = lines[begin...].dropFirst(2).prefix { $0.hasPrefix("| `") }
    let named = rows.compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) }
    #expect(Self.subjects.count > 10)
    #expect(Set(named) == Self.subjects && named.count == Self.subjects.count)
  }

  @Test func theManPageNamesEachCheck() {
    let named = text("misc/man/librenms-dispatcher.8").split(separator: "\n").filter { $0.hasPrefix(".It Sy ") }.map {
      String($0.dropFirst(7))
    }
    #expect(Set(named) == Self.subjects && named.count == Self.subjects.count)
  }

  /// `lnms` of LibreNMS 26 refuses it, so nowhere is it the only way.
  @Test func whereTheOldNameOfFastPingStandsTheNewOneDoesToo() {
    let paragraphs = text("README.md").split(separator: "\n\n").filter { $0.contains("service_ping_enabled") }
    #expect(!paragraphs.isEmpty)
    for paragraph in paragraphs { #expect(paragraph.contains("schedule_type.ping dispatcher"), "\(paragraph)") }
  }
}

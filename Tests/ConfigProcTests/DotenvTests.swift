import Testing

@testable import ConfigProc

/// File, what it says, and how many lines of it are unreadable. The expected values are python-dotenv's.
@Suite struct DotenvTests {
  static let files: [(String, [String: String], Int)] = [
    ("A=1\nB=two words\n", ["A": "1", "B": "two words"], 0),
    ("A=1\r\nB=2\r\n", ["A": "1", "B": "2"], 0),
    ("A=1\rB=2", ["A": "1", "B": "2"], 0),
    ("export A=1\nexport   B=2", ["A": "1", "B": "2"], 0),
    ("exportA=1", ["exportA": "1"], 0),
    ("export\nA=1", ["A": "1"], 0),
    ("A=a#b", ["A": "a#b"], 0),
    ("A=a #b", ["A": "a"], 0),
    ("A=a\t# b", ["A": "a"], 0),
    ("A= # c", ["A": ""], 0),
    ("A=#c", ["A": "#c"], 0),
    ("A=  #c", ["A": ""], 0),
    ("A='x' # c", ["A": "x"], 0),
    ("A=\"x\"#c", ["A": "x"], 0),
    ("A=\"x\" y", [:], 1),
    ("A='x'y\nB=2", ["B": "2"], 1),
    (" A = 1 ", ["A": "1"], 0),
    ("A =1", ["A": "1"], 0),
    ("  A=  spaced out  \n", ["A": "spaced out"], 0),
    ("A=", ["A": ""], 0),
    ("A=\nB=2", ["A": "", "B": "2"], 0),
    ("A", [:], 0),
    ("A\nB=1", ["B": "1"], 0),
    ("A=1\nA=2", ["A": "2"], 0),
    ("=1\nB=2", ["B": "2"], 1),
    ("# c\n\n  # d\nA=1", ["A": "1"], 0),
    ("A=\"l1\nl2\"\nB=2", ["A": "l1\nl2", "B": "2"], 0),
    ("A='l1\r\nl2'", ["A": "l1\nl2"], 0),
    ("A=\"open\nB=2", ["B": "2"], 1),
    ("A='open\nB=2", ["B": "2"], 1),
    ("A=\"\\\\ \\' \\\" \\a\\b\\f\\n\\r\\t\\v \\x \\$ \\101\"", ["A": "\\ ' \" \u{7}\u{8}\u{c}\n\r\t\u{b} \\x \\$ \\101"], 0),
    ("A='\\\\ \\' \\n \\\"'", ["A": "\\ ' \\n \\\""], 0),
    ("A=\\n\\t\\\\", ["A": "\\n\\t\\\\"], 0),
    ("'A B'=1", ["A B": "1"], 0),
    ("'A'=1", ["A": "1"], 0),
    ("''=1\nB=2", ["B": "2"], 1),
    ("\"A\"=1", ["\"A\"": "1"], 0),
    ("A B=1\nC=2", ["C": "2"], 1),
    ("A: 1\nB=2", ["B": "2"], 1),
    ("A.b-c=1", ["A.b-c": "1"], 0),
    ("A=1=2", ["A": "1=2"], 0),
    ("A==", ["A": "="], 0),
    ("A='", [:], 1),
    ("A=\"", [:], 1),
    ("A=\"x\\", [:], 1),
    ("\u{feff}A=1", ["A": "1"], 0),
    ("A=zwölf 🐟", ["A": "zwölf 🐟"], 0),
    ("A='' # x", ["A": ""], 0),
    ("A=\"\"", ["A": ""], 0),
    ("A=x\\\nB=2", ["A": "x\\", "B": "2"], 0),
    ("A=#\nB=1", ["A": "#", "B": "1"], 0),
    ("A=a# b", ["A": "a# b"], 0),
    ("A=  \"q\"  ", ["A": "q"], 0),
    ("A=\u{c}1", ["A": "1"], 0),
    ("A#b=1\nC=2", ["C": "2"], 0),
    ("export 'A'=1", ["A": "1"], 0),
    ("A=\"#x\"", ["A": "#x"], 0),
    ("A=1;B=2", ["A": "1;B=2"], 0),
    ("A=`x`", ["A": "`x`"], 0),
    ("A='a''b'\nB=1", ["B": "1"], 1),
    ("A=\"a\\\nb\"", ["A": "a\\\nb"], 0),
    ("A= \nB=1", ["A": "", "B": "1"], 0),
    ("A=\t", ["A": ""], 0),
    ("\n\nA=1", ["A": "1"], 0),
    ("A=1\n\n\n", ["A": "1"], 0),
    ("A='multi\n\nline'\nB=x", ["A": "multi\n\nline", "B": "x"], 0),
    ("A=x \\# y", ["A": "x \\# y"], 0),
    ("A=%x!", ["A": "%x!"], 0),
    ("A=\\\"x\\\"", ["A": "\\\"x\\\""], 0),
    ("A=\"a\" # \"b\"", ["A": "a"], 0),
    ("A=a'b'c", ["A": "a'b'c"], 0),
    ("NOEQ # c\nA=1", ["A": "1"], 0),
    ("export=1", ["export": "1"], 0),
  ]

  static let references: [(String, [String: String], Int)] = [
    ("A=${FROM_ENV}", ["A": "env"], 0),
    ("A='${FROM_ENV}'", ["A": "env"], 0),
    ("A=\"${FROM_ENV}\"", ["A": "env"], 0),
    ("A=$FROM_ENV", ["A": "$FROM_ENV"], 0),
    ("A=${NOPE}", ["A": ""], 0),
    ("A=${NOPE:-dflt}", ["A": "dflt"], 0),
    ("A=${FROM_ENV:-dflt}", ["A": "env"], 0),
    ("A=${EMPTY_ENV:-dflt}", ["A": ""], 0),
    ("FROM_ENV=file\nA=${FROM_ENV}", ["FROM_ENV": "file", "A": "env"], 0),
    ("X=1\nA=${X}${X}-${X:-2}", ["X": "1", "A": "11-1"], 0),
    ("A=${B}\nB=1", ["A": "", "B": "1"], 0),
    ("X=1\nX=${X}2\nX=${X}3", ["X": "123"], 0),
    ("A=${X", ["A": "${X"], 0),
    ("A=${X:y}", ["A": "${X:y}"], 0),
    ("A=${}", ["A": ""], 0),
    ("A=${X:-}", ["A": ""], 0),
    ("A=${X:-a:b}", ["A": "a:b"], 0),
    ("A=$${FROM_ENV}", ["A": "$env"], 0),
    ("A=${X:-${FROM_ENV}}", ["A": "${FROM_ENV}"], 0),
    ("A=${FROM_ENV}# x", ["A": "env# x"], 0),
  ]

  static let environment = ["FROM_ENV": "env", "EMPTY_ENV": ""]

  @Test(arguments: files + references)
  func readsWhatPythonReads(text: String, expected: [String: String], bad: Int) {
    let file = DotenvFile(Array(text.utf8), environment: Self.environment)
    #expect(file.entries.mapValues(\.value) == expected)
    #expect(file.badLines.count == bad)
  }

  @Test func aNameWithoutEqualSignIsIgnored() {
    #expect(DotenvFile(Array("A=1\nA\n".utf8), environment: [:]).entries["A"]?.value == "1")
  }

  @Test func linesAreCountedFromOneThroughQuotedValues() {
    let text = "# c\r\n\r\nA='x\r\ny'\r\n\r\nbad line\r\nB=2\r\nA=3\r\n"
    let file = DotenvFile(Array(text.utf8), environment: [:])
    #expect(file.entries == ["A": .init(value: "3", line: 8), "B": .init(value: "2", line: 7)])
    #expect(file.badLines == [6])
  }

  @Test func everyPrefixOfAFileEndsInAnAnswer() {
    let text = Array("export A=\"${B:-x}\\n\" # c\n'K y'='it\\'s' \n=\nC=${D\n\"".utf8)
    for length in 0...text.count { _ = DotenvFile(Array(text.prefix(length)), environment: [:]) }
    _ = DotenvFile([0xFF, 0xFE, 0x00, UInt8(ascii: "=")], environment: [:])
  }
}

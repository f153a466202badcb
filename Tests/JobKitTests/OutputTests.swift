import Core
import JobKit
import Testing

@Suite struct OutputTests {
  @Test(arguments: [
    ("ERROR: x", LogLevel.error), ("  [error] x", .error), ("err x", .error), ("WARN-x", .warning), ("Warning: x", .warning),
    ("CRITICAL\tx", .critical), ("fatal: x", .critical), ("[DEBUG] x", .debug), ("trace x", .debug), ("information: x", .info),
    ("ERRORS: x", .info), ("Errorx", .info), ("ERROR", .info), ("plain", .info), ("", .info), ("[[ERROR] x", .info), ("WARNING!", .info),
  ])
  func levelsComeFromTheFirstWord(line: String, level: LogLevel) {
    #expect(LevelInference.level(of: line) == level)
  }

  @Test func linesAreCutWhereverTheBytesWereCut() {
    let text = Array("one\r\ntwo\n\nthree".utf8)
    for size in 1...text.count {
      var splitter = LineSplitter()
      var lines: [String] = []
      var rest = text[...]
      while !rest.isEmpty {
        lines += splitter.feed(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      #expect(lines == ["one", "two"])
      let last = splitter.finish()
      #expect(last == "three")
      let nothing = splitter.finish()
      #expect(nothing == nil)
    }
  }

  @Test func anEndlessLineIsCutOnceAndItsRestSkipped() {
    var splitter = LineSplitter()
    let lines = splitter.feed(Array(repeating: UInt8(ascii: "x"), count: 100_000) + Array("\nnext\n".utf8))
    #expect(lines.map(\.utf8.count) == [LineSplitter.longest, 4])
  }

  @Test func theTailKeepsTheLastLinesAndNoMoreThanItsCapacity() {
    var tail = OutputTail()
    for number in 0..<10_000 { tail.append(Array("line \(number)\n".utf8)) }
    #expect(tail.lastLines(2) == "line 9998 | line 9999")
    tail.append(Array(repeating: UInt8(ascii: "y"), count: 1_000_000))
    #expect(tail.lastLines(5).utf8.count == OutputTail.capacity)
    tail.clear()
    #expect(tail.isEmpty)
  }
}

import Core
import Testing

@Suite struct VisibleTextTests {
  @Test(arguments: [
    ("plain text, with ümlauts, 漢字 and 👩‍🚀", "plain text, with ümlauts, 漢字 and 👩‍🚀"), ("a\tb", "a\tb"), ("a\nb\r\nc", "a b  c"),
    ("\u{1B}[2J\u{1B}]0;x\u{7}", "\\x1b[2J\\x1b]0;x\\x07"), ("\u{0}\u{8}\u{7F}", "\\x00\\x08\\x7f"),
    ("\u{80}\u{9B}31m\u{9F}", "\\x80\\x9b31m\\x9f"),
    ("\u{202A}\u{202E}a\u{2066}\u{2069}\u{200F}", "\\u{202a}\\u{202e}a\\u{2066}\\u{2069}\\u{200f}"),
    ("a\u{2028}b\u{2029}c\u{85}d", "a b c d"),
    ("\u{FEFF}\u{E0041}", "\\u{feff}\\u{e0041}"), ("می‌خواهم", "می‌خواهم"), ("", ""),
  ])
  func nothingIsACommandToATerminal(given: String, expected: String) {
    #expect(VisibleText.of(given) == expected)
    #expect(VisibleText.of(Array(given.utf8)) == expected)
    #expect(VisibleText.of(VisibleText.of(given)) == expected, "once or twice is the same")
  }

  @Test(
    arguments: [
      // Latin-1, an 8-bit control alone, a cut sequence, an overlong NUL, a surrogate, a byte that no UTF-8 has.
      ([0x70, 0xE4, 0x73], "p\\xe4s"), ([0x9B, 0x33], "\\x9b3"), ([0x61, 0xE2, 0x82], "a\\xe2\\x82"), ([0xC0, 0x80], "\\xc0\\x80"),
      ([0xED, 0xA0, 0x80, 0x61], "\\xed\\xa0\\x80a"), ([0xFF, 0x0A, 0xC3, 0xA4], "\\xff ä"), ([0xE2, 0x80, 0xAE], "\\u{202e}"),
    ] as [([UInt8], String)])
  func bytesThatAreNoTextAreShownAsSuch(given: [UInt8], expected: String) {
    #expect(VisibleText.of(given) == expected)
    #expect(VisibleText.of(given[...]) == expected)
  }

  @Test func messagesOfSeveralLinesMayKeepThem() {
    #expect(VisibleText.of("wrong\n\u{1B}[31mhint\r", keepingLines: true) == "wrong\n\\x1b[31mhint ")
  }
}

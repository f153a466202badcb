import Testing

@testable import ConfigProc

@Suite struct DotenvEncodingTests {
  private static let text = "NODE_ID=n1\r\nDB_PASSWORD=geheim\r\n"
  private static func wide(_ width: Int, bigEndian: Bool, mark: Bool) -> [UInt8] {
    ((mark ? "\u{FEFF}" : "") + text).unicodeScalars.flatMap { scalar -> [UInt8] in
      let bytes = (0..<width).map { UInt8(truncatingIfNeeded: scalar.value >> (8 * $0)) }
      return bigEndian ? bytes.reversed() : bytes
    }
  }

  @Test(arguments: [true, false])
  func wideTextsAreNamedWithTheWayOut(mark: Bool) {
    for (width, bigEndian, name) in [(2, false, "UTF-16LE"), (2, true, "UTF-16BE"), (4, false, "UTF-32LE"), (4, true, "UTF-32BE")] {
      let complaint = DotenvEncoding.complaint(Self.wide(width, bigEndian: bigEndian, mark: mark), file: "/opt/x/.env")
      #expect(complaint?.contains("/opt/x/.env is \(name)") == true, "\(complaint ?? "-")")
      #expect(complaint?.contains("iconv -f \(name) -t UTF-8 '/opt/x/.env'") == true)
    }
  }

  @Test(
    arguments: [
      (Array("NODE_ID=n\nDB_PASSWORD=p".utf8) + [0xE4, 0x73], "line 2 (DB_PASSWORD) has bytes that are no UTF-8"),
      (Array("\r\n\rexport REDIS_PASSWORD = '".utf8) + [0xFF, 0x27], "line 3 (REDIS_PASSWORD) has"),
      (Array("NODE_ID=n".utf8) + [0, 0x31, 0x0A], "line 1 (NODE_ID) holds a zero byte"),
      (Array("A=1\n".utf8) + [0xC3, 0x28], "line 2 has bytes"),
      // A surrogate and an overlong slash are no UTF-8 either.
      (Array("A=".utf8) + [0xED, 0xA0, 0x80], "line 1 (A)"), (Array("A=".utf8) + [0xC0, 0xAF], "line 1 (A)"),
    ] as [([UInt8], String)])
  func theLineAndTheKeyAreNamedAndNoValue(bytes: [UInt8], named: String) {
    let complaint = DotenvEncoding.complaint(bytes, file: "/opt/x/.env") ?? "-"
    #expect(complaint.contains(named), "\(complaint)")
    #expect(!complaint.contains("\u{FFFD}") && !complaint.contains("=p"))
  }

  @Test(
    arguments: [
      [], Array("NODE_ID=n\nDB_PASSWORD=pässwörd\n".utf8), [0xEF, 0xBB, 0xBF] + Array("NODE_ID=n".utf8),
      Array("# Schl".utf8) + [0xFC] + Array("ssel\nNODE_ID=n".utf8),
    ] as [[UInt8]])
  func textAsItShouldBeIsNotComplainedAbout(bytes: [UInt8]) {
    #expect(DotenvEncoding.complaint(bytes, file: ".env") == nil)
  }
}

import Core
import Testing

@Suite struct PHPCacheTests {
  @Test(
    arguments: [
      // What the service itself was given, and what its scripts get. An empty folder in the list stands for those PHP was built with.
      (["A=1"], ["A=1", "PHP_INI_SCAN_DIR=:/c/php"]),
      (["PHP_INI_SCAN_DIR=/etc/mine", "A=1"], ["PHP_INI_SCAN_DIR=/etc/mine:/c/php", "A=1"]),
      (["PHP_INI_SCAN_DIR=:/etc/mine"], ["PHP_INI_SCAN_DIR=:/etc/mine:/c/php"]),
      (["PHP_INI_SCAN_DIR="], ["PHP_INI_SCAN_DIR=/c/php"]),
      (["XPHP_INI_SCAN_DIR=/x"], ["XPHP_INI_SCAN_DIR=/x", "PHP_INI_SCAN_DIR=:/c/php"]),
      (
        [CText(bytes: Array("PHP_INI_SCAN_DIR=/p".utf8) + [0xE4])],
        [CText(bytes: Array("PHP_INI_SCAN_DIR=/p".utf8) + [0xE4] + Array(":/c/php".utf8))]
      ),
    ] as [([CText], [CText])])
  func theFolderComesLast(given: [CText], expected: [CText]) {
    #expect(PHPCache.on(directory: "/c/php").environment(given) == expected)
  }

  @Test(arguments: [PHPCache.wanted, .off(reason: "x")]) func withoutItNothingChanges(cache: PHPCache) {
    #expect(cache.environment(["A=1", "PHP_INI_SCAN_DIR=/a"]) == ["A=1", "PHP_INI_SCAN_DIR=/a"])
  }
}

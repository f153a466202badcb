import Core
import Glibc
import MariaDBFixture
import Testing

@testable import ConfigProc

/// Whether PHP's file cache is used, and the folder that it is in.
@Suite final class PHPCacheTests {
  private static let good = [
    "version": "8.2.1", "sapi": "cli", "binary": "/usr/bin/php8.2", "built": "1-2", "zts": "0", "debug": "0", "opcache": "8.2.1",
    "extensions": "/usr/lib/php", "installed": "1", "enable": "1", "cli": "", "cache": "", "only": "",
  ]
  private let parent: String

  init() {
    var template = Array("/tmp/phpcache-test-XXXXXX".utf8CString)
    mkdtemp(&template)
    parent = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? MariaDBServer.run(["rm", "-rf", parent], output: "/dev/null") }

  private func withFolder(_ body: (PHPCacheDirectory) throws -> Void) throws {
    try body(PHPCacheDirectory(path: parent + "/php", limit: 1 << 20))
  }

  private func write(_ name: String, _ bytes: Int = 10) {
    let file = open(parent + "/php/" + name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    _ = [UInt8](repeating: 65, count: bytes).withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    close(file)
  }

  private func isRefused(_ folder: PHPCacheDirectory) -> Bool {
    do throws(PHPCacheDirectory.Refused) {
      _ = try folder.prepare(fingerprint: "one")
      return false
    } catch {
      return !error.reason.isEmpty
    }
  }

  private func exists(_ name: String) -> Bool { access(parent + "/php/" + name, F_OK) == 0 }

  // MARK: Decision

  @Test(arguments: [
    (["sapi": "cgi-fcgi"], "not PHP's command line"),
    (["version": ""], "not PHP's command line"),
    (["opcache": "", "installed": "0"], "has no opcache"),
    (["opcache": "", "installed": "1"], "not loaded"),
    (["enable": ""], "opcache.enable is off"),
    (["enable": "0"], "opcache.enable is off"),
    (["cli": "1", "cache": "/var/x"], "have one"),
  ])
  func whatSpeaksAgainstItIsNamed(change: [String: String], reason: String) {
    guard case .off(let said) = PHPCachePolicy.judge(Self.good.merging(change) { $1 }) else {
      Issue.record("\(change) should be refused")
      return
    }
    #expect(said.contains(reason), "\(said)")
  }

  @Test func aFileCacheThatIsNotForTheCommandLineIsNoneOfOurs() {
    #expect(PHPCachePolicy.judge(Self.good.merging(["cache": "/var/x"]) { $1 }) == PHPCachePolicy.judge(Self.good))
  }

  @Test(arguments: ["version", "binary", "built", "zts", "debug", "opcache", "extensions"])
  func anotherPHPHasAnotherFingerprint(name: String) {
    let other = Self.good.merging([name: "other"]) { $1 }
    #expect(PHPCachePolicy.judge(other) != PHPCachePolicy.judge(Self.good))
    guard case .use = PHPCachePolicy.judge(other) else {
      Issue.record("\(name) alone should not refuse it")
      return
    }
  }

  @Test func newComplaintsOfPHPRefuseTheCache() {
    let answer = Self.good.merging(["cli": "1", "only": "1", "cache": "/c"]) { $1 }
    let judge = { (answer: [String: String], before: String, now: String) in
      PHPCachePolicy.objection(answer: answer, directory: "/c", saidBefore: before, saidNow: now)
    }
    #expect(judge(answer, "", "") == nil)
    #expect(judge(answer, "an old warning\n", "an old warning\n") == nil, "what php always says is not about the cache")
    #expect(judge(answer, "", "Cannot load Zend OPcache - it was already loaded\n")?.contains("already loaded") == true)
    for missing in ["cli", "only"] { #expect(judge(answer.merging([missing: ""]) { $1 }, "", "") != nil) }
    #expect(judge(answer.merging(["cache": "/d"]) { $1 }, "", "") != nil)
  }

  @Test(
    arguments: [
      (nil, "a", 5, false), ("a", "a", 5, false), ("b", "a", 5, true), ("a", "a", 11, true), (nil, "a", 11, true), ("a", "a", 10, false),
    ] as [(String?, String, Int, Bool)])
  func anUpgradeOrTooMuchEmptiesIt(old: String?, new: String, bytes: Int, empties: Bool) {
    #expect((PHPCachePolicy.reasonToEmpty(old: old, new: new, bytes: bytes, limit: 10) != nil) == empties)
  }

  // MARK: Folder

  @Test func theFolderIsMadePrivateWithSettings() throws {
    try withFolder { folder throws -> Void in
      #expect(try folder.prepare(fingerprint: "one") == nil)
      var status = stat()
      #expect(stat(folder.path, &status) == 0 && status.st_mode & 0o777 == 0o700)
      let settings = FileText.read(folder.path + "/dispatcher.ini", limit: 4096)
      #expect(settings?.contains("opcache.file_cache=\"\(folder.path)\"") == true)
      #expect(stat(folder.path + "/dispatcher.ini", &status) == 0 && status.st_mode & 0o777 == 0o600)
    }
  }

  @Test func whatIsThereStaysUntilPHPChanges() throws {
    try withFolder { folder throws -> Void in
      _ = try folder.prepare(fingerprint: "one")
      mkdir(folder.path + "/id", 0o700)
      write("id/a.php.bin")
      #expect(try folder.prepare(fingerprint: "one") == nil)
      #expect(exists("id/a.php.bin"))
      #expect(try folder.prepare(fingerprint: "two") == "PHP has changed")
      #expect(!exists("id") && exists("dispatcher.ini"))
      #expect(try folder.prepare(fingerprint: "two") == nil, "the new one is remembered")
    }
  }

  @Test func aFullFolderIsEmptied() throws {
    try withFolder { folder throws -> Void in
      _ = try folder.prepare(fingerprint: "one")
      mkdir(folder.path + "/id", 0o700)
      for number in 0..<3 { write("id/\(number).bin", 400_000) }
      let reason = try folder.prepare(fingerprint: "one")
      #expect(reason?.contains("1 is the limit") == true, "\(reason ?? "kept")")
      #expect(!exists("id"))
    }
  }

  @Test func aFolderThatNobodyCanVouchForIsEmptied() throws {
    try withFolder { folder throws -> Void in
      mkdir(folder.path, 0o700)
      mkdir(folder.path + "/id", 0o700)
      write("id/planted.php.bin")
      _ = try folder.prepare(fingerprint: "one")
      #expect(!exists("id"))
    }
  }

  @Test(arguments: [0o720, 0o702, 0o777] as [mode_t]) func aFolderThatOthersMayWriteIsRefused(mode: mode_t) throws {
    try withFolder { folder throws -> Void in
      mkdir(folder.path, 0o700)
      chmod(folder.path, mode)
      #expect(isRefused(folder))
      #expect(!exists("dispatcher.ini"))
    }
  }

  @Test func aFolderInAPlaceThatOthersCanChangeIsRefused() throws {
    try withFolder { folder throws -> Void in
      chmod(parent, 0o777)
      #expect(isRefused(folder))
    }
  }

  @Test(.enabled(if: geteuid() == 0)) func aForeignFolderIsRefused() throws {
    try withFolder { folder throws -> Void in
      mkdir(folder.path, 0o700)
      chown(folder.path, 65534, 65534)
      #expect(isRefused(folder))
      chown(folder.path, 0, 0)
      chown(parent, 65534, 65534)
      #expect(isRefused(folder), "its owner could put another in its place")
    }
  }

  @Test func linksInPlaceOfFolderOrSettingsAreRefused() throws {
    try withFolder { folder throws -> Void in
      mkdir(parent + "/elsewhere", 0o700)
      symlink(parent + "/elsewhere", folder.path)
      #expect(isRefused(folder))
      unlink(folder.path)
      mkdir(folder.path, 0o700)
      symlink("/etc/passwd", folder.path + "/dispatcher.ini")
      #expect(isRefused(folder))
    }
  }

  @Test(arguments: ["/with:colon/php", "/with\"quote/php", "/with$dollar/php", "relative/php"])
  func aPathThatPHPWouldReadAsSomethingElseIsRefused(path: String) {
    #expect(isRefused(PHPCacheDirectory(path: path, limit: 1)))
  }

  @Test func systemdsCacheDirectoryComesBeforeTheRuntimeDirectory() throws {
    try withFolder { _ throws -> Void in
      mkdir(parent + "/run", 0o700)
      mkdir(parent + "/cache", 0o700)
      let cache = try PHPCacheDirectory.place(base: "/b", cacheDirectory: parent + "/cache:/other", runtimeDirectory: parent + "/run")
      #expect(cache.path.hasPrefix(parent + "/cache/") && cache.path.hasSuffix("/php"))
      let other = try PHPCacheDirectory.place(base: "/c", cacheDirectory: parent + "/cache", runtimeDirectory: nil)
      #expect(other.path != cache.path, "two installations have two caches")
      let runtime = try PHPCacheDirectory.place(base: "/b", cacheDirectory: nil, runtimeDirectory: parent + "/run")
      #expect(runtime.path.hasPrefix(parent + "/run/") && runtime.limit < cache.limit)
    }
  }
}

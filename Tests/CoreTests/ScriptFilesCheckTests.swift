import Core
import Glibc
import Testing

@Suite struct ScriptFilesCheckTests {
  private typealias Facts = ScriptFilesCheck.Facts

  @Test(arguments: [
    // Owner, writable, what is said: nil = nothing, else whether scripts are stopped by it.
    (UInt32(1000), true, Bool?.none),
    (0, true, false),
    (0, false, true),
    (1000, false, true),
  ])
  func whoOwnsAFileAndWhoMayWriteIt(_ owner: UInt32, _ writable: Bool, _ expected: Bool?) {
    let problem = ScriptFilesCheck.judge("/x", Facts(owner: owner, isDirectory: false, isWritable: writable), user: 1000)
    #expect(problem?.isUnwritable == expected)
    if owner == 0, let problem { #expect(problem.text.hasPrefix("/x belongs to root")) }
  }

  @Test func whatDoesNotExistIsNoProblemAndFilesOfTheOwnUserAreNone() throws {
    let base = "/tmp/script-files-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    mkdir(base, 0o700)
    mkdir(base + "/logs", 0o700)
    mkdir(base + "/bootstrap", 0o700)
    mkdir(base + "/bootstrap/cache", 0o700)
    close(open(base + "/logs/librenms.log", O_CREAT | O_WRONLY, 0o600))
    defer {
      for name in ["/logs/librenms.log", "/bootstrap/cache/services.php"] { unlink(base + name) }
      for name in ["/bootstrap/cache", "/bootstrap", "/logs", ""] { rmdir(base + name) }
    }
    let check = ScriptFilesCheck(base: base, logDirectory: base + "/logs", logFile: base + "/logs/librenms.log")
    #expect(check.look().isEmpty)
    // Only root can give files away, which is who runs most containers' tests.
    guard geteuid() == 0 else { return }
    chown(base + "/logs/librenms.log", 65534, 65534)
    close(open(base + "/bootstrap/cache/services.php", O_CREAT | O_WRONLY, 0o600))
    chown(base + "/bootstrap/cache/services.php", 65534, 65534)
    #expect(check.look().map(\.path) == [base + "/logs/librenms.log", base + "/bootstrap/cache/services.php"])
    #expect(check.look().allSatisfy { !$0.isUnwritable }, "root may write everything")
  }

  /// A poll as root leaves RRD files two levels down, and a value in LibreNMS's cache three; below a folder of somebody else nothing more
  /// is said.
  @Test(.enabled(if: geteuid() == 0)) func filesOfAnotherUserAreFoundInTheDirectoriesBelow() throws {
    let base = "/tmp/script-files-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    var made: [String] = []
    func place(_ path: String, owner: UInt32 = 0, file: Bool = false) {
      if file { close(open(base + path, O_CREAT | O_WRONLY, 0o600)) } else { mkdir(base + path, 0o755) }
      chown(base + path, owner, owner)
      made.append(path)
    }
    defer { for path in made.reversed() where remove(base + path) != 0 { Issue.record("\(path) stays") } }
    for path in ["", "/rrd", "/rrd/a", "/rrd/b", "/storage", "/storage/framework", "/storage/framework/cache"] { place(path) }
    for path in ["/storage/framework/cache/data", "/storage/framework/cache/data/0f"] { place(path) }
    place("/storage/framework/cache/data/0f/1e")
    for number in 0..<50 { place("/rrd/a/\(number).rrd", file: true) }
    place("/rrd/b/x.rrd", owner: 65534, file: true)
    place("/storage/framework/cache/data/0f/1e/key", owner: 65534, file: true)
    place("/rrd/c", owner: 65534)
    place("/rrd/c/y.rrd", owner: 65534, file: true)
    let found = ScriptFilesCheck(base: base, logDirectory: base + "/logs", logFile: base + "/logs/x.log").look().map(\.path)
    #expect(Set(found) == [base + "/rrd/b/x.rrd", base + "/storage/framework/cache/data/0f/1e/key", base + "/rrd/c"])
  }
}

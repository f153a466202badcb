import Core
import Testing

@Suite struct RuntimeDirectoryTests {
  @Test func systemdsDirectoryComesFirstAndOnlyItsFirstEntryIsOurs() {
    let paths = RuntimeDirectory.candidates(runtimeDirectory: "/run/a:/run/b", user: 7)
    #expect(paths.first == "/run/a")
    #expect(!paths.contains("/run/b"))
    #expect(paths.contains("/run/user/7/librenms-dispatcher"))
  }

  @Test func everyInstallationHasItsOwnName() {
    let names = Set(["/opt/librenms", "/opt/librenms2", "/srv/librenms", ""].map(RuntimeDirectory.name))
    #expect(names.count == 4)
    #expect(names.allSatisfy { $0.count == 16 })
  }

  @Test func scriptsDoNotSeeWhatSystemdMeantForTheService() {
    let kept = ScriptEnvironment.forScripts([
      "PATH=/bin", "NOTIFY_SOCKET=@x", "WATCHDOG_USEC=1", "WATCHDOG_PID=2", "LISTEN_FDS=1", "LISTEN_PID=3", "NOTIFY=1", "REDIS_HOST=r",
    ])
    #expect(kept == ["PATH=/bin", "NOTIFY=1", "REDIS_HOST=r"])
  }
}

import Core
import Testing

@Suite struct PythonServiceTests {
  @Test(
    arguments: [
      (["/opt/librenms/librenms-service.py", "-v"], nil, true),
      (["python3", "/opt/librenms/librenms-service.py"], nil, true),
      (["/usr/bin/python3.11", "-u", "-W", "ignore", "/opt/librenms/librenms-service.py", "-v"], nil, true),
      (["/usr/bin/python3", "librenms-service.py"], "/opt/librenms", true),
      (["/usr/bin/python3", "./librenms-service.py"], "/opt/librenms", true),
      (["python3", "../librenms/librenms-service.py"], "/opt/other", true),
      (["python3", "librenms-service.py"], "/opt/other", false),
      (["python3", "librenms-service.py"], nil, false),
      (["python3", "/srv/librenms/librenms-service.py"], nil, false),
      (["vi", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "-c", "print()", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "-m", "pylint", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "/usr/bin/black", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "-uB", "/opt/librenms/librenms-service.py"], nil, true),
      (["python3", "-Wignore", "-BX", "utf8", "/opt/librenms/librenms-service.py"], nil, true),
      (["python3", "--check-hash-based-pycs", "never", "--", "/opt/librenms/librenms-service.py"], nil, true),
      (["pypy3", "/opt//librenms/./librenms-service.py"], nil, true),
      (["python3", "-um", "pdb", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "-m", "librenms-service", "-v"], "/opt/librenms", true),
      (["python3", "-umlibrenms-service"], "/opt/librenms", true),
      (["python3", "-m", "librenms-service"], "/opt/other", false),
      (["python3", "-m"], "/opt/librenms", false),
      (["python3", "-", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3", "-X", "/opt/librenms/librenms-service.py"], nil, false),
      (["python3"], "/opt/librenms", false),
      (["vim", "-R", "librenms-service.py"], "/opt/librenms", false),
      (["sh", "/opt/librenms/librenms-service.py"], nil, false),
      (["/opt/librenms/my-librenms-service.py"], nil, false),
      (["/usr/bin/tail", "-f", "--", "/opt/librenms/librenms-service.py"], nil, false),
      (["grep", "librenms-service.py"], "/opt/librenms", false),
      ([], "/opt/librenms", false),
    ] as [([String], String?, Bool)])
  func thePythonServiceIsKnownByWhatItRuns(arguments: [String], working: String?, isService: Bool) {
    #expect(PythonService.runs(arguments, working: working, base: "/opt/librenms") == isService)
  }

  @Test func linksOfTheDirectoryAndOfTheScriptAreFollowed() {
    let links = [
      "/opt/librenms/librenms-service.py": "/srv/nms/librenms-service.py", "/usr/local/bin/service": "/srv/nms/librenms-service.py",
    ]
    let resolved = { (path: String) in links[path] ?? path }
    for path in ["/srv/nms/librenms-service.py", "/opt/librenms/librenms-service.py", "/usr/local/bin/service"] {
      #expect(PythonService.runs(["python3", path], working: nil, base: "/opt/librenms", resolved: resolved), "\(path)")
    }
    #expect(!PythonService.runs(["python3", "/srv/other/librenms-service.py"], working: nil, base: "/opt/librenms", resolved: resolved))
  }
}

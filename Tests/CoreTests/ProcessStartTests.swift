import Testing

@testable import Core

@Suite struct ProcessStartTests {
  @Test func argumentsAreTextOrRefusedByNameAndPlace() throws {
    #expect(try ProcessStart.arguments(["run", "--base=/opt/größer"]) == ["run", "--base=/opt/größer"])
    let odd = CText(bytes: Array("--base=/p".utf8) + [0xE4, 0x1B])
    #expect(
      throws: ProcessStart.Refusal(description: "argument 2, '--base=/p\\xe4\\x1b', has bytes that are no UTF-8; rename what it names")
    ) {
      try ProcessStart.arguments(["run", odd])
    }
  }

  @Test func variablesOfOursThatAreNoTextAreNamed() {
    func entry(_ name: String) -> CText { CText(bytes: Array("\(name)=p".utf8) + [0xE4]) }
    let entries = ["A=1", entry("ODD"), entry("DB_PASSWORD"), entry("NODE_ID"), CText(bytes: [0xFF, 0x3D, 0x31])]
    let about = { (names: Set<String>, shown: Bool) in
      ScriptEnvironment.unreadable(in: entries, among: { names.contains($0) }, mayShow: { _ in shown })
    }
    #expect(about(["A", "X"], true) == nil)
    #expect(about(["NODE_ID"], true) == "environment variable NODE_ID=p\\xe4 has bytes that are no UTF-8; write it in UTF-8")
    #expect(about(["DB_PASSWORD"], false) == "environment variable DB_PASSWORD has bytes that are no UTF-8; write it in UTF-8")
    #expect(ScriptEnvironment.forScripts(entries + ["NOTIFY_SOCKET=x", "WATCHDOG_USEC=1", "LISTEN_FDS=1"]) == entries)
  }

  @Test(
    arguments: [
      (.files, .max, nil), (.files, 1024, nil), (.files, 40, "a limit of 40 open files"), (.fileSize, .max, nil), (.fileSize, 0, "0 bytes"),
      (.cpu, .max, nil), (.cpu, 3600, "3600 s of processor time"), (.memory, 1 << 32, nil), (.memory, 1 << 27, "134217728 bytes"),
    ] as [(InheritedLimitPolicy.Resource, UInt64, String?)])
  func limitsThatCantBeRaisedAndKeepItFromWorkingAreSaid(resource: InheritedLimitPolicy.Resource, hard: UInt64, part: String?) {
    let warning = InheritedLimitPolicy.warning(resource, hard: hard)
    if let part { #expect(warning?.contains(part) == true) } else { #expect(warning == nil) }
  }
}

import Core
import Testing

@testable import ConfigProc

@Suite struct ConfigDumpTests {
  static func run(_ output: String, _ end: ScriptRun.End = .ended(.exited(0)), errors: String = "") -> ScriptRun {
    ScriptRun(end: end, output: Array(output.utf8), errors: errors)
  }

  @Test func aCleanObjectIsTaken() throws {
    let dump = try ConfigDump.parse(Self.run(" \n{\"a\":1,\"b\":\"2\",\"c\":true,\"d\":null,\"e\":1.5,\"f\":[1,{}],\"g\":{\"h\":\"ü\"}}\n"))
    let expected: [String: JSONValue] = [
      "a": .int(1), "b": .string("2"), "c": .bool(true), "d": .null, "e": .double(1.5), "f": .array([.int(1), .object([:])]),
      "g": .object(["h": .string("ü")]),
    ]
    #expect(dump == expected)
    #expect(try ConfigDump.parse(Self.run("{}")).isEmpty)
  }

  @Test(arguments: [
    (run("PHP Warning:  Undefined \"x\" on line 7\n{\"a\":1}"), "starts with something else than JSON: \"PHP Warning"),
    (run("Deprecated: y\n"), "starts with something else than JSON: \"Deprecated: y\""), (run(""), "empty"), (run(" \n"), "empty"),
    (run("{\"a\":1,\"redis_pass\":\"hid"), "cut or broken JSON (24 bytes)"), (run("{\"a\":1}\nPHP Notice: x"), "broken JSON"),
    (run("{\"a\":1}{\"b\":2}"), "broken JSON"), (run("[]"), "not a JSON object"), (run("[{\"a\":1}]"), "not a JSON object"),
    (run("null"), "something else"), (run("{\"a\":1}", .ended(.exited(1)), errors: "\nSQLSTATE 1045\n"), "exit code 1: SQLSTATE 1045"),
    (run("{\"a\":1}", .ended(.exited(255))), "exit code 255"),
    (run("Fatal error: x", .ended(.exited(255))), "exit code 255: \"Fatal error: x\""),
    (run("{\"a\":1}", .ended(.signalled(9))), "signal 9"), (run("{\"a\":1}", .timedOut(.seconds(300))), "did not end within 300"),
    (run("", .notStarted("no such file")), "can't be started: no such file"),
  ])
  func anythingElseIsRefusedWithItsReason(run: ScriptRun, reason: String) {
    let failure = #expect(throws: DumpFailure.self) { try ConfigDump.parse(run) }
    #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")")
    #expect(failure?.reason.contains("hid") == false)
  }

  @Test func everyCutOfADumpIsRefused() {
    let whole = Array("{\"a\":{\"b\":[1,2,\"x\"]},\"c\":\"d\"}".utf8)
    for length in 0..<whole.count {
      #expect(throws: DumpFailure.self) { try ConfigDump.parse(ScriptRun(end: .ended(.exited(0)), output: Array(whole.prefix(length)))) }
    }
    #expect(throws: DumpFailure.self) {
      try ConfigDump.parse(ScriptRun(end: .ended(.exited(0)), output: whole, overflowed: true))
    }
  }

  @Test func passwordsAreMaskedInWhatOthersSay() {
    var sources = ConfigSources(base: "/b", hostName: "h")
    sources.environment = ["DB_PASSWORD": "geheim", "REDIS_PASSWORD": "x"]
    sources.dotenv = DotenvFile(Array("DB_PASSWORD='geheim lang'".utf8), environment: [:])
    #expect(Secrets(sources).masked(in: "user x with geheim lang and geheim.") == "user x with *** and ***.")
  }
}

import Fixture
import Glibc
import Testing

@Suite struct FullDeviceTests {
  @Test func anAnswerOfTheHelperThatCanNotBeWrittenIsAFailureWithAReason() throws {
    let directory = try TemporaryDirectory()
    try writeText("NODE_ID=n\nDB_SOCKET=/nonexistent\n", to: directory.path + "/.env", mode: 0o600)
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    defer { close(full) }
    let errors = directory.path + "/errors"
    let process = try ChildProcess(
      [
        SampleNode.buildDirectory + "/librenms-configd"
      ] + [
        "validate", "--base", directory.path, "--cron-file", "/nonexistent",
      ], output: .descriptor(full), errors: .file(errors))
    #expect(process.wait(.seconds(10)) == .exited(1))
    #expect((readText(errors) ?? "").contains("can't write the answer to standard output: No space left on device"))
  }
}

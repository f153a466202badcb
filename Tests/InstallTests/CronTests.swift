import Fixture
import Glibc
import Testing

/// The script that turns off what the dispatcher replaces in LibreNMS's cron file.
@Suite struct CronTests {
  private static let cron = """
    # Using this cron file requires an additional user on your system, please see install docs.

    33   */6  * * *   librenms    /opt/librenms/cronic /opt/librenms/discovery-wrapper.py 1
    */5  *    * * *   librenms    /opt/librenms/discovery.php -h new >> /dev/null 2>&1
    */5  *    * * *   librenms    /opt/librenms/cronic /opt/librenms/poller-wrapper.py 16
    # */5  *    * * *   librenms    /opt/librenms/ping.php >> /dev/null 2>&1
    *    *    * * *   librenms    /opt/librenms/alerts.php >> /dev/null 2>&1
    */5  *    * * *   librenms    /opt/librenms/poll-billing.php >> /dev/null 2>&1
    01   *    * * *   librenms    /opt/librenms/billing-calculate.php >> /dev/null 2>&1
    */5  *    * * *   librenms    /opt/librenms/services-wrapper.py 1
    15   0    * * *   librenms    /opt/librenms/daily.sh >> /dev/null 2>&1
    *    *    * * *   librenms    cd /opt/librenms/ && php artisan schedule:run --no-ansi --no-interaction > /dev/null 2>&1
    *    *    * * *   root        /usr/local/bin/my-daily.sh.old

    """

  private func disable(_ programs: [String], _ options: String...) throws -> (lines: [String], before: [String], output: String) {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/librenms-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    let name = file.split(separator: "/").last.map(String.init) ?? ""
    defer { unlink("/var/backups/\(name).before-dispatcher") }
    try writeText(Self.cron, to: file)
    mkdir(directory.path + "/libexec", 0o755)
    for program in programs { try writeText("", to: "\(directory.path)/libexec/\(program)", mode: 0o755) }
    let done = try ChildProcess.run(
      [SampleNode.sourceDirectory + "/misc/examples/disable-librenms-cron"] + options + [file],
      environment: ProcessMark().environment(["LIBRENMS_DISPATCHER_LIBEXEC": directory.path + "/libexec"]))
    #expect(done.ending == .exited(programs.isEmpty ? 1 : 0), "\(done)")
    let split = { (text: String) in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    return (split(readText(file) ?? ""), split(Self.cron), done.output)
  }

  @Test(.enabled(if: geteuid() == 0)) func onlyWhatHasItsProgramIsTurnedOff() throws {
    let all = ["pollerd", "discoveryd", "servicesd", "pingd", "alertingd", "billingd", "maintenanced"].map { "librenms-" + $0 }
    let cases: [(programs: [String], off: Set<Int>)] = [
      (all, [2, 3, 4, 6, 7, 8, 9, 10]), (["librenms-pollerd"], [4]), (["librenms-alertingd", "librenms-maintenanced"], [6, 10]),
    ]
    for (programs, off) in cases {
      let (lines, before, output) = try disable(programs)
      #expect(lines.count == before.count)
      for (index, line) in before.enumerated() { #expect(lines[index] == (off.contains(index) ? "#" + line : line)) }
      #expect(output.split(separator: "\n").count == off.count)
    }
  }

  @Test func aDryRunChangesNothing() throws {
    let (lines, before, output) = try disable(["librenms-pollerd"], "--dry-run")
    #expect(lines == before)
    #expect(output.contains("poller-wrapper.py"))
  }

  @Test func withoutProgramsNothingIsTouched() throws {
    let (lines, before, _) = try disable([])
    #expect(lines == before)
  }
}

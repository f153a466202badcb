import Fixture
import Glibc

/// What the machine can do without a dispatcher: start the same script again and again, so many at a time, and wait for each.
struct BareLoop {
  let base: String
  let workers: Int

  /// Scripts that ended in that time.
  func run(for duration: Duration) throws -> Int {
    let end = ContinuousClock.now + duration
    let environment = ProcessMark().environment().merging(["PATH": base + "/bin:" + (getenv("PATH").map { String(cString: $0) } ?? "")]) {
      $1
    }
    var (running, ended, next) = (0, 0, 0)
    while ContinuousClock.now < end || running > 0 {
      while running < workers, ContinuousClock.now < end {
        next += 1
        try ChildProcess.startUnwatched(
          [base + "/lnms", "device:poll", "\(next % 2000 + 1)", "-q"], environment: environment, directory: base)
        running += 1
      }
      guard waitpid(-1, nil, 0) > 0 else { throw FixtureError("waitpid: no child") }
      running -= 1
      if ContinuousClock.now < end { ended += 1 }
    }
    return ended
  }
}

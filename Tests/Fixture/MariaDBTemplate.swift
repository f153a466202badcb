import Glibc

/// A data directory of MariaDB that is laid out once for each build directory and copied for each server: laying one out takes seconds, a copy
/// a tenth of one.
public struct MariaDBTemplate {
  /// What goes into a new data directory beyond the system tables, given a directory where a server may run for the time.
  public typealias Filling = (_ place: String) throws -> Void

  private static let layout = [
    "mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M",
  ]

  let name: String
  /// What decides about the contents, beside the version of the server: a template with another text is laid out anew.
  let key: String
  let filling: Filling

  public init(name: String, key: String = "", filling: @escaping Filling = { _ in }) {
    self.name = name
    self.key = key
    self.filling = filling
  }

  /// The user option that mariadbd and its tools need where they are run by root.
  public static var userOption: [String] { geteuid() == 0 ? ["--user=root"] : [] }

  /// Puts a copy into `place`, which gets a folder `data`. Several processes may ask at once; the first one lays the template out.
  public func copy(into place: String, environment: [String: String]? = nil) throws {
    let template = "\(SampleNode.buildDirectory)/mariadb-\(name)"
    let version = try ChildProcess.run(["mariadbd", "--no-defaults", "--version"], environment: environment).output
    let wanted = version + Self.layout.joined(separator: " ") + "\n" + key
    let lock = open(template + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw FixtureError.system("open \(template).lock", errno) }
    defer { close(lock) }
    guard flock(lock, LOCK_EX) == 0 else { throw FixtureError.system("lock \(template)", errno) }
    if readText(template + "/key") != wanted { try layOut(template, wanted, environment) }
    // Nobody lays it out anew while it is copied.
    let copied = try ChildProcess.run(["cp", "-a", "--reflink=auto", template + "/data", place + "/data"])
    guard copied.ending == .exited(0) else { throw FixtureError("copy \(template): \(copied.errors)") }
  }

  private func layOut(_ template: String, _ wanted: String, _ environment: [String: String]?) throws {
    _ = try ChildProcess.run(["rm", "-rf", template])
    guard mkdir(template, 0o700) == 0 else { throw FixtureError.system("mkdir \(template)", errno) }
    let made = try ChildProcess.run(
      Self.layout + ["--datadir=\(template)/data"] + Self.userOption, environment: environment, limit: .seconds(180))
    guard made.ending == .exited(0) else { throw FixtureError("mariadb-install-db: \(made.ending)\n\(made.output)\(made.errors)") }
    try filling(template)
    // Last: a template without its key is not whole.
    try writeText(wanted, to: template + "/key")
  }
}

import Core
import Fixture

@_exported import class Fixture.Certificates
@_exported import class Fixture.MariaDBServer

/// The fixture's server for those who speak to it with the product's own client.
extension MariaDBServer {
  /// With an empty database and a user who may do everything. `arguments` are added to the server's command line.
  public convenience init(arguments: [String] = []) throws {
    try self.init(mark: ProcessMark(), contents: .nothing, arguments: arguments)
  }

  /// Over TCP to `localhost`.
  public var settings: DatabaseSettings {
    var settings = DatabaseSettings()
    settings.port = port
    settings.user = Self.user
    settings.password = Self.password
    return settings
  }

  /// Runs a program to its end and returns its exit code, -1 for a signal. What it prints is appended to `output`.
  @discardableResult
  public static func run(_ arguments: [String], output: String) throws -> Int32 {
    let process = try Fixture.ChildProcess(arguments, output: .file(output), errors: .file(output))
    if case .exited(let code)? = process.wait(.seconds(60)) { return code }
    return -1
  }
}

extension Certificates {
  /// Added to a server's command line.
  public var serverArguments: [String] { ["--ssl-ca=\(authority)", "--ssl-cert=\(serverCertificate)", "--ssl-key=\(serverKey)"] }
}

import Core
import Database
import MariaDBFixture
import Testing

/// A real TLS server whose certificate names `localhost` only: right name, wrong name (an address) and wrong authority against each mode.
/// The address as a wrong name is written in its short form: from 3.4 on libmariadb takes `127.0.0.1` for this machine, whatever the
/// certificate says.
@Suite(.serialized) final class TLSTests {
  @Test func eachModeChecksWhatItPromises() throws {
    let certificates = try Certificates()
    defer { certificates.remove() }
    let server = try MariaDBServer(arguments: certificates.serverArguments)
    enum Outcome { case plain, encrypted, refused }
    let cases: [(mode: DatabaseTLS, host: String, authority: String, expected: Outcome)] = [
      (.disabled, "localhost", certificates.stranger, .plain),
      (.disabled, "127.0.0.1", "/nowhere/ca.pem", .plain),
      (.verifyCA, "localhost", certificates.authority, .encrypted),
      (.verifyCA, "127.0.0.1", certificates.authority, .encrypted),
      (.verifyCA, "localhost", certificates.stranger, .refused),
      (.verifyCA, "localhost", "/etc/ssl/certs/ca-certificates.crt", .refused),
      (.verifyCA, "localhost", "/nowhere/ca.pem", .refused),
      (.verifyIdentity, "localhost", certificates.authority, .encrypted),
      (.verifyIdentity, "127.1", certificates.authority, .refused),
      (.verifyIdentity, "localhost", certificates.stranger, .refused),
      (.verifyIdentity, "localhost", "/nowhere/ca.pem", .refused),
    ]
    for (mode, host, authority, expected) in cases {
      var settings = server.settings
      settings.tls = mode
      settings.host = host
      settings.certificateAuthority = authority
      let connection = DatabaseConnection(
        settings: settings, connectTimeout: .seconds(3), readTimeout: .seconds(3), writeTimeout: .seconds(3))
      var outcome = Outcome.refused
      do throws(DatabaseError) {
        try connection.connect()
        let cipher = try connection.query("SHOW STATUS LIKE 'Ssl_cipher'")[0][1].text ?? ""
        #expect(cipher.isEmpty == (connection.cipher == nil))
        outcome = cipher.isEmpty ? .plain : .encrypted
      } catch {
        #expect(error.kind == .unreachable)
        print("refused, as it should be: \(mode) \(host): \(error)")
      }
      #expect(outcome == expected, "\(mode) \(host) \(authority)")
    }
  }
}

import Core
import Glibc
import RedisFixture
import Testing

@testable import Redis

/// Where hiredis has TLS, it is used and the certificate checked; where not, nothing is sent in the clear instead.
@Suite struct TLSTests {
  @Test func theLinkIsEncryptedAndTheNameCheckedOrItIsRefused() throws {
    let certificates = try RedisCertificates()
    // OpenSSL reads the place of the system's authorities once, when it is loaded: by the next line and not before.
    setenv("SSL_CERT_FILE", certificates.authority, 1)
    guard RedisEndpoint.hasTLS else { return try nothingIsSentInTheClear() }
    let port = try RedisServer.freePort()
    let server = try RedisServer(password: "pw", arguments: certificates.serverArguments(port: port))
    var settings = server.settings
    settings.scheme = "tls"
    settings.host = "localhost"
    settings.port = port
    let scene = try LinkScene(settings, tracking: true)
    #expect(scene.isUp())
    #expect(scene.test.turn { scene.link.isTracking })
    let long = String(repeating: "x", count: 1_000_000)
    #expect(scene.ask("SET", "long", RedisArgument(long)) == .success(.text("OK")))
    #expect(scene.ask("GET", "long") == .success(.text(long)))
    server.kill()
    #expect(scene.isDown())
    try server.start()
    #expect(scene.isUp())
    // The certificate is for "localhost", not for its address.
    settings.host = "127.0.0.1"
    let other = try LinkScene(settings)
    other.test.turn { other.link.reason != nil || other.link.isUp }
    #expect(!other.link.isUp)
    #expect(other.link.reason != nil)
    // A server without TLS.
    settings.host = "localhost"
    settings.port = server.port
    let plain = try LinkScene(settings) { $0.connect = .seconds(1) }
    plain.test.turn { plain.link.reason != nil || plain.link.isUp }
    #expect(!plain.link.isUp)
  }

  private func nothingIsSentInTheClear() throws {
    let server = try RedisServer(password: "pw")
    var settings = server.settings
    settings.scheme = "tls"
    let scene = try LinkScene(settings)
    scene.test.turn(for: .milliseconds(300))
    #expect(!scene.link.isUp)
    #expect(scene.lines.all.count == 1 && scene.lines.all[0].contains("stunnel"), "\(scene.lines.all)")
    #expect(try server.command("INFO", "stats").contains("total_error_replies:0"))
    #expect(try server.command("CLIENT", "LIST").split(separator: "\n").count == 1)
  }
}

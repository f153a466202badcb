import Fixture

/// The fixture's certificates for a Redis server.
public struct RedisCertificates {
  private let certificates: Certificates
  public var authority: String { certificates.authority }

  public init() throws { certificates = try Certificates() }

  /// Added to a server's command line, it speaks TLS on this port, too.
  public func serverArguments(port: Int) -> [String] {
    [
      "--tls-port", String(port), "--tls-cert-file", certificates.serverCertificate, "--tls-key-file", certificates.serverKey,
      "--tls-ca-cert-file", authority, "--tls-auth-clients", "no",
    ]
  }
}

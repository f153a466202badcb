import Glibc

/// An authority, and a server certificate of it for `localhost` and nothing else.
public final class RedisCertificates {
  public let directory: String
  public var authority: String { directory + "/ca.pem" }

  public init() throws {
    directory = try RedisServer.temporaryDirectory()
    let script = """
      set -e; cd "$1"
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
      openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
      printf 'subjectAltName=DNS:localhost' > extensions
      openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out server.pem
      """
    let status = try LeashedProcess.run(["sh", "-c", script, "sh", directory], output: directory + "/log")
    guard status == 0 else { throw RedisServer.Failure(description: "openssl: status \(status), see \(directory)/log") }
  }

  deinit { _ = try? LeashedProcess.run(["rm", "-rf", directory], output: "/dev/null") }

  /// Added to a server's command line, it speaks TLS on this port, too.
  public func serverArguments(port: Int) -> [String] {
    [
      "--tls-port", String(port), "--tls-cert-file", "\(directory)/server.pem", "--tls-key-file", "\(directory)/server.key",
      "--tls-ca-cert-file",
      authority, "--tls-auth-clients", "no",
    ]
  }
}

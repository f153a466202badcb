/// Two certificate authorities and a server certificate of the first one, for `localhost` and nothing else.
public final class Certificates {
  private let directory: TemporaryDirectory
  public var authority: String { directory.path + "/ca.pem" }
  /// An authority that signed nothing of ours.
  public var stranger: String { directory.path + "/stranger.pem" }
  public var serverCertificate: String { directory.path + "/server.pem" }
  public var serverKey: String { directory.path + "/server.key" }

  public init() throws {
    directory = try TemporaryDirectory()
    let script = """
      set -e
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem
      openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
      printf 'subjectAltName=DNS:localhost' > extensions
      openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out server.pem
      """
    let made = try ChildProcess.run(["sh", "-c", script], directory: directory.path)
    guard made.ending == .exited(0) else { throw FixtureError("openssl: \(made.errors)") }
  }

  public func remove() { directory.remove() }
}

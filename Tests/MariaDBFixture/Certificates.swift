import Glibc

/// Two certificate authorities and a server certificate of the first one, for `localhost` and nothing else.
public struct Certificates {
  public let directory: String
  public var authority: String { directory + "/ca.pem" }
  /// An authority that signed nothing of ours.
  public var stranger: String { directory + "/stranger.pem" }

  public var serverArguments: [String] {
    ["--ssl-ca=\(authority)", "--ssl-cert=\(directory)/server.pem", "--ssl-key=\(directory)/server.key"]
  }

  public init() throws {
    directory = try MariaDBServer.temporaryDirectory()
    let script = """
      set -e; cd "$1"
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem
      openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
      printf 'subjectAltName=DNS:localhost' > extensions
      openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out server.pem
      """
    let status = try MariaDBServer.run(["sh", "-c", script, "sh", directory], output: directory + "/log")
    guard status == 0 else { throw MariaDBServer.Failure(description: "openssl: status \(status), see \(directory)/log") }
  }

  public func remove() {
    _ = try? MariaDBServer.run(["rm", "-rf", directory], output: "/dev/null")
  }
}

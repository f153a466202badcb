import Glibc

/// A directory that a node's dispatcher and its children see on a file server which has stopped: whoever looks up a name in it waits until
/// this is gone. Others see it as it was.
public final class HangingMount {
  private let server: ChildProcess

  /// Needs root, mounts, /dev/fuse, and a dispatcher in a mount name space of its own (`SampleNode.mounting`).
  /// Tried, since a container may show the device and refuse the mount.
  public static let isPossible: Bool = {
    guard SampleNode.canEnterMounts, access("/dev/fuse", R_OK | W_OK) == 0 else { return false }
    let trial = try? ChildProcess.run(["unshare", "--mount", "timeout", "1", SampleNode.buildDirectory + "/HangingMount", "/mnt"])
    return trial?.output == "hangs\n"
  }()

  public init(over path: String, of node: SampleNode) throws {
    guard let dispatcher = node.dispatcher else { throw FixtureError("no dispatcher was started") }
    let output = node.directory.path + "/hanging-mount.log"
    server = try ChildProcess(
      ["nsenter", "--mount", "--target", "\(dispatcher.pid)", "--", SampleNode.buildDirectory + "/HangingMount", path],
      environment: node.mark.environment([:]), directory: "/", output: .file(output), errors: .file(output))
    guard eventually(within: .seconds(10), { readText(output)?.contains("hangs") ?? false }) else {
      throw FixtureError("no FUSE here: \(readText(output) ?? "")")
    }
  }

  /// The server is back, with everything as it was.
  public func end() throws {
    server.send(SIGTERM)
    let ending = server.wait(.seconds(5))
    guard ending == .exited(0) else { throw FixtureError("the end of the hanging mount: \(ending.map { "\($0)" } ?? "none")") }
  }

  deinit { server.end() }
}

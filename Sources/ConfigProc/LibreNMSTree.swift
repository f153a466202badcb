import Core
import Glibc

/// What is read from the LibreNMS directory itself.
struct LibreNMSTree {
  var base: String

  /// The message names file, reason and way out.
  func dotenv(environment: [String: String]) throws(Refusal) -> DotenvFile {
    let path = base + "/.env"
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try Self.contents(path)
    } catch {
      throw Refusal(
        exitCode: 3,
        message: "\(path) can't be read: \(error.reason). Is \(base) the LibreNMS directory (--base), and may this user read the file?")
    }
    if let complaint = DotenvEncoding.complaint(bytes, file: path) { throw Refusal(exitCode: 3, message: complaint) }
    return DotenvFile(bytes, environment: environment)
  }

  /// Which command lines this version understands. The source files are looked at because asking PHP takes 0.3 s of CPU.
  var scripts: ScriptGeneration {
    var scripts = ScriptGeneration()
    let commands = base + "/app/Console/Commands/"
    scripts.discoverCommand = access(commands + "DeviceDiscover.php", F_OK) == 0
    scripts.fastPingCommand = FileText.read(commands + "DevicePing.php", limit: 1 << 20)?.contains("'fast'") ?? false
    return scripts
  }

  /// Does `config.php` look as if it said where the database is? Old installations do.
  var configurationFileNamesDatabase: Bool {
    configurationFile.contains("db_")
  }

  /// The text of `config.php`; empty where there is none.
  var configurationFile: String { FileText.read(base + "/config.php", limit: 1 << 20) ?? "" }

  private static func contents(_ path: String) throws(SystemError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("read \(path)") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read \(path)")
      }
      if count == 0 { return bytes }
      // A settings file of this size is a mistake, say a link to a device.
      guard bytes.count < 1 << 20 else { throw SystemError("read \(path)", number: EFBIG) }
      bytes += chunk[..<count]
    }
  }
}

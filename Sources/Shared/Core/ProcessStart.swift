import CLinuxShims
import Glibc

/// The first thing that every process of ours does: what survives exec is set up anew, so that nothing depends on who started it.
/// docs/process-start.md has the list.
public enum ProcessStart {
  /// What keeps this process from working at all.
  public struct Refusal: Error, Equatable, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
  }

  /// Returns the arguments without the program's name. Throws for arguments that are no UTF-8, and where the kernel gives not even
  /// descriptors 0 to 2.
  public static func begin() throws(Refusal) -> [String] {
    let status = shim_start_process()
    guard status >= 0 else { throw Refusal(description: "\(SystemError("open descriptors 0 to 2 and a directory", number: -status))") }
    return try arguments(rawArguments())
  }

  /// For a process that stays, the supervisor or a child of it. What a user wraps around a command that ends by itself, such as nohup or an
  /// alarm, stays in force; a service is ended by those who know how.
  public static func becomeService() { shim_become_service() }

  /// Before an exec of this process: its successor begins with what this one was given.
  public static func restoreForExec() { shim_restore_inherited() }

  /// For the message of a `Refusal`, when there is no log yet.
  public static func complain(_ text: String) {
    let line = Array((VisibleText.of(text, keepingLines: true) + "\n").utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private static func rawArguments() -> [CText] {
    (0..<Int(CommandLine.argc)).dropFirst().compactMap { CommandLine.unsafeArgv[$0].map { CText(cString: $0) } }
  }

  static func arguments(_ raw: [CText]) throws(Refusal) -> [String] {
    var arguments: [String] = []
    for (index, argument) in raw.enumerated() {
      guard let text = argument.string else {
        throw Refusal(description: "argument \(index + 1), '\(argument.visible)', has bytes that are no UTF-8; rename what it names")
      }
      arguments.append(text)
    }
    return arguments
  }

  /// A resource's limits as this process was started with; nil when it can't be asked.
  public static func inheritedLimit(_ resource: Int32) -> (soft: UInt64, hard: UInt64)? {
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    return shim_inherited_limit(resource, &soft, &hard) == 0 ? (soft, hard) : nil
  }

  /// Hard limits that this process can't raise and that stop its work, each as a warning.
  public static func limitWarnings() -> [String] {
    InheritedLimitPolicy.Resource.allCases.compactMap { resource in
      inheritedLimit(resource.number).flatMap { InheritedLimitPolicy.warning(resource, hard: $0.hard) }
    }
  }
}

extension InheritedLimitPolicy.Resource {
  fileprivate var number: Int32 {
    switch self {
    case .files: Int32(RLIMIT_NOFILE.rawValue)
    case .fileSize: Int32(RLIMIT_FSIZE.rawValue)
    case .cpu: Int32(RLIMIT_CPU.rawValue)
    case .memory: Int32(RLIMIT_AS.rawValue)
    }
  }
}

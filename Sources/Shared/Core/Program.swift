import CLinuxShims
import Glibc

/// A program to start, with everything that differs from its parent. Its umask and limits are those that this process was started with,
/// before `ProcessStart` changed its own.
public struct Program {
  public struct Started: Sendable {
    public var pid: Int32
    /// Owned by whoever started it.
    public var pidfd: Int32
    /// Why it is not in the control group that it was to enter; nil: it is, or none was named.
    public var groupFailure: SystemError?
  }

  public enum Failure: Error, CustomStringConvertible {
    case system(SystemError)
    /// The slot was taken away between `begin` and exec.
    case aborted

    public var description: String {
      switch self {
      case .system(let error): "\(error)"
      case .aborted: "the slot was taken away by another process"
      }
    }
  }

  public var path: String
  public var arguments: [String]
  public var environment: [CText]
  public var directory: String?
  public var input: Int32
  public var output: Int32
  public var error: Int32
  /// Becomes descriptor 3.
  public var channel: Int32?
  /// Added to the niceness.
  public var nice: Int32 = 0
  public var ownSession = true
  /// The open directory of the control group to start in. One that can't be entered does not keep the program from starting; one that is at
  /// its limit of tasks does (EAGAIN).
  public var cgroup: Int32?

  /// `arguments` without the program's own name, `environment` as KEY=value.
  public init(path: String, arguments: [String], environment: [CText], input: Int32, output: Int32, error: Int32) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.input = input
    self.output = output
    self.error = error
  }

  /// Starts it; returns after exec. With a slot, the new process enters itself into the table before it execs.
  ///
  /// To be called from the loop's thread only. Throws the error of the step that failed, ENOENT for a missing program among them.
  public func start(in slot: (table: JobTable, index: Int, word: SlotWord)? = nil) throws(Failure) -> Started {
    var pid: Int32 = 0
    var pidfd: Int32 = -1
    var groupError: Int32 = 0
    let status = withCStrings(([path] + arguments).map { CText($0) }) { argv in
      withCStrings(environment) { envp in
        path.withCString { path in
          withOptionalCString(directory) { directory in
            var request = shim_spawn()
            request.path = path
            request.argv = argv
            request.envp = envp
            request.directory = directory
            request.input = input
            request.output = output
            request.error = error
            request.channel = channel ?? -1
            request.nice = nice
            request.session = ownSession ? 1 : 0
            request.cgroup = cgroup ?? -1
            if let slot {
              let addresses = slot.table.addresses(slot.index)
              request.word = addresses.word
              request.expected = slot.word.raw
              request.desired = slot.word.with(.running, pid: 0).raw
              request.start_time = addresses.startTime
            }
            return withUnsafeMutablePointer(to: &groupError) { groupError in
              request.cgroup_error = groupError
              return shim_start(&request, &pid, &pidfd)
            }
          }
        }
      }
    }
    if status == SHIM_SPAWN_ABORTED { throw .aborted }
    if status < 0 { throw .system(SystemError("start \(path)", number: -status)) }
    let failure = groupError == 0 ? nil : SystemError("enter the control group", number: groupError)
    return Started(pid: pid, pidfd: pidfd, groupFailure: failure)
  }
}

extension Program {
  /// Starts it for a process that is the only one to reap its children: there the pid is as good a name as a descriptor.
  public func startForReaper() throws(SystemError) -> Int32 {
    do throws(Failure) {
      let started = try start()
      close(started.pidfd)
      return started.pid
    } catch {
      if case .system(let failure) = error { throw failure }
      throw SystemError("start \(path)", number: ECANCELED)
    }
  }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return text.withCString { body($0) }
}

/// A NULL-terminated array of C strings in one allocation.
private func withCStrings<Result>(_ texts: [CText], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
  var bytes: [CChar] = []
  var starts: [Int] = []
  for text in texts {
    starts.append(bytes.count)
    bytes.append(contentsOf: text.bytes.lazy.map { CChar(bitPattern: $0) })
    bytes.append(0)
  }
  return bytes.withUnsafeMutableBufferPointer { bytes in
    var pointers: [UnsafeMutablePointer<CChar>?] = starts.map { bytes.baseAddress?.advanced(by: $0) }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { pointers in
      guard let base = pointers.baseAddress else { preconditionFailure("the array holds at least its NULL") }
      return body(base)
    }
  }
}

import Core
import Glibc

/// The runtime directory of this service: found or made, claimed, and made anew when somebody has removed it.
final class RuntimePlace {
  struct Refusal: Error, CustomStringConvertible {
    var description: String
  }

  let base: String
  private let instance: Int32?
  private let given: String?
  private let record: RuntimeClaim.Record
  private(set) var directory = ""
  private var claim: RuntimeClaim?
  /// Why the directory that was given (RUNTIME_DIRECTORY) is not used; nil: it is, or none was given.
  private(set) var passedOver: SystemError?

  /// Throws when another service works there, or when there is no place at all. `instance`: the process id where several instances are allowed.
  /// `lock`: the lock file in the base directory that this service holds.
  init(base: String, instance: Int32?, given: String?, lock: FileIdentity?) throws(Refusal) {
    self.base = base
    self.instance = instance
    self.given = given
    record = RuntimeClaim.Record(base: FileIdentity.of(path: base), lock: lock)
    try refuseSecond()
    do throws(RuntimeClaim.Failure) { try find() } catch {
      switch error {
      case .taken(let holder, let first): throw refusal(holder, first)
      case .system(let error):
        throw Refusal(
          description:
            "there is no place for the job tables: \(error). Set RuntimeDirectory=librenms-dispatcher in the unit, or make one")
      }
    }
  }

  /// One that works in a directory which this service would not have chosen, since it was started in other surroundings.
  private func refuseSecond() throws(Refusal) {
    guard instance == nil else { return }
    for directory in RuntimeDirectory.existing(base: base, runtimeDirectory: given) {
      if let (pid, first) = RuntimeClaim.holder(directory) { throw refusal(pid, first, in: directory) }
    }
  }

  /// The first candidate that can be used. Of a directory that another service has nothing is touched.
  private func find() throws(RuntimeClaim.Failure) {
    // Before the next one: it may be of the same file under another name, whose lock would end with the first descriptor that is closed.
    claim = nil
    var found: RuntimeClaim?
    var taken: RuntimeClaim.Failure?
    do throws(SystemError) {
      let record = record
      var reason: SystemError?
      defer { passedOver = reason }
      directory = try RuntimeDirectory.prepare(base: base, instance: instance, runtimeDirectory: given, passedOver: { reason = $0 }) {
        path throws(SystemError) in
        do throws(RuntimeClaim.Failure) { found = try RuntimeClaim.take(path, record) } catch {
          if case .system(let error) = error { throw error }
          taken = error
        }
      }
    } catch {
      throw .system(error)
    }
    if let taken { throw taken }
    claim = found
  }

  private func refusal(_ holder: Int32, _ first: RuntimeClaim.Record, in directory: String? = nil) -> Refusal {
    let who = holder > 0 ? "process \(holder)" : "a process that this one can't see"
    var text = "another instance works on \(base): \(who) holds the runtime directory \(directory ?? self.directory)"
    if let old = first.base, old != record.base {
      text += ". The directory \(base) that it was started in is gone: it was removed or moved, and another one has its name now"
    } else if let old = first.lock, old != record.lock {
      text += ". Its lock file \(base)/.lock.service was removed"
    }
    return Refusal(description: text + ". Stop it first" + (holder > 0 ? " (kill \(holder))" : ""))
  }

  var isInPlace: Bool { claim?.isInPlace(directory) ?? false }

  /// Makes what is gone anew, in the same place if that can be. Throws the reason in words.
  func restore() throws(Refusal) {
    let old = directory
    do throws(RuntimeClaim.Failure) { try find() } catch {
      directory = old
      switch error {
      case .taken(let holder, _):
        throw Refusal(description: "\(holder > 0 ? "process \(holder)" : "a process that this one can't see") works there now")
      case .system(let error): throw Refusal(description: "\(error)")
      }
    }
  }
}

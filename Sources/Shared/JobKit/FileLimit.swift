import Glibc

/// The limit of open descriptors: raised for this process, as it was for its scripts.
public enum FileLimit {
  public static let resource = Int32(RLIMIT_NOFILE.rawValue)
  /// What this process was started with; nil when it can't be asked.
  public static let original: (soft: UInt64, hard: UInt64)? = {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return nil }
    return (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
  }()

  /// A slot needs three descriptors; the usual 1024 would end at some 300 slots.
  public static func raise() {
    guard let original else { return }
    var limit = rlimit()
    limit.rlim_cur = rlim_t(min(original.hard, 65536))
    limit.rlim_max = rlim_t(original.hard)
    setrlimit(resource, &limit)
  }
}

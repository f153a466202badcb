import Core
import Glibc

/// A niceness below 0 that the kernel would refuse to the service's user: the scripts then run without it.
enum NicenessCheck {
  static func notes(_ settings: Settings) -> [ConfigNote] {
    var limit = rlimit()
    // The lowest niceness that is allowed is 20 less this (getrlimit(2)).
    guard geteuid() != 0, getrlimit(__rlimit_resource_t(UInt32(__RLIMIT_NICE.rawValue)), &limit) == 0 else { return [] }
    return notes(settings, lowest: 20 - Int(clamping: min(limit.rlim_cur, 40)))
  }

  /// `lowest`: the lowest niceness that is allowed; 20 = none is given away.
  static func notes(_ settings: Settings, lowest: Int) -> [ConfigNote] {
    TaskType.allCases.compactMap { type in
      guard let nice = settings.limits[type]?.nice, nice < 0, Int(nice) < lowest else { return nil }
      return ConfigNote(
        level: .warning,
        text: """
          DISPATCHER_\(type.rawValue.uppercased())_NICE: \(nice) needs a right that this user does not have; the scripts run without it. \
          LimitNICE=\(nice) in the unit gives it
          """)
    }
  }
}

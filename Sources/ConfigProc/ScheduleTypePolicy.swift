/// Does LibreNMS want the dispatcher to run a type? `schedule_type.<x>` is the newer setting, `service_<x>_enabled` the older one.
enum ScheduleTypePolicy: Equatable {
  /// Not decided by `schedule_type`: ask `service_<x>_enabled`.
  case legacy
  case decided(enabled: Bool)

  /// `word` is the setting's text; nil = not set.
  init(word: String?) {
    switch word {
    case nil, "", "legacy": self = .legacy
    case "dispatcher": self = .decided(enabled: true)
    default: self = .decided(enabled: false)
    }
  }
}

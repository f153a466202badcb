/// The file cache of PHP's opcache, which spares each script most of the time that PHP needs to read LibreNMS's source again.
///
/// Scripts get it by one variable of their environment, which makes PHP read one more settings file. It is decided when the configuration
/// is loaded.
public enum PHPCache: Codable, Sendable, Equatable {
  /// Not decided yet; nobody uses it.
  case wanted
  case off(reason: String)
  /// A folder of this user alone, with the settings file and what PHP keeps.
  case on(directory: String)

  /// Where PHP looks for settings beside its main file: folders with colons between, an empty one for those that it was built with.
  private static let variable = "PHP_INI_SCAN_DIR="

  /// The environment with the cache: ours is the last folder, since the last setting counts.
  public func environment(_ entries: [CText]) -> [CText] {
    guard case .on(let directory) = self else { return entries }
    var entries = entries
    guard let index = entries.firstIndex(where: { $0.hasPrefix(Self.variable) }) else {
      return entries + ["\(Self.variable):\(directory)"]
    }
    // Set and empty means that PHP is to read no folder at all, and a colon would mean another thing.
    let isEmpty = entries[index] == CText(Self.variable)
    entries[index] = entries[index] + (isEmpty ? directory : ":" + directory)
    return entries
  }

  /// For the log.
  public var summary: String {
    switch self {
    case .wanted: "PHP's opcache file cache was not looked for"
    case .off(let reason): "PHP's opcache file cache is off: \(reason)"
    case .on(let directory): "PHP's opcache file cache is on, in \(directory)"
    }
  }
}

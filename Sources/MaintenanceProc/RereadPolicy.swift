/// Whether a look at the sources of the configuration means that it should be read again.
struct RereadPolicy {
  /// LibreNMS's cache lives 300 s and a look comes each 50 s: so many readings outlast it. What differs then differs on purpose, by what an
  /// included file of `config.php` sets.
  static let rereadings = 7

  private var fingerprint = ""
  private var count = 0

  /// `known`: what the configuration in force was read from, and whether LibreNMS's dump said what table `config` says. `found`: what is
  /// there now. The reason for the log; nil = all is as it was.
  mutating func reason(known: String, isSettled: Bool, found: String) -> String? {
    guard known == found else { return "a setting was changed" }
    guard !isSettled else { return nil }
    if fingerprint != found { (fingerprint, count) = (found, 0) }
    guard count < Self.rereadings else { return nil }
    count += 1
    return "LibreNMS's config dump did not say what table config says"
  }
}

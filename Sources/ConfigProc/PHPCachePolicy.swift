/// Whether PHP's file cache can be used, by what php says about itself.
enum PHPCachePolicy {
  enum Verdict: Equatable {
    /// Everything that makes cached code belong to this PHP; another one later means that PHP was upgraded.
    case use(fingerprint: String)
    case off(reason: String)
  }

  /// What identifies a PHP, in the order of the fingerprint.
  private static let identity = ["version", "binary", "built", "zts", "debug", "opcache", "extensions"]

  /// `answer`: what `PHPCacheProbe.question` prints.
  static func judge(_ answer: [String: String]) -> Verdict {
    let version = answer["version", default: ""]
    let sapi = answer["sapi", default: ""]
    guard !version.isEmpty, sapi == "cli" else {
      return .off(reason: "the php in PATH is not PHP's command line but \"\(sapi)\"")
    }
    guard isSet(answer["opcache"]) else {
      return isSet(answer["installed"])
        ? .off(reason: "opcache is installed but not loaded for PHP's command line; phpenmod -s cli opcache, or the like, loads it")
        : .off(reason: "PHP \(version) has no opcache; install it to halve the CPU time of most scripts")
    }
    guard isSet(answer["enable"]) else { return .off(reason: "opcache.enable is off in PHP's own settings") }
    // Somebody took care of it, and two caches would be none the better.
    if isSet(answer["cli"]), let own = answer["cache"], !own.isEmpty {
      return .off(reason: "PHP's own settings have one for the command line already, in \(own)")
    }
    return .use(fingerprint: identity.map { "\($0)=\(answer[$0, default: ""])\n" }.joined())
  }

  /// What a trial with the cache says, beside what php said without: nil = it may be used. PHP's complaints go to the standard output or
  /// error of every script, and one of them ends it with 254, so nothing new may be said.
  static func objection(answer: [String: String], directory: String, saidBefore: String, saidNow: String) -> String? {
    guard isSet(answer["cli"]), isSet(answer["only"]), answer["cache"] == directory else {
      return "php does not take the settings in \(directory)"
    }
    guard saidNow == saidBefore else {
      let old = saidBefore.split(whereSeparator: \.isNewline)
      let new = saidNow.split(whereSeparator: \.isNewline).first { !old.contains($0) }
      return new.map { "with it, php says \"\($0.prefix(200))\"" } ?? "with it, php says other things than without"
    }
    return nil
  }

  /// Why what is in the cache has to go; nil: it may stay.
  static func reasonToEmpty(old: String?, new: String, bytes: Int, limit: Int) -> String? {
    if let old, old != new { return "PHP has changed" }
    guard bytes > limit else { return nil }
    return "it had \(bytes >> 20) MiB, and \(limit >> 20) is the limit"
  }

  /// The settings. Timestamps are compared with the source's whatever PHP's own settings say, or an update would have no effect; a start
  /// image of the web server's (preload) can't be used without shared memory, and what can't be cached is no news in a script's output.
  static func settings(directory: String) -> String {
    """
    ; Written by librenms-dispatcher for the scripts that it starts.
    opcache.enable_cli=1
    opcache.file_cache="\(directory)"
    opcache.file_cache_only=1
    opcache.validate_timestamps=1
    opcache.revalidate_freq=0
    opcache.preload=
    opcache.log_verbosity_level=1

    """
  }

  /// Can the settings file and the variable name this folder? Both have characters of their own.
  static func canName(_ directory: String) -> Bool {
    directory.hasPrefix("/") && !directory.contains { ":\"\\$;".contains($0) || $0.isNewline }
  }

  /// As PHP writes settings: 1 and nothing, or what the file has.
  private static func isSet(_ value: String?) -> Bool {
    !["", "0", "off", "no", "false", "none"].contains((value ?? "").lowercased())
  }
}

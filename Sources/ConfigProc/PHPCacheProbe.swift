import Core
import Glibc

/// Decides at the load of a configuration whether scripts get PHP's file cache: asks php, prepares the folder, and tries it.
struct PHPCacheProbe {
  /// Runs `php -r CODE` with this environment.
  var ask: (_ code: String, _ environment: [CText]) -> ScriptRun
  var environment: [CText]

  /// php answers in 0.05 s; one that hangs must not hold up the configuration.
  private static let limit = Duration.seconds(10)

  init(_ reader: SourceReader) {
    environment = ScriptEnvironment.forScripts(ScriptEnvironment.current())
    ask = { code, environment in
      var script = reader.script(["php", "-r", code], limit: Self.limit)
      script.environment = environment
      return script.run()
    }
  }

  init(environment: [CText], ask: @escaping (_ code: String, _ environment: [CText]) -> ScriptRun) {
    self.environment = environment
    self.ask = ask
  }

  /// Prints what the policy wants to know, as lines of name=value between two marks: php's own words may be around them.
  static let question = """
    $o = 'Zend OPcache';
    $i = fn($n) => (string) ini_get($n);
    $d = $i('extension_dir');
    echo "\\n@dispatcher\\n";
    foreach ([
      'version' => PHP_VERSION, 'sapi' => PHP_SAPI, 'binary' => PHP_BINARY,
      'built' => @filemtime(PHP_BINARY) . '-' . @filesize(PHP_BINARY), 'zts' => PHP_ZTS, 'debug' => PHP_DEBUG,
      'opcache' => extension_loaded($o) ? (phpversion($o) ?: '?') : '', 'extensions' => $d,
      'installed' => (int) @file_exists($d . '/opcache.so'), 'enable' => $i('opcache.enable'), 'cli' => $i('opcache.enable_cli'),
      'cache' => $i('opcache.file_cache'), 'only' => $i('opcache.file_cache_only'),
    ] as $n => $v) echo $n, '=', $v, "\\n";
    echo "@end\\n";
    """

  /// The report with `phpCache` decided.
  func decide(_ report: ResolverReport) -> ResolverReport {
    guard case .resolved(var settings, let entries, var notes) = report, settings.phpCache == .wanted else { return report }
    let before: Answer
    do throws(Unanswered) { before = try answer(environment) } catch {
      settings.phpCache = .off(reason: "php can't be asked: \(error.reason)")
      return .resolved(settings: settings, entries: entries, notes: notes)
    }
    switch PHPCachePolicy.judge(before.values) {
    case .off(let reason): settings.phpCache = .off(reason: reason)
    case .use(let fingerprint):
      do throws(PHPCacheDirectory.Refused) {
        let directory = try PHPCacheDirectory.place(
          base: settings.base, cacheDirectory: Self.variable("CACHE_DIRECTORY", environment),
          runtimeDirectory: Self.variable("RUNTIME_DIRECTORY", environment))
        if let shortage = directory.shortage {
          settings.phpCache = .off(reason: shortage)
        } else {
          if let reason = try directory.prepare(fingerprint: fingerprint) {
            notes.append(ConfigNote(level: .info, text: "PHP's opcache file cache in \(directory.path) was emptied: \(reason)"))
          }
          settings.phpCache = attempt(directory, before)
        }
      } catch {
        notes.append(ConfigNote(level: .error, text: "PHP's opcache file cache is not used: \(error.reason)"))
        settings.phpCache = .off(reason: error.reason)
      }
    }
    return .resolved(settings: settings, entries: entries, notes: notes)
  }

  private func attempt(_ directory: PHPCacheDirectory, _ before: Answer) -> PHPCache {
    let cache = PHPCache.on(directory: directory.path)
    let objection: String?
    do throws(Unanswered) {
      let now = try answer(cache.environment(environment))
      objection = PHPCachePolicy.objection(answer: now.values, directory: directory.path, saidBefore: before.said, saidNow: now.said)
    } catch {
      objection = "with it, php \(error.reason)"
    }
    guard let objection else { return cache }
    directory.withdraw()
    return .off(reason: objection)
  }

  // MARK: Asking

  private struct Unanswered: Error {
    var reason: String
  }

  private struct Answer {
    var values: [String: String] = [:]
    /// What php said beside the answer.
    var said = ""
  }

  private func answer(_ environment: [CText]) throws(Unanswered) -> Answer {
    let run = ask(Self.question, environment)
    switch run.end {
    case .ended(.exited(0)): break
    case .ended(let status): throw Unanswered(reason: "ended with \(status)")
    case .timedOut(let limit): throw Unanswered(reason: "did not end within \(limit)")
    case .notStarted(let reason): throw Unanswered(reason: reason)
    }
    var answer = Answer(said: run.errors)
    var inside = false
    var isComplete = false
    for line in String(decoding: run.output.prefix(65536), as: UTF8.self).split(separator: "\n") {
      switch line {
      case "@dispatcher": inside = true
      case "@end" where inside: (inside, isComplete) = (false, true)
      default:
        guard inside, let sign = line.firstIndex(of: "=") else {
          answer.said += line + "\n"
          continue
        }
        answer.values[String(line[..<sign])] = String(line[line.index(after: sign)...])
      }
    }
    guard isComplete else { throw Unanswered(reason: "did not answer") }
    return answer
  }

  private static func variable(_ name: String, _ environment: [CText]) -> String? {
    let entry = environment.last { $0.hasPrefix(name + "=") }
    // One that is no UTF-8 was refused before.
    return entry?.string.map { String($0.dropFirst(name.count + 1)) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

import Glibc

/// Makes a node's stand-in for `lnms` a real PHP script that includes a few hundred files, as LibreNMS does, and writes down what it cost.
public struct PHPSample {
  /// One run of the script.
  public struct Run: Sendable {
    public var device: String
    /// CPU seconds of the whole process, PHP's start included.
    public var cpu: Double
    /// What the included file `lib/Answer.php` returns.
    public var answer: String
    public var scanDirectory: String
  }

  public let base: String
  private var log: String { base + "/php.log" }

  public static var isPossible: Bool { (try? ChildProcess.run(["php", "-r", "exit(0);"]).ending) == .exited(0) }

  /// `files`: how many are included by each run; each has a class of about 6 KB.
  public init(in node: SampleNode, files: Int) throws {
    base = node.base
    // The real php, whatever the stand-in for it would do.
    unlink(base + "/bin/php")
    mkdir(base + "/lib", 0o755)
    for file in 0..<files { try writeText(Self.source(file), to: "\(base)/lib/Part\(file).php") }
    try answer("first")
    try writeText(
      """
      #!/usr/bin/env php
      <?php
      if ($argv[1] === 'config:get') { readfile(__DIR__ . '/config.json'); exit(0); }
      $sum = 0;
      for ($i = 0; $i < \(files); $i++) {
        require __DIR__ . "/lib/Part$i.php";
        $class = "Part$i";
        $sum += (new $class)->method0(['a' => 1, 'b' => 2], 3);
      }
      $answer = require __DIR__ . '/lib/Answer.php';
      $used = getrusage();
      $cpu = $used['ru_utime.tv_sec'] + $used['ru_stime.tv_sec'] + ($used['ru_utime.tv_usec'] + $used['ru_stime.tv_usec']) / 1e6;
      file_put_contents(__DIR__ . '/php.log', "$argv[2] $cpu $answer " . (getenv('PHP_INI_SCAN_DIR') ?: '-') . "\\n", FILE_APPEND | LOCK_EX);

      """, to: base + "/lnms", mode: 0o755)
    // Files of the last two seconds are not cached: PHP can't know whether they are complete.
    _ = try ChildProcess.run(["find", base, "-name", "*.php", "-exec", "touch", "-d", "1 hour ago", "{}", "+"])
  }

  /// What `lib/Answer.php` returns from now on; its time is another one at each call.
  public func answer(_ text: String) throws {
    try writeText("<?php return '\(text)';\n", to: base + "/lib/Answer.php")
  }

  public var runs: [Run] {
    (readText(log) ?? "").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 4, let cpu = Double(words[1]) else { return nil }
      return Run(device: words[0], cpu: cpu, answer: words[2], scanDirectory: words[3])
    }
  }

  private static func source(_ number: Int) -> String {
    let methods = (0..<12).map { method in
      """
        /**
         * What method \(method) does with its values, in words that PHP has to read each time.
         * @param array<string, int> $values
         */
        public function method\(method)(array $values, int $factor): int
        {
          $sum = \(number) * \(method);
          foreach ($values as $name => $value) {
            if ($name === 'never-\(number)-\(method)') { throw new \\RuntimeException("no value {$name} in \(number)"); }
            $sum += match (true) { $value > 1000 => $value * $factor, $value < 0 => -$value, default => $value + strlen($name) };
          }
          return $sum > 0 ? $sum : \(method);
        }

      """
    }
    return "<?php\n\nfinal class Part\(number)\n{\n\(methods.joined(separator: "\n"))}\n"
  }
}

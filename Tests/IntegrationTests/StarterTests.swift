import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// What survives exec: nothing of ours depends on it, and scripts get what the Python service would have given them.
  @Suite struct StarterTests {
    private static func bash(_ script: String) -> [String] { ["bash", "-c", script + "; exec \"$@\"", "starter"] }

    /// Notes what a script is given. The limit of file sizes is lifted for the note itself.
    private func watchScripts(_ node: SampleNode) throws {
      let path = node.base + "/lnms"
      #expect(rename(path, path + ".original") == 0)
      try writeText(
        """
        #!/usr/bin/env bash
        base=${BASH_SOURCE[0]%/*}
        seen="umask=$(umask) files=$(ulimit -Sn) size=$(ulimit -Sf) odd=$(printf %s "$ODD" | od -An -tx1 -v | tr -d ' \\n')"
        seen+=" $(grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\n\\t')"
        # By the shell itself, which has the folder at 3: a substitution has a pipe for a moment.
        fds=(/proc/$$/fd/*)
        printf -v fds '%s,' "${fds[@]##*/}"
        seen+=" fds=$fds"
        # The stand-in writes a journal of its own.
        ulimit -Sf unlimited
        umask 022
        if [[ $1 == device:poll ]]; then printf '%s\\n' "$seen" >>"$base/seen.log"; fi
        exec "$base/lnms.original" "$@"

        """, to: path, mode: 0o755)
    }

    /// Starts by way of `starter`, waits until polls have run for `duration`, and returns the notes of its scripts.
    private func run(_ scene: Scene, _ starter: [String], for duration: Duration = .zero, _ look: (pid_t) throws -> Void = { _ in }) throws
      -> [String]
    {
      let (node, seen) = (scene.node, scene.node.base + "/seen.log")
      unlink(seen)
      node.starter = starter
      let began = wallClock()
      try node.start()
      #expect(
        eventually(within: .seconds(20)) { node.journal.runs("poller").contains { $0.start > began && $0.end != nil } }, "\(node.errors)")
      pause(duration)
      let later = wallClock()
      #expect(scene.firstStart(after: later, within: .seconds(10)) != nil, "it works on")
      try look(try #require(node.dispatcher).pid)
      scene.stopOrderly()
      return (readText(seen) ?? "").split(separator: "\n").map(String.init)
    }

    @Test func whoeverStartsItTheServiceWorksAndEndsAndItsScriptsGetWhatItGot() throws {
      try Scene.play(pollingOnly.with(["service_poller_frequency": 1]), sleep: "0") { scene in
        try watchScripts(scene.node)
        try scene.server.addDevices(1)
        let limit = try ChildProcess.run(["bash", "-c", "ulimit -Sn"]).output.split(separator: "\n").first ?? ""
        let mask = try ChildProcess.run(["bash", "-c", "umask"]).output.split(separator: "\n").first ?? ""
        // Bash itself has the script at 255, or the highest number it may use, and the output of its listing at 3.
        let clear = "SigBlk:0000000000000000SigIgn:0000000000000000 fds=0,1,2,"

        // Every signal ignored, blocked, one pending, and a timer that would end it within a second; an entry that is no UTF-8.
        let perl = """
          use POSIX;
          $SIG{$_} = 'IGNORE' for grep { !/^(KILL|STOP|NUM\\d+|RTMIN|RTMAX|ZERO|__.*)$/ } keys %SIG;
          sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1 .. 31)) or die;
          $SIG{USR1} = 'DEFAULT'; $SIG{ALRM} = 'DEFAULT';
          kill 'USR1', $$; alarm 1;
          $ENV{ODD} = "p\\xe4ss\\xff";
          exec @ARGV or die;
          """
        var seen = try run(scene, ["perl", "-e", perl], for: .milliseconds(1200))
        #expect(
          !seen.isEmpty && seen.allSatisfy { $0 == "umask=\(mask) files=\(limit) size=unlimited odd=70e47373ff \(clear)255,3," }, "\(seen)")

        // No descriptors, a directory that is gone, a child of somebody else's, and a lock that lives as long as its descriptor.
        let lock = scene.node.directory.path + "/lock"
        seen = try run(
          scene, Self.bash("exec 9>'\(lock)' && flock 9; cd \"$(mktemp -d)\" && rmdir \"$PWD\"; sleep 0.3 & exec <&- >&- 2>&-")
        ) { supervisor in
          let taken = try ChildProcess.run(["flock", "-n", lock, "true"]).ending
          #expect(taken == .exited(1), "the lock is kept")
          for process in ProcessInfo.tree(of: supervisor) where process.executable.hasPrefix("librenms-") {
            let ends = (0...2).map { linkTarget("/proc/\(process.pid)/fd/\($0)") }
            #expect(ends.allSatisfy { $0 == "/dev/null" }, "\(process): \(ends)")
            let current = linkTarget("/proc/\(process.pid)/cwd") ?? ""
            #expect(!current.hasSuffix("(deleted)"), "\(process): \(current)")
          }
        }
        #expect(!seen.isEmpty && seen.allSatisfy { $0 == "umask=\(mask) files=\(limit) size=unlimited odd= \(clear)255,3," }, "\(seen)")
        #expect(readBytes(scene.node.base + "/.lock.service") == [], "no log in the lock file")

        // Limits that would end it, and a umask under which it could not open its own files.
        seen = try run(scene, Self.bash("ulimit -Sn 40; ulimit -St 600; ulimit -Sf 0; umask 777")) { _ in
          #expect(fileExists(scene.node.runtimeDirectory), "\(scene.node.errors)")
        }
        #expect(!seen.isEmpty && seen.allSatisfy { $0 == "umask=0777 files=40 size=0 odd= \(clear)3,39," }, "\(seen)")
        #expect(!scene.node.errors.contains("running without a job table"), "\(scene.node.errors)")

        // Commands end as well, with what they found.
        let printed = try ChildProcess.run(
          Self.bash("trap '' CHLD TERM; ulimit -Sn 40; exec <&-") + [SampleNode.dispatcherPath, "config", "--base", scene.node.base],
          environment: scene.node.dispatcherEnvironment, limit: .seconds(20))
        #expect(printed.ending == .exited(0) && printed.output.contains("poller_frequency"), "\(printed)")
      }
    }

    /// Latin-1 and a byte that no UTF-8 has, a cut sequence, an overlong slash with a surrogate, a name that is no text, and text beside them.
    @Test func scriptsGetTheBytesThatTheServiceGot() throws {
      let given: [[UInt8]] = [
        Array("ODD_A=p".utf8) + [0xE4, 0x73, 0x73, 0xFF], Array("ODD_B=".utf8) + [0xE2, 0x82],
        Array("ODD_C=".utf8) + [0xC0, 0xAF, 0xED, 0xA0, 0x80],
        Array("ODD_".utf8) + [0xF6] + Array("=x".utf8), Array("ODD_E=pässwörd".utf8),
      ]
      try Scene.play(pollingOnly, sleep: "0") { scene in
        let (path, seen) = (scene.node.base + "/lnms", scene.node.base + "/seen")
        #expect(rename(path, path + ".original") == 0)
        // What the kernel gave it, before a shell could drop what is no name.
        try writeText(
          """
          #!/usr/bin/env bash
          base=${BASH_SOURCE[0]%/*}
          if [[ $1 == device:poll ]]; then LC_ALL=C grep -z -a '^ODD_' /proc/$$/environ | LC_ALL=C sort -z >"$base/seen"; fi
          exec "$base/lnms.original" "$@"

          """, to: path, mode: 0o755)
        try scene.server.addDevices(1)
        let entries = given.map { entry in entry.map { "\\x" + String(Int($0) + 0x100, radix: 16).dropFirst() }.joined() }
        scene.node.starter =
          [
            "perl", "-e",
            "for (splice @ARGV, 0, \(given.count)) { my ($n, $v) = split /=/, eval \"\\\"$_\\\"\"; $ENV{$n} = $v } exec @ARGV or die",
          ] + entries
        try scene.startAndAwaitWork()
        let ended = eventually(within: .seconds(10)) { scene.node.journal.runs("poller").contains { $0.end != nil } }
        scene.stopOrderly()
        let found = (readBytes(seen) ?? []).split(separator: 0).map(Array.init)
        #expect(ended && Set(found) == Set(given), "\(found)")
      }
    }

    @Test(arguments: [
      ("exec \"$0\" status --base $'/opt/p\\xe4ss'", "argument 3, '/opt/p\\xe4ss', has bytes that are no UTF-8"),
      ("exec \"$0\" $'\\e[31m'", "'\\x1b[31m' is not a command"),
      ("LIBRENMS_BASE=$'/p\\xff' exec \"$0\" validate", "environment variable LIBRENMS_BASE=/p\\xff has bytes"),
      ("RUNTIME_DIRECTORY=$'/p\\xff' exec \"$0\" run", "environment variable RUNTIME_DIRECTORY=/p\\xff has bytes"),
      ("mkdir $'p\\xe4'; cd $'p\\xe4'; : >lnms; exec \"$0\" run", "p\\xe4: its path has bytes that are no UTF-8"),
      ("mkdir $'p\\xe4'; ln -s $'p\\xe4' link; exec \"$0\" run --base link", "p\\xe4: its path has bytes that are no UTF-8"),
    ])
    func namesThatAreNoTextAreRefusedAndShown(script: String, part: String) throws {
      let place = try TemporaryDirectory()
      let run = try ChildProcess.run(
        ["bash", "-c", script, SampleNode.dispatcherPath], environment: ProcessMark().environment(), directory: place.path)
      #expect(run.ending == .exited(2) && run.errors.contains(part), "\(run)")
      #expect(!run.errors.contains("\u{FFFD}") && !run.errors.contains("\u{1B}"))
    }
  }
}

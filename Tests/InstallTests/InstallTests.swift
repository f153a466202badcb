import Fixture
import Glibc
import Testing

/// What `make install` puts where: programs that run on their own runtime, units that name what is there, and nothing left afterwards.
@Suite(.serialized) struct InstallTests {
  private static let children = ["librenms-configd", "librenms-pollerd", "librenms-discoveryd", "librenms-pingd"]

  @Test func everyProgramStartsOnItsPrivateRuntime() throws {
    let installation = try Installation()
    let version = try installation.start("bin/librenms-dispatcher", "--version")
    #expect(version.ending == .exited(0) && version.output.hasPrefix("librenms-dispatcher "), "\(version)")
    let programs = try installation.files("libexec/librenms-dispatcher").filter { $0.hasSuffix("d") }
    #expect(Set(Self.children).isSubset(of: programs.map { $0.split(separator: "/").last.map(String.init) ?? "" }))
    for program in programs {
      let help = try installation.start(program, "--help")
      // A child says that it is not to be started by hand; what counts is that it gets so far.
      let expected: ChildProcess.Ending = program.hasSuffix("configd") ? .exited(0) : .exited(2)
      #expect(help.ending == expected && (help.output + help.errors).contains("librenms-"), "\(program): \(help)")
    }
    for program in programs + ["bin/librenms-dispatcher"] {
      let libraries = try ChildProcess.run(["ldd", installation.root + "/" + program], environment: ["PATH": "/usr/bin:/bin"]).output
      let swift = libraries.split(separator: "\n").filter { $0.contains("libswift") || $0.contains("libFoundation") }
      #expect(!swift.isEmpty)
      for line in swift { #expect(line.contains(installation.root), "\(program) takes a library of the toolchain: \(line)") }
    }
  }

  @Test(arguments: ["/usr/local", "/opt/dispatcher-1.2"])
  func textsNameThePrefixAndWhatIsThere(prefix: String) throws {
    let installation = try Installation(prefix: prefix)
    let texts = try installation.files("share") + installation.files("lib/systemd") + installation.files("lib/sysusers.d")
    for file in texts { #expect(readText(installation.root + "/" + file)?.contains("@PREFIX@") == false, "\(file)") }
    for unit in ["librenms.service", "librenms-watchdog.service"] {
      let text = try #require(readText("\(installation.root)/lib/systemd/system/\(unit)"))
      let commands = text.split(separator: "\n").filter { $0.hasPrefix("Exec") }.compactMap { $0.split(separator: "=").dropFirst().first }
      #expect(commands.count == 4)
      for command in commands {
        let program = command.drop { "-+!@".contains($0) }.split(separator: " ").first.map(String.init) ?? ""
        #expect(program.hasPrefix(prefix + "/"), "\(unit): \(command)")
        #expect(access(installation.directory.path + program, X_OK) == 0, "\(unit) names \(program)")
      }
    }
  }

  @Test func systemdFindsNothingWrongWithTheUnits() throws {
    guard try ChildProcess.run(["sh", "-c", "command -v systemd-analyze"]).ending == .exited(0) else {
      return progress("no systemd-analyze here: the units are not verified")
    }
    let installation = try Installation()
    let directory = try TemporaryDirectory()
    for unit in ["librenms.service", "librenms-watchdog.service"] {
      let text = try #require(readText("\(installation.root)/lib/systemd/system/\(unit)"))
      // The verifier looks for the programs on this machine's root.
      let here = text.replacing("-/usr/local/", with: "-\(installation.root)/").replacing("=/usr/local/", with: "=\(installation.root)/")
      try writeText(here, to: directory.path + "/" + unit)
      let verified = try ChildProcess.run(["systemd-analyze", "verify", "--man=no", directory.path + "/" + unit])
      #expect(verified.ending == .exited(0) && verified.errors.isEmpty && verified.output.isEmpty, "\(unit): \(verified)")
    }
  }

  /// What each target brings on a machine that has nothing: package tools that only note what they are asked for.
  @Test(
    arguments: [
      ("install", ["patchelf", "binutils"], ["libmariadb-dev", "mariadb-server-core"]),
      ("build", ["libmariadb-dev", "libhiredis-dev", "libsystemd-dev", "patchelf"], ["mariadb-server-core"]),
      ("", ["libmariadb-dev", "patchelf", "binutils", "mariadb-server-core", "redis-tools", "php-cli"], ["mmdebstrap"]),
      ("soak", ["mmdebstrap", "redis-tools", "php-cli"], []),
    ] as [(String, [String], [String])])
  func aFreshMachineGetsWhatATargetNeeds(target: String, brought: [String], left: [String]) throws {
    let directory = try TemporaryDirectory()
    for (name, body) in [("dpkg-query", "exit 1"), ("apt-get", "echo \"$@\""), ("sudo", "exec \"$@\""), ("swift", "")] {
      try writeText("#!/bin/sh\n\(body)\n", to: directory.path + "/" + name)
      chmod(directory.path + "/" + name, 0o755)
    }
    let done = try ChildProcess.run(
      [SampleNode.sourceDirectory + "/misc/build/deps", target], environment: ["PATH": directory.path + ":/usr/bin:/bin"])
    #expect(done.ending == .exited(0), "\(done)")
    let words = Set(done.output.split { $0 == " " || $0 == "\n" }.map(String.init))
    #expect(words.isSuperset(of: brought) && words.isDisjoint(with: left), "\(done.output)")
  }

  @Test func makeInstallBringsWhatItNeedsFirst() throws {
    let steps = try ChildProcess.run(["make", "--no-print-directory", "-n", "-C", SampleNode.sourceDirectory, "install"]).output
    #expect(steps == "misc/build/deps install\nmisc/build/install\n")
  }

  @Test func uninstallLeavesNothing() throws {
    let installation = try Installation()
    // What an upgrade left must go too.
    #expect(try installation.run("install").ending == .exited(0))
    let removed = try installation.run("uninstall")
    #expect(removed.ending == .exited(0), "\(removed)")
    #expect(try installation.files() == [])
    #expect(try installation.run("uninstall").ending == .exited(1))
  }

  @Test func aPrefixThatUnitsCannotNameIsRefused() throws {
    for prefix in ["relative", "/with space", "/a|b", "/100%"] {
      let environment = ProcessMark().environment(["DESTDIR": "/nonexistent", "PREFIX": prefix, "BUILD": SampleNode.buildDirectory])
      let refused = try ChildProcess.run([SampleNode.sourceDirectory + "/misc/build/install"], environment: environment)
      #expect(refused.ending == .exited(2) && refused.errors.contains("\"\(prefix)\""), "\(prefix): \(refused)")
    }
  }

  @Test func controllersAreTakenOutFromBelow() throws {
    let directory = try TemporaryDirectory()
    for (place, controllers) in [("", "cpu memory\n"), ("/poller", "memory\n"), ("/poller/slot", "")] {
      mkdir(directory.path + place, 0o755)
      try writeText(controllers, to: "\(directory.path)\(place)/cgroup.subtree_control")
    }
    // Plain files keep the last of what is written: enough to see that each one was asked for.
    let done = try ChildProcess.run([SampleNode.sourceDirectory + "/misc/libexec/release-cgroup", directory.path])
    #expect(done.ending == .exited(0) && done.errors.isEmpty, "\(done)")
    #expect(readText(directory.path + "/cgroup.subtree_control") == "-memory\n")
    #expect(readText(directory.path + "/poller/cgroup.subtree_control") == "-memory\n")
    #expect(readText(directory.path + "/poller/slot/cgroup.subtree_control") == "")
  }
}

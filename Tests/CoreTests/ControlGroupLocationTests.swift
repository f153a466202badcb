import Core
import Testing

@Suite struct ControlGroupLocationTests {
  private static let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
  private static let hybrid = """
    33 32 0:29 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
    34 33 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
    35 33 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
    36 33 0:32 / /sys/fs/cgroup/unified rw shared:10 master:2 - cgroup2 cgroup2 rw

    """

  @Test(
    arguments: [
      // What /proc/PID/cgroup says, what is mounted, the group in version 2.
      ("0::/system.slice/librenms.service\n", unified, "/sys/fs/cgroup/system.slice/librenms.service"),
      ("0::/\n", unified, "/sys/fs/cgroup"),
      ("4:memory:/x\n1:name=systemd:/\n0::/y\n", hybrid, "/sys/fs/cgroup/unified/y"),
      // A container without a name space for groups: only its own part of the tree is mounted.
      ("0::/docker/abc/inner\n", "9 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "/sys/fs/cgroup/inner"),
      ("0::/docker/abc\n", "9 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "/sys/fs/cgroup"),
      ("0::/docker/abcdef\n", "9 1 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", nil),
      ("0::/a\n", "9 1 0:26 / /mnt/with\\040space ro - cgroup2 cgroup rw\n", "/mnt/with space/a"),
      // A name with a colon.
      ("0::/user.slice/app-x:y.scope\n", unified, "/sys/fs/cgroup/user.slice/app-x:y.scope"),
      // Outside of this process's name space, version 1 alone, nothing, nonsense.
      ("0::/../other.service\n", unified, nil), ("4:memory:/x\n", unified, nil), ("0::/x\n", "", nil), ("", unified, nil),
      ("0::/x\n", "garbage - cgroup2\n- cgroup2 a b\n", nil),
    ] as [(String, String, String?)])
  func theGroupIsWhereTheKernelSaysBelowItsMount(groups: String, mounts: String, expected: String?) {
    #expect(ControlGroupLocation.unified(groups: groups, mounts: mounts)?.directory == expected)
  }

  @Test(
    arguments: [
      ("4:memory:/x/y\n0::/z\n", hybrid, "/sys/fs/cgroup/memory/x/y"), ("4:cpu,memory:/x\n", hybrid, "/sys/fs/cgroup/memory/x"),
      ("4:cpuset:/x\n", hybrid, nil), ("0::/x\n", unified, nil),
    ] as [(String, String, String?)])
  func memoryOfVersionOneIsFoundBesideVersionTwo(groups: String, mounts: String, expected: String?) {
    #expect(ControlGroupLocation.memoryV1(groups: groups, mounts: mounts)?.directory == expected)
  }

  @Test func theLevelsGoUpToTheMount() {
    let deep = ControlGroupLocation(top: "/sys/fs/cgroup", directory: "/sys/fs/cgroup/a.slice/b.service/poller")
    #expect(
      deep.levels == [
        "/sys/fs/cgroup/a.slice/b.service/poller", "/sys/fs/cgroup/a.slice/b.service", "/sys/fs/cgroup/a.slice", "/sys/fs/cgroup",
      ])
    #expect(ControlGroupLocation(top: "/sys/fs/cgroup", directory: "/sys/fs/cgroup").levels == ["/sys/fs/cgroup"])
  }
}

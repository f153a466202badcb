/// Where a process is in a tree of control groups, from what the kernel says in /proc/PID/cgroup and /proc/PID/mountinfo.
public struct ControlGroupLocation: Equatable, Sendable {
  /// Where the tree is mounted: the way up ends here.
  public var top: String
  /// The directory of the process's group, `top` or below it.
  public var directory: String

  public init(top: String, directory: String) {
    self.top = top
    self.directory = directory
  }

  /// The group and those above it up to the top, which in a container is the container's own group.
  public var levels: [String] {
    var found: [String] = []
    var path = directory[...]
    while path.count > top.count, let slash = path.lastIndex(of: "/") {
      found.append(String(path))
      path = path[..<slash]
    }
    return found + [top]
  }

  /// In version 2; nil where that is not mounted, or the group is outside of what is mounted.
  public static func unified(groups: String, mounts: String) -> ControlGroupLocation? {
    locate(path(in: groups) { $0 == "" }, mounts: mounts) { type, _ in type == "cgroup2" }
  }

  /// In version 1's tree for memory, which may be there beside version 2.
  public static func memoryV1(groups: String, mounts: String) -> ControlGroupLocation? {
    let isMemory = { (names: Substring) in names.split(separator: ",").contains("memory") }
    return locate(path(in: groups, isMemory), mounts: mounts) { type, options in type == "cgroup" && isMemory(options) }
  }

  /// Of this process, as it is now.
  public static func current() -> (unified: ControlGroupLocation?, memoryV1: ControlGroupLocation?) {
    guard let groups = FileText.read("/proc/self/cgroup", limit: 8192),
      let mounts = FileText.read("/proc/self/mountinfo", limit: 256 * 1024)
    else { return (nil, nil) }
    return (unified(groups: groups, mounts: mounts), memoryV1(groups: groups, mounts: mounts))
  }

  /// Lines of `number:controllers:path`; version 2 has no controllers there.
  private static func path(in groups: String, _ isWanted: (Substring) -> Bool) -> String? {
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, isWanted(parts[1]) else { continue }
      // What is outside of this process's name space can't be reached through any mount.
      return parts[2].hasPrefix("/..") ? nil : String(parts[2])
    }
    return nil
  }

  /// Lines of `id parent device root place options [fields …] - type source options`.
  private static func locate(_ path: String?, mounts: String, _ isWanted: (Substring, Substring) -> Bool) -> ControlGroupLocation? {
    guard let path else { return nil }
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 3, dash >= 5, isWanted(fields[dash + 1], fields[dash + 3]) else {
        continue
      }
      let (root, place) = (unescaped(fields[3]), unescaped(fields[4]))
      if root == "/" || root == path || path.hasPrefix(root + "/") {
        let rest = root == "/" ? path : String(path.dropFirst(root.count))
        return ControlGroupLocation(top: place, directory: rest == "/" ? place : place + rest)
      }
    }
    return nil
  }

  /// Spaces and the like are written as `\040`.
  private static func unescaped(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Substring(field).utf8[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(String(digits) ?? "", radix: 8) {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

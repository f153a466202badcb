import Glibc

/// Addresses of Unix sockets, whose paths the kernel limits to 107 bytes.
public enum SocketAddress {
  /// Calls `body` with the address of a socket that is a file; -1 and errno when there can't be one.
  public static func use(directory: String, name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    let path = directory + "/" + name
    if path.utf8.count < capacity { return withAddress(path, body) }
    // A long path is shortened by going through an open descriptor of its directory.
    let fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { return -1 }
    defer { close(fd) }
    return withAddress("/proc/self/fd/\(fd)/\(name)", body)
  }

  /// `/path`, or `@name` for one without a file, as sd_notify(3) writes them. -1 and ENAMETOOLONG or EAFNOSUPPORT for anything else.
  public static func use(text: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    guard text.hasPrefix("/") || text.hasPrefix("@"), text.utf8.count > 1 else {
      errno = EAFNOSUPPORT
      return -1
    }
    guard text.utf8.count < capacity else {
      errno = ENAMETOOLONG
      return -1
    }
    return withAddress(text, body)
  }

  private static let capacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

  private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(capacity - 1)) }
    var length = MemoryLayout<sockaddr_un>.size
    if path.hasPrefix("@") {
      // Its name is a zero byte and what follows, to the length: zeros at the end would belong to it.
      address.sun_path.0 = 0
      length = length - capacity + path.utf8.count
    }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }
}

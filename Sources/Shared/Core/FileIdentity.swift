import Glibc

/// Which file a name leads to, whatever its name: two with the same identity at the same time are one file.
public struct FileIdentity: Hashable, Sendable, CustomStringConvertible {
  public var device: UInt64
  public var inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  /// Of what the name itself is; a link is not followed. nil: there is nothing, and errno says why.
  public static func of(path: String) -> FileIdentity? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  public static func of(descriptor: Int32) -> FileIdentity? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// `device:inode`.
  public var description: String { "\(device):\(inode)" }
}

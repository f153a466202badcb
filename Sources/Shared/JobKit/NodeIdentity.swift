import Core
import Glibc

/// What this node calls itself in locks.
public enum NodeIdentity {
  /// `<poller name>-<uuid>`: the owner of the cluster's locks.
  public static func owner(_ settings: Settings) -> String { "\(settings.pollerName)-\(uuid(settings))" }

  /// The same for all children of a node, through all restarts of processes and of the machine, and another one for every other node:
  /// made of NODE_ID, the host and the directory, so that nothing has to be stored that could be lost or copied.
  public static func uuid(_ settings: Settings) -> String {
    uuid(of: [settings.nodeID, host(), settings.base, settings.flags.multiple ? "\(getppid())" : ""])
  }

  static func uuid(of parts: [String]) -> String {
    // Two runs of FNV-1a over the parts, each ended with a zero so that their borders count.
    var halves: [UInt64] = []
    for seed: UInt64 in [0xcbf2_9ce4_8422_2325, 0x9ae1_6a3b_2f90_404f] {
      var hash = seed
      for part in parts { for byte in Array(part.utf8) + [0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
      // A final mix (SplitMix64's): FNV leaves its upper bits poor for short texts.
      hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
      hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
      halves.append(hash ^ (hash >> 31))
    }
    // Version 8 (RFC 9562): a UUID of the maker's own contents.
    let high = halves[0] & ~0xF000 | 0x8000
    let low = halves[1] & ~(0b11 << 62) | 0b10 << 62
    let digits = hexadecimal(high) + hexadecimal(low)
    let cuts = [0, 8, 12, 16, 20, 32]
    let characters = Array(digits)
    return zip(cuts, cuts.dropFirst()).map { String(characters[$0..<$1]) }.joined(separator: "-")
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func host() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, buffer.count - 1)
    return buffer.withUnsafeBufferPointer { pointer in pointer.baseAddress.map { String(cString: $0) } ?? "" }
  }
}

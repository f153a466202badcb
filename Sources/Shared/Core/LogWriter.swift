import CSystemd
import Glibc

/// Carries out the writes of a `LogRing`, on its thread.
final class LogWriter {
  private(set) var failures: [String: Int32] = [:]

  /// Writes a batch in order; returns the bytes that could not be written.
  func write(_ batch: [LogRing.Entry]) -> Int {
    var lost = 0
    var index = 0
    while index < batch.count {
      // Neighbours with the same target share one open and one write.
      var bytes = batch[index].bytes
      var next = index + 1
      if batch[index].target != .journal {
        while next < batch.count, batch[next].target == batch[index].target {
          bytes += batch[next].bytes
          next += 1
        }
      }
      switch batch[index].target {
      case .descriptor(let fd): lost += writeAll(bytes, to: fd)
      case .file(let path): lost += append(bytes, to: path)
      case .journal:
        let text = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
        if !journal(String(decoding: text, as: UTF8.self), priority: batch[index].priority, fields: batch[index].fields) {
          lost += writeAll(bytes, to: STDERR_FILENO)
        }
      }
      index = next
    }
    return lost
  }

  private func writeAll(_ bytes: [UInt8], to fd: Int32) -> Int {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress?.advanced(by: offset), bytes.count - offset) }
      if count >= 0 {
        offset += count
      } else if errno == EAGAIN {
        // An inherited descriptor may be non-blocking because another process made it so.
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, 1000)
      } else if errno != EINTR {
        break
      }
    }
    return bytes.count - offset
  }

  private func append(_ bytes: [UInt8], to path: String) -> Int {
    let fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
    guard fd >= 0 else {
      failures[path] = errno
      return bytes.count
    }
    defer { close(fd) }
    let lost = writeAll(bytes, to: fd)
    failures[path] = lost > 0 ? errno : nil
    return lost
  }

  private func journal(_ message: String, priority: Int32, fields: [String]) -> Bool {
    let lines = ["MESSAGE=" + message, "PRIORITY=\(priority)"] + fields
    return lines.withUnsafeTexts { pointers, lengths in
      systemd_journal_send(pointers, lengths, lines.count) == 0
    }
  }
}

extension [String] {
  /// The strings as an array of bytes and one of lengths, for C.
  fileprivate func withUnsafeTexts<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int>) -> Result) -> Result {
    var bytes: [CChar] = []
    var starts: [Int] = []
    for text in self {
      starts.append(bytes.count)
      bytes.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
      bytes.append(0)
    }
    let lengths = map(\.utf8.count)
    return bytes.withUnsafeBufferPointer { buffer in
      let pointers = starts.map { buffer.baseAddress?.advanced(by: $0) }
      return pointers.withUnsafeBufferPointer { pointers in
        lengths.withUnsafeBufferPointer { lengths in
          guard let first = pointers.baseAddress, let length = lengths.baseAddress else { preconditionFailure("no fields") }
          return body(first, length)
        }
      }
    }
  }
}

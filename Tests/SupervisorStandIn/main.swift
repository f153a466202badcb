import CLinuxShims
import Core
import Glibc

// Stands in for the configuration helper and for children, well and badly behaved. Linked into a directory under their names; what it
// does is in files of the directory STAND_IN: `configd` and `poller`, `discovery`, `ping`, each a word and its arguments.

let directory = ScriptEnvironment.value("STAND_IN") ?? "/nonexistent"
let name = CommandLine.arguments[0].split(separator: "/").last.map(String.init) ?? ""

func behaviour(_ file: String) -> [String] {
  (FileText.read("\(directory)/\(file)", limit: 4096) ?? "").split(whereSeparator: { $0 == "\n" || $0 == " " }).map(String.init)
}

/// A line in the file `received`, whole or not at all.
func note(_ text: String) {
  let fd = open("\(directory)/received", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
  let line = Array((text + "\n").utf8)
  _ = line.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
  close(fd)
}

func sendBytes(_ bytes: [UInt8], to fd: Int32) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
    if count > 0 { rest = rest.dropFirst(count) } else if errno != EAGAIN { exit(1) } else { usleep(1000) }
  }
}

func send(_ message: some Encodable, to fd: Int32) {
  if let frame = try? MessageCodec.encode(message) { sendBytes(frame, to: fd) }
}

shim_ignore_sigpipe()
if name == "librenms-configd" { StandInConfiguration.run() }
if let type = TaskType.allCases.first(where: { $0.executable == name }) { StandInChild(type).run() }
exit(64)

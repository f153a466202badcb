import Core

/// How much there is of what a limit in percent is a part of.
struct MachineSize: Equatable {
  /// Bytes.
  var memory: UInt64 = 0
  /// Processes and threads that the kernel allows.
  var tasks: UInt64 = 0

  /// 0 = unknown.
  static func current() -> MachineSize {
    func number(_ path: String) -> UInt64 { FileText.read(path, limit: 64).flatMap { UInt64($0.trimmed) } ?? 0 }
    let memory = FileText.read("/proc/meminfo", limit: 4096)?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
    let kibibytes = memory.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { UInt64($0) } ?? 0
    return MachineSize(memory: kibibytes << 10, tasks: min(number("/proc/sys/kernel/pid_max"), number("/proc/sys/kernel/threads-max")))
  }
}

extension Resource {
  /// Values as systemd takes them in `MemoryMax=` and the like.
  func rule(_ machine: MachineSize) -> ValueRule<ResourceLimit> {
    ValueRule { raw in
      guard !raw.isMissing else { return .missing }
      let text: String
      switch raw {
      case .string(let value): text = value.trimmed
      case .int(let value): text = String(value)
      default: return .wrong("is not text")
      }
      guard !text.isEmpty else { return .missing }
      guard text.utf8.count <= 24 else { return .wrong(expectation) }
      return judge(text, machine)
    }
  }

  private func judge(_ text: String, _ machine: MachineSize) -> Judgement<ResourceLimit> {
    switch self {
    case .memoryMax, .memoryHigh: memory(text, machine)
    case .tasksMax: tasks(text, machine)
    case .cpuQuota: quota(text)
    case .cpuWeight, .ioWeight: weight(text)
    }
  }

  private var expectation: String {
    switch self {
    case .memoryMax, .memoryHigh: "is no amount of memory like 512M, 2G, 50% or infinity"
    case .tasksMax: "is no number of tasks like 200, 10% or infinity"
    case .cpuQuota: "is no percentage of one CPU like 50% or 150%"
    case .cpuWeight, .ioWeight: "is not between 1 and 10000"
    }
  }

  /// Less than this is a number whose unit was forgotten: no script starts in it.
  private static let leastMemory: UInt64 = 1 << 20

  private func memory(_ text: String, _ machine: MachineSize) -> Judgement<ResourceLimit> {
    if text == "infinity" { return good(text, unlimited) }
    let bytes: UInt64
    if text.hasSuffix("%") {
      guard let part = Self.percentage(text), part > 0, part <= 100 else { return .wrong(expectation) }
      guard machine.memory > 0 else { return .wrong("can't be used: the size of this machine's memory is unknown") }
      bytes = UInt64(Double(machine.memory) * part / 100) & ~4095
    } else {
      guard let amount = Self.bytes(text) else { return .wrong(expectation) }
      bytes = amount
    }
    return bytes < Self.leastMemory ? .wrong("is less than 1M, in which no script can start") : good(text, String(bytes))
  }

  private func tasks(_ text: String, _ machine: MachineSize) -> Judgement<ResourceLimit> {
    if text == "infinity" { return good(text, unlimited) }
    if text.hasSuffix("%") {
      guard let part = Self.percentage(text), part > 0, part <= 100 else { return .wrong(expectation) }
      guard machine.tasks > 0 else { return .wrong("can't be used: how many tasks this machine allows is unknown") }
      return good(text, String(max(1, UInt64(Double(machine.tasks) * part / 100))))
    }
    guard let number = UInt32(text), number > 0, number <= UInt32(Int32.max) else { return .wrong(expectation) }
    return good(text, String(number))
  }

  /// The kernel's period is 100 ms, and it takes no quota below 1 ms.
  private func quota(_ text: String) -> Judgement<ResourceLimit> {
    if text == "infinity" { return good(text, unlimited) }
    guard let percent = Self.percentage(text), percent <= 1_000_000 else { return .wrong(expectation) }
    return percent < 1 ? .wrong("is less than 1%") : good(text, "\(Int(percent * 1000)) 100000")
  }

  private func weight(_ text: String) -> Judgement<ResourceLimit> {
    guard let number = Int(text), (1...10_000).contains(number) else { return .wrong(expectation) }
    return good(text, String(number))
  }

  private func good(_ text: String, _ value: String) -> Judgement<ResourceLimit> { .good(ResourceLimit(text: text, value: value)) }

  /// `50%`, `12.5%`; digits only, so that neither a sign nor an exponent counts.
  private static func percentage(_ text: String) -> Double? {
    guard text.hasSuffix("%") else { return nil }
    let number = text.dropLast()
    guard let first = number.first, first.isASCII, first.isNumber, number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else {
      return nil
    }
    return Double(number)
  }

  /// systemd's suffixes, to the base of 1024.
  private static func bytes(_ text: String) -> UInt64? {
    let units: [Character: UInt64] = ["B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
    guard let last = text.last, let first = text.first, first.isASCII, first.isNumber else { return nil }
    let unit = units[last]
    guard let number = UInt64(unit == nil ? text[...] : text.dropLast()) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
    return overflow || bytes > UInt64(Int64.max) ? nil : bytes
  }
}

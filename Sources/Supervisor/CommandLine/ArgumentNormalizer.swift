/// Turns the command lines that librenms-service.py and its argparse accept into one spelling that swift-argument-parser accepts too:
/// the subcommand first, then long options with `=`.
///
/// What argparse does and the other does not: a list of groups after one `-g`, an optional value after `-o`, abbreviated long options.
struct ArgumentNormalizer {
  enum Value {
    case none
    /// One value.
    case one
    /// Whole numbers, as many as follow.
    case numbers
    /// One of these words, or nothing, which means the last.
    case optional([String])
  }

  struct Option {
    var name: String
    var short: Character?
    var value = Value.none
    /// Known to librenms-service.py; such a name wins when an abbreviation fits several, so that what works there works here.
    var isPythons = false
  }

  static let destinations = ["none", "passthrough", "logger", "file"]

  /// Understood before and after every subcommand.
  static let common = [
    Option(name: "group", short: "g", value: .numbers, isPythons: true),
    Option(name: "verbose", short: "v", isPythons: true),
    Option(name: "debug", short: "d", isPythons: true),
    Option(name: "log-output", short: "o", value: .optional(destinations), isPythons: true),
    Option(name: "multiple", short: "m", isPythons: true),
    Option(name: "timestamps", short: "t", isPythons: true),
    Option(name: "help", short: "h", isPythons: true),
    Option(name: "base", value: .one),
    Option(name: "version"),
  ]

  /// Subcommands and what they understand beyond `common`; `run` is meant when none is named.
  static let subcommands: [(name: String, options: [Option])] = [
    ("run", []),
    ("status", [Option(name: "json"), Option(name: "watch")]),
    ("config", [Option(name: "json"), Option(name: "origin")]),
    ("poll", []),
    ("discover", []),
    ("locks", [Option(name: "json")]),
    ("validate", []),
    ("health", []),
    ("reload", []),
    ("retire", []),
  ]

  /// Subcommands that take device ids.
  static let takingDevices: Set<String> = ["poll", "discover"]

  /// The arguments without the program's name, in the one spelling.
  static func normalize(_ arguments: [String]) throws(UsageError) -> [String] {
    var normalizer = ArgumentNormalizer(arguments)
    return try normalizer.run()
  }

  private var rest: ArraySlice<String>
  private var subcommand: (name: String, options: [Option])?
  private var devices: [String] = []
  private var output: [(option: String, value: String?)] = []

  private init(_ arguments: [String]) {
    rest = arguments[...]
  }

  private var options: [Option] { Self.common + (subcommand?.options ?? Self.subcommands.flatMap(\.options)) }

  private mutating func run() throws(UsageError) -> [String] {
    var onlyWords = false
    while let argument = rest.popFirst() {
      if onlyWords {
        try word(argument)
      } else if argument == "--" {
        onlyWords = true
      } else if argument.hasPrefix("--") {
        try long(String(argument.dropFirst(2)))
      } else if argument.hasPrefix("-"), argument.count > 1 {
        try cluster(argument.dropFirst())
      } else {
        try word(argument)
      }
    }
    return try finish()
  }

  private func finish() throws(UsageError) -> [String] {
    // Options before the subcommand were looked up in the options of all of them.
    let known = Set((Self.common + (subcommand?.options ?? [])).map(\.name))
    if let stray = output.first(where: { !known.contains($0.option) }) {
      let owners = Self.subcommands.filter { $0.options.contains { $0.name == stray.option } }.map { "'\($0.name)'" }
      throw UsageError(
        "option '--\(stray.option)' does not belong to '\(subcommand?.name ?? "run")'",
        hint: "It is understood by \(owners.joined(separator: " and ")).")
    }
    let names = output.map(\.option)
    if names.contains("help") { return (subcommand.map { [$0.name] } ?? []) + ["--help"] }
    if names.contains("version") { return ["--version"] }
    // Devices before the options: behind `--group=1` a number would be another group.
    var result = [subcommand?.name ?? "run"] + devices
    var seen: Set<String> = []
    let lastWithValue = output.lastIndex { $0.option == "log-output" }
    for (index, item) in output.enumerated() {
      if item.option == "verbose", names.contains("debug") { continue }
      // A repeated switch means the same as one; of a repeated destination the last counts, as with argparse.
      if item.option == "log-output", index != lastWithValue { continue }
      if item.value == nil, !seen.insert(item.option).inserted { continue }
      result.append("--" + item.option + (item.value.map { "=" + $0 } ?? ""))
    }
    if let subcommand, Self.takingDevices.contains(subcommand.name), devices.isEmpty {
      throw UsageError("'\(subcommand.name)' needs at least one device id", hint: "For example: librenms-dispatcher \(subcommand.name) 42")
    }
    return result
  }

  private mutating func word(_ word: String) throws(UsageError) {
    if let subcommand, Self.takingDevices.contains(subcommand.name) { return try device(word) }
    if let subcommand {
      throw UsageError(
        "unexpected argument '\(word)' after '\(subcommand.name)'", hint: "See 'librenms-dispatcher \(subcommand.name) --help'.")
    }
    // `help status` is how git says `status --help`.
    if word == "help" { return output.append(("help", nil)) }
    guard let found = Self.subcommands.first(where: { $0.name == word }) else {
      throw UsageError(
        "'\(word)' is not a command of librenms-dispatcher",
        hint: UsageError.suggestion(for: word, among: Self.subcommands.map(\.name)) ?? "See 'librenms-dispatcher --help'.")
    }
    subcommand = found
  }

  private mutating func device(_ word: String) throws(UsageError) {
    // One spelling per number, so that 7 and 007 are one device.
    guard word.allSatisfy({ $0.isASCII && $0.isNumber }), let id = Int64(word), id > 0 else {
      throw UsageError("'\(word)' is no device id: a whole number from 1 on, as in the address of the device's page, device/42")
    }
    devices.append(String(id))
  }

  private mutating func long(_ text: String) throws(UsageError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let option = try lookUp(parts[0])
    try take(option, attached: parts.count > 1 ? parts[1] : nil, spelled: "--" + parts[0])
  }

  private func lookUp(_ name: String) throws(UsageError) -> Option {
    if let exact = options.first(where: { $0.name == name }) { return exact }
    let candidates = options.filter { !name.isEmpty && $0.name.hasPrefix(name) }
    let names = Set(candidates.map(\.name))
    if names.count == 1, let only = candidates.first { return only }
    let pythons = candidates.filter(\.isPythons)
    if pythons.count == 1, let only = pythons.first { return only }
    if !candidates.isEmpty {
      let list = names.sorted().map { "'--\($0)'" }.joined(separator: ", ")
      throw UsageError("option '--\(name)' is ambiguous", hint: "It could mean \(list).")
    }
    throw UsageError(
      "unknown option '--\(name)'",
      hint: UsageError.suggestion(for: name, among: options.map(\.name), prefix: "--") ?? "See 'librenms-dispatcher --help'.")
  }

  /// `-vd`, `-o file`, `-ofile`, `-g1`.
  private mutating func cluster(_ letters: Substring) throws(UsageError) {
    var letters = letters
    while let letter = letters.popFirst() {
      guard let option = options.first(where: { $0.short == letter }) else {
        let whole = String(letter) + letters
        let hint = UsageError.suggestion(for: whole, among: options.map(\.name), prefix: "--")
        throw UsageError("unknown option '-\(letter)'", hint: hint ?? "See 'librenms-dispatcher --help'.")
      }
      if case .none = option.value {
        try take(option, attached: nil, spelled: "-\(letter)")
        continue
      }
      if letters.first == "=" { letters.removeFirst() }
      return try take(option, attached: letters.isEmpty ? nil : String(letters), spelled: "-\(letter)")
    }
  }

  private mutating func take(_ option: Option, attached: String?, spelled: String) throws(UsageError) {
    switch option.value {
    case .none:
      guard attached == nil else { throw UsageError("option '\(spelled)' takes no value") }
      output.append((option.name, nil))
    case .one:
      let isNext = rest.first.map { !$0.hasPrefix("-") } ?? false
      guard let value = attached ?? (isNext ? rest.popFirst() : nil), !value.isEmpty else {
        throw UsageError("option '\(spelled)' needs a value")
      }
      output.append((option.name, value))
    case .optional(let words):
      try takeOptional(option, words, attached: attached, spelled: spelled)
    case .numbers:
      try takeNumbers(option, attached: attached, spelled: spelled)
    }
  }

  private mutating func takeOptional(_ option: Option, _ words: [String], attached: String?, spelled: String) throws(UsageError) {
    var value = attached
    if value == nil, let next = rest.first, !next.hasPrefix("-"), !Self.subcommands.contains(where: { $0.name == next }) {
      value = rest.popFirst()
    }
    guard let value else { return output.append((option.name, words.last)) }
    guard words.contains(value) else {
      throw UsageError(
        "'\(value)' is no destination for option '\(spelled)': choose one of \(words.joined(separator: ", "))",
        hint: UsageError.suggestion(for: value, among: words + Self.subcommands.map(\.name)))
    }
    output.append((option.name, value))
  }

  private mutating func takeNumbers(_ option: Option, attached: String?, spelled: String) throws(UsageError) {
    var numbers: [String] = []
    if let attached { numbers += try Self.numbers(attached, spelled: spelled) }
    // The list ends at the first word that can't be a number, which is then an option or a subcommand.
    while let next = rest.first, let first = next.first, first.isASCII, first.isNumber || (first == "-" && Int(next) != nil) {
      rest.removeFirst()
      numbers += try Self.numbers(next, spelled: spelled)
    }
    if numbers.isEmpty {
      if let next = rest.first, !next.hasPrefix("-"), !Self.subcommands.contains(where: { $0.name == next }) {
        throw UsageError("'\(next)' is no poller group for option '\(spelled)': a group is a whole number from 0 on")
      }
      throw UsageError("option '\(spelled)' needs at least one poller group", hint: "For example: \(spelled) 0 1")
    }
    for number in numbers { output.append((option.name, number)) }
  }

  /// `1` or `1,2`: the comma is how the setting `distributed_poller_group` writes a list.
  private static func numbers(_ text: String, spelled: String) throws(UsageError) -> [String] {
    var result: [String] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = Int32(part), number >= 0 else {
        throw UsageError("'\(part)' is no poller group for option '\(spelled)': a group is a whole number from 0 on")
      }
      result.append(String(number))
    }
    return result
  }
}

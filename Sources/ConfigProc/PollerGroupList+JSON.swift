import Core

extension PollerGroupList {
  /// One number, or text as above; nil = group 0 is meant.
  static func parse(_ raw: JSONValue) -> [Int]? {
    switch raw {
    case .int(let group): group >= 0 ? [group] : nil
    case .string(let text): parse(text)
    default: nil
    }
  }
}

/// Poller groups: one number, or numbers with commas between them.
enum PollerGroupList {
  /// Keeps the order and drops repetitions; nil = any part of it can't be read, then the whole value means group 0.
  static func parse(_ raw: JSONValue) -> [Int]? {
    switch raw {
    case .int(let group): return group >= 0 ? [group] : nil
    case .string(let text):
      guard text.utf8.count <= 4096 else { return nil }
      var groups: [Int] = []
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let group = Int(part.trimmed), group >= 0 else { return nil }
        if !groups.contains(group) { groups.append(group) }
      }
      return groups
    default: return nil
    }
  }
}

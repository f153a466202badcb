/// Poller groups as text: numbers with commas between them.
public enum PollerGroupList {
  /// Keeps the order and drops repetitions; nil = any part of it can't be read, then the whole value means group 0. White space around a
  /// number does not matter; `1 2` is no number.
  public static func parse(_ text: String) -> [Int]? {
    // What is longer would only stuff messages.
    guard text.utf8.count <= 4096 else { return nil }
    var groups: [Int] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let group = Int(trimmed(part)), group >= 0 else { return nil }
      if !groups.contains(group) { groups.append(group) }
    }
    return groups
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first?.isWhitespace == true { text = text.dropFirst() }
    while text.last?.isWhitespace == true { text = text.dropLast() }
    return text
  }
}

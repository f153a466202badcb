/// Members by score, and by their bytes where scores are equal.
///
/// A sorted array with a free front: queues are taken from at the front and filled near the end, so both cost next to nothing.
final class SimulatedSortedSet {
  struct Element: Equatable {
    var score: Double
    var member: String
  }

  private var scores: [String: Double] = [:]
  private var order: [Element] = []
  private var head = 0

  var count: Int { scores.count }
  /// From the lowest.
  var elements: ArraySlice<Element> { order[head...] }
  var lowest: Element? { head < order.count ? order[head] : nil }

  func score(of member: String) -> Double? { scores[member] }

  /// A new member, or another score for an old one.
  func set(_ member: String, _ score: Double) {
    if let old = scores.updateValue(score, forKey: member) {
      guard old != score else { return }
      take(Element(score: old, member: member))
    }
    let element = Element(score: score, member: member)
    order.insert(element, at: place(of: element))
  }

  func remove(_ member: String) -> Bool {
    guard let score = scores.removeValue(forKey: member) else { return false }
    take(Element(score: score, member: member))
    return true
  }

  private func take(_ element: Element) {
    let index = place(of: element)
    guard index == head else {
      order.remove(at: index)
      return
    }
    order[head].member = ""
    head += 1
    if head > 64 && head > order.count / 2 {
      order.removeFirst(head)
      head = 0
    }
  }

  /// The first index whose element is not lower.
  private func place(of element: Element) -> Int {
    var (low, high) = (head, order.count)
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(order[middle], element) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func precedes(_ a: Element, _ b: Element) -> Bool {
    a.score != b.score ? a.score < b.score : a.member.utf8.lexicographicallyPrecedes(b.member.utf8)
  }
}

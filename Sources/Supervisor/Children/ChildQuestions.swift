import Core

/// What a child was asked and has not answered yet. What it says is gossip: an answer that nobody waits for is dropped.
final class ChildQuestions {
  enum Failure: Error, Equatable {
    /// The child ended, or there is none.
    case ended
    case silent(Duration)
  }

  enum Response {
    case enqueued([OnDemandResult])
    /// All parts in one.
    case locks(LockPage)
  }

  typealias Answer = (Result<Response, Failure>) -> Void

  /// The child may wait for the database for 10 s before it says that it is away.
  static let patience = Duration.seconds(12)

  private struct Question {
    var answer: Answer
    var timer: TimerToken
    var locks: [LockReport] = []
  }

  private let loop: EventLoop
  private var open: [Int: Question] = [:]
  private var last = 0

  init(loop: EventLoop) {
    self.loop = loop
  }

  /// The number for a new question. Its answer comes once, also when the child does not.
  func ask(_ answer: @escaping Answer) -> Int {
    last += 1
    let number = last
    let timer = loop.schedule(after: Self.patience) { [weak self] in self?.end(number, .failure(.silent(Self.patience))) }
    open[number] = Question(answer: answer, timer: timer)
    return number
  }

  func heard(_ number: Int, _ results: [OnDemandResult]) {
    end(number, .success(.enqueued(results)))
  }

  func heard(_ number: Int, _ page: LockPage) {
    guard var question = open[number] else { return }
    question.locks += page.locks
    open[number] = question
    if page.more, question.locks.count <= LockPage.limit { return }
    end(number, .success(.locks(LockPage(locks: question.locks, omitted: max(0, page.omitted), failure: page.failure))))
  }

  /// The child is gone.
  func failAll() {
    for number in open.keys.sorted() { end(number, .failure(.ended)) }
  }

  private func end(_ number: Int, _ result: Result<Response, Failure>) {
    guard let question = open.removeValue(forKey: number) else { return }
    loop.cancel(question.timer)
    question.answer(result)
  }
}

import Core
import Database

/// LibreNMS's database as a node sees it. Questions go in and answers come back on the loop, in the order of the questions.
///
/// Down is a server that can't be reached or does not answer. A connection that the server has ended is replaced without a word, and the
/// question that met its end is asked again, unless it must not be (`DatabaseQuestion.mayRepeat`).
public protocol NodeDatabase: AnyObject {
  /// nil = not tried yet.
  var isUp: Bool? { get }
  /// Called on the loop when the database comes or goes.
  var onChange: ((Bool) -> Void)? { get set }
  /// Statements that were run since the start.
  var statementCount: UInt64 { get }

  /// While the database is down the answer is an error, at once.
  func ask<Question: DatabaseQuestion>(_ question: Question, _ answer: @escaping (Result<Question.Answer, DatabaseError>) -> Void)
  /// Drops the connection; the next one is made with these.
  func change(_ settings: DatabaseSettings)
  /// To be called about every second: notices a server that is silent.
  func look(at now: MonotonicTime)
}

/// A question to the database as a value: what is asked, never how.
public protocol DatabaseQuestion: Sendable {
  associatedtype Answer: Sendable

  /// It may be asked again when its connection was cut or a statement of it was interrupted. Right for reading and for writing what is true
  /// whatever was written before; what is not told apart from its own first half says false and gets the error.
  var mayRepeat: Bool { get }

  /// `askedAt`: by the clock of the loop that asked. A session may be on a thread of its own and reads no clock to decide.
  func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> Answer
}

extension DatabaseQuestion {
  public var mayRepeat: Bool { true }
}

/// A connection that answers, one method for each kind of question; MariaDB, or a simulation of its rows.
///
/// Every method throws what the server says.
public protocol DatabaseSession: AnyObject {
  func due(_ question: DueQuestion, askedAt: MonotonicTime) throws(DatabaseError) -> [DueJob]
  func fitness(_ question: FitnessQuestion) throws(DatabaseError) -> Fitness
  func ending(_ question: UnseenEndQuestion) throws(DatabaseError) -> ExitCodePolicy.Ending
  func devices(_ question: DevicesQuestion) throws(DatabaseError) -> [Int64: DevicesQuestion.Device]
  func write(_ report: NodeReport) throws(DatabaseError) -> NodeReport.Written
  func clearMaster(nodeID: String) throws(DatabaseError)
  func clocks(_ question: ClocksQuestion) throws(DatabaseError) -> ClocksQuestion.Clocks
  func coverage(_ question: CoverageQuestion) throws(DatabaseError) -> CoverageQuestion.Coverage
  func fingerprint(_ question: FingerprintQuestion) throws(DatabaseError) -> String
}

import Core
import Database
import JobKit
import Logging
import Simulation

import class Fixture.LogLines

/// A client of a simulated database, on the virtual loop: time passes when the test says so.
final class VirtualClient {
  let server: SimulatedDatabase
  let client: DatabaseClient
  let lines = LogLines()
  private(set) var changes: [Bool] = []
  private var loop: EventLoop { server.loop }

  /// Waits until it is connected, if the server is there.
  init(_ server: SimulatedDatabase) {
    self.server = server
    let lines = lines
    client = server.client(log: Logger(label: "test") { _ in lines })
    client.onChange = { [weak self] in self?.changes.append($0) }
    turn(for: .milliseconds(100))
  }

  /// The product looks each second.
  func turn(for time: Duration) {
    let end = loop.now + time
    var look = loop.now + .seconds(1)
    while loop.now < end {
      do { try loop.turn(limit: min(end, look) - loop.now) } catch { preconditionFailure("\(error)") }
      if loop.now >= look {
        client.look(at: loop.now)
        look = look + .seconds(1)
      }
    }
  }

  final class Answer<Value> {
    var value: Result<Value, DatabaseError>?
  }

  func begin<Question: DatabaseQuestion>(_ question: Question) -> Answer<Question.Answer> {
    let answer = Answer<Question.Answer>()
    client.ask(question) { answer.value = $0 }
    return answer
  }

  /// Asks and waits for the answer, at most 15 s.
  func ask<Question: DatabaseQuestion>(_ question: Question) -> Result<Question.Answer, DatabaseError> {
    let answer = begin(question)
    for _ in 0..<15_000 where answer.value == nil { turn(for: .milliseconds(1)) }
    return answer.value ?? .failure(DatabaseError(kind: .unreachable, number: 0, text: "no answer"))
  }
}

import Fixture
import Testing

/// The judge of the integration tests has to be right about what it judges.
@Suite struct JournalTests {
  private let journal = Journal(
    """
    100.0 start poller 1 11 - lnms device:poll 1 -q
    100.5 start poller 2 12 -
    101.0 end poller 1 11 0
    101.5 end poller 2 12 6
    119.0 start poller 1 13 -
    119.5 start poller 1 14 -
    120.5 end poller 1 14 0
    120.6 end poller 1 13 0
    121.0 start poller 2 15 -
    not a line
    """)

  @Test func pairsStartsWithEnds() {
    #expect(journal.runs("poller").count == 5)
    #expect(journal.runs("poller", "2").map(\.exitCode) == [6, nil])
    #expect(journal.ids("poller") == ["1", "2"])
    #expect(journal.runs("discovery").isEmpty)
  }

  @Test func keepsTheCommandLine() {
    #expect(journal.runs("poller", "1").map(\.commandLine) == ["lnms device:poll 1 -q", "", ""])
  }

  @Test func measuresFromStartToStart() {
    #expect(journal.intervals("poller").sorted() == [0.5, 19, 20.5])
  }

  @Test func findsARunThatStartsBeforeTheEarlierOneEnded() {
    #expect(journal.overlaps("poller") { _ in false }.map { $0.1.pid } == [14])
  }

  @Test func findsRepeatsOnlyWithinTheGivenTime() {
    #expect(journal.repeats("poller", within: 10).map { $0.1.pid } == [14])
    #expect(journal.repeats("poller", within: 0.4).isEmpty)
  }

  @Test func knowsWhoWasKilled() {
    #expect(journal.killed("poller") { _ in false }.map(\.pid) == [15])
    #expect(journal.killed("poller") { _ in true }.isEmpty)
  }

  @Test func countsWhoRanAtOnce() {
    #expect(journal.peak("poller") == 2)
    #expect(journal.running("poller", at: 100.7).map(\.pid) == [11, 12])
  }
}

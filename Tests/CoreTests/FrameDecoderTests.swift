import Core
import Simulation
import Testing

@Suite struct FrameDecoderTests {
  @Test func framesComeOutWholeHoweverTheBytesArrive() throws {
    let payloads: [[UInt8]] = [[1], Array(repeating: 7, count: 300), [2, 3]]
    let stream = payloads.flatMap { FrameDecoder.frame($0) }
    for size in [1, 2, 3, 5, 299, stream.count] {
      var decoder = FrameDecoder(limit: 1000)
      var frames: [[UInt8]] = []
      var rest = stream[...]
      while !rest.isEmpty {
        frames += try decoder.feed(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      #expect(frames == payloads, "chunks of \(size)")
      #expect(decoder.pending == 0)
    }
  }

  @Test func aLengthOverTheLimitIsRefusedBeforeItsBytesAreKept() {
    var decoder = FrameDecoder(limit: 1000)
    #expect(throws: FrameDecoder.Failure.tooLong(announced: 100_000_000, limit: 1000)) {
      try decoder.feed([0x05, 0xF5, 0xE1, 0x00])
    }
  }

  @Test func anEmptyFrameIsRefused() {
    var decoder = FrameDecoder(limit: 1000)
    #expect(throws: FrameDecoder.Failure.empty) { try decoder.feed([0, 0, 0, 0]) }
  }

  @Test func halfAFrameIsPending() throws {
    var decoder = FrameDecoder(limit: 1000)
    #expect(try decoder.feed(FrameDecoder.frame([1, 2, 3]).dropLast()).isEmpty)
    #expect(decoder.pending == 6)
  }

  @Test func seededGarbageEndsInFramesOrOneErrorAndNeverGrowsPastTheLimit() {
    var random = SeededGenerator(seed: 42)
    for _ in 0..<2000 {
      var decoder = FrameDecoder(limit: 512)
      let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      if let frames = try? decoder.feed(bytes) {
        #expect(frames.allSatisfy { !$0.isEmpty && $0.count <= 512 })
        #expect(decoder.pending <= 516)
      }
    }
  }

  @Test func messagesSurviveTheirOwnCodingAndUnknownFieldsAreIgnored() throws {
    var heartbeat = Heartbeat()
    heartbeat.beat = 7
    heartbeat.outages = [.database]
    heartbeat.oldestDue = .milliseconds(1500)
    let message = Upward.heartbeat(heartbeat)
    let frame = try MessageCodec.encode(message)
    #expect(try MessageCodec.decode(Upward.self, from: Array(frame.dropFirst(4))) == message)

    let newer = #"{"ready":{"epoch":3,"colour":"red"}}"#
    #expect(try MessageCodec.decode(Upward.self, from: Array(newer.utf8)) == .ready(epoch: 3))
    #expect(throws: DecodingError.self) { try MessageCodec.decode(Upward.self, from: Array(#"{"sing":{}}"#.utf8)) }
  }

  @Test func aConfigurationWithManyGroupsFitsTheDownwardLimit() throws {
    var settings = Settings(base: "/opt/librenms", nodeID: "abc", pollerName: "node")
    settings.groups = Array(0..<5000)
    let frame = try MessageCodec.encode(Downward.configure(epoch: 1, mayLead: true, settings: settings))
    #expect(frame.count < FrameDecoder.downwardLimit)
  }
}

import CMariaDB
import Core

extension SQLValue {
  /// Copies a cell out of libmariadb's buffers. Bytes that are not UTF-8 become replacement characters.
  init(_ cell: cmariadb_value) {
    switch UInt32(bitPattern: cell.kind) {
    case CMARIADB_INTEGER.rawValue: self = .int(cell.integer)
    case CMARIADB_DOUBLE.rawValue: self = .double(cell.real)
    case CMARIADB_TEXT.rawValue:
      let bytes = UnsafeRawBufferPointer(start: cell.text, count: cell.length)
      self = .text(String(decoding: bytes, as: UTF8.self))
    default: self = .null
    }
  }
}

/// Parameters laid out for C: all texts in one buffer, so that every pointer lives as long as the call.
struct SQLParameters {
  private var values: [cmariadb_value] = []
  private var texts: [CChar] = []
  private var offsets: [Int?] = []

  init(_ parameters: [SQLValue]) {
    for parameter in parameters {
      var value = cmariadb_value()
      var offset: Int?
      switch parameter {
      case .null: value.kind = Int32(CMARIADB_NULL.rawValue)
      case .int(let number):
        value.kind = Int32(CMARIADB_INTEGER.rawValue)
        value.integer = number
      case .double(let number):
        value.kind = Int32(CMARIADB_DOUBLE.rawValue)
        value.real = number
      case .text(let text):
        value.kind = Int32(CMARIADB_TEXT.rawValue)
        offset = texts.count
        texts.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
        value.length = texts.count - (offset ?? 0)
      }
      values.append(value)
      offsets.append(offset)
    }
  }

  func withCValues<Result>(_ body: (UnsafePointer<cmariadb_value>?) -> Result) -> Result {
    texts.withUnsafeBufferPointer { characters in
      var values = values
      for (index, offset) in offsets.enumerated() {
        if let offset { values[index].text = characters.baseAddress.map { $0 + offset } }
      }
      return values.withUnsafeBufferPointer { body($0.baseAddress) }
    }
  }
}

extension DatabaseSettings {
  /// Hands out the settings as C options. The strings live as long as the call.
  func withCOptions<Result>(
    connect: Duration, read: Duration, write: Duration, _ body: (UnsafePointer<cmariadb_options>) -> Result
  ) -> Result {
    host.withCString { host in
      socket.withCString { socketPath in
        name.withCString { database in
          user.withCString { user in
            password.withCString { password in
              certificateAuthority.withCString { authority in
                var options = cmariadb_options(
                  host: host, socket: socket.isEmpty ? nil : socketPath, database: database, user: user, password: password,
                  certificate_authority: authority, port: UInt32(clamping: port == 0 ? 3306 : port), tls: tls.cMode,
                  connect_timeout: connect.wholeSeconds, read_timeout: read.wholeSeconds, write_timeout: write.wholeSeconds)
                return body(&options)
              }
            }
          }
        }
      }
    }
  }
}

extension DatabaseTLS {
  fileprivate var cMode: Int32 {
    switch self {
    case .disabled: Int32(CMARIADB_TLS_DISABLED.rawValue)
    case .verifyCA: Int32(CMARIADB_TLS_VERIFY_CA.rawValue)
    case .verifyIdentity: Int32(CMARIADB_TLS_VERIFY_IDENTITY.rawValue)
    }
  }
}

extension Duration {
  /// Rounded up, at least 1: 0 would mean "no limit" to libmariadb.
  fileprivate var wholeSeconds: UInt32 {
    let (seconds, attoseconds) = components
    return max(1, UInt32(clamping: seconds + (attoseconds > 0 ? 1 : 0)))
  }
}

extension cmariadb_error {
  var message: String {
    withUnsafeBytes(of: text) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

/// The passwords that were read, to keep them out of what PHP or a server said when something went wrong.
struct Secrets {
  private let values: [String]

  init(_ sources: ConfigSources) {
    let names = ["DB_PASSWORD", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD", "APP_KEY"]
    let found = names.flatMap { [sources.environment[$0], sources.dotenv.entries[$0]?.value] }.compactMap { $0 }
    // The longest first: one may be a part of another. Very short ones would blot out ordinary words.
    values = found.filter { $0.count > 2 }.sorted { $0.count > $1.count }
  }

  func masked(in text: String) -> String {
    var text = text
    for value in values {
      let parts = text.split(separator: value, omittingEmptySubsequences: false)
      if parts.count > 1 { text = parts.joined(separator: "***") }
    }
    return text
  }
}

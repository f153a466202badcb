import Core

extension MonotonicTime {
  /// As the policies take it, which know no clocks.
  var sinceBoot: Duration { .nanoseconds(nanoseconds) }
}

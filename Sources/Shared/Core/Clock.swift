import CLinuxShims

extension MonotonicTime {
  /// Now, by CLOCK_BOOTTIME.
  public static var now: MonotonicTime { MonotonicTime(nanoseconds: shim_boottime_ns()) }
}

/// The wall clock as a duration since the epoch. Used where LibreNMS aligns to it, and nowhere else: it jumps.
public enum WallClock {
  public static var now: Duration { .nanoseconds(shim_realtime_ns()) }
}

/// How a supervisor starts a child: `librenms-<type>d --runtime DIRECTORY`, its socket as descriptor 3, everything else over that socket.
public enum ChildLaunch {
  public static let channel: Int32 = 3

  public static func arguments(runtimeDirectory: String) -> [String] { ["--runtime", runtimeDirectory] }

  /// The runtime directory from the command line of a child (without the program's name); nil = not started by a supervisor.
  public static func runtimeDirectory(_ arguments: [String]) -> String? {
    arguments.count == 2 && arguments[0] == "--runtime" ? arguments[1] : nil
  }

  public static func jobTable(_ type: TaskType, in runtimeDirectory: String) -> String { "\(runtimeDirectory)/\(type.rawValue).jobs" }
  public static func cooldowns(_ type: TaskType, in runtimeDirectory: String) -> String { "\(runtimeDirectory)/\(type.rawValue).cooldowns" }
  public static func output(_ type: TaskType, slot: Int, in runtimeDirectory: String) -> String {
    "\(runtimeDirectory)/\(type.rawValue).\(slot).out"
  }

  /// A child that ends with this is not started again until the configuration changes (sysexits.h: EX_CONFIG).
  public static let structuralExit: Int32 = 78
}

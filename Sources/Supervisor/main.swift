import Core
import Glibc

do throws(ProcessStart.Refusal) {
  let arguments = try ProcessStart.begin()
  let isOurs = { (name: String) in name == "LIBRENMS_BASE" || name == "RUNTIME_DIRECTORY" || name.hasPrefix("DISPATCHER_") }
  if let unreadable = ScriptEnvironment.unreadable(among: isOurs) { throw ProcessStart.Refusal(description: unreadable) }
  ProcessEnd.exit(DispatcherCommand.execute(arguments))
} catch {
  ProcessStart.complain("librenms-dispatcher: \(error)")
  exit(2)
}

import Core

/// What scripts don't say themselves: runs that end with 0 and went wrong, and failures without a word.
extension JobEngine {
  /// How long a look at files may take before the line goes out without it: they may be on a file server that hangs.
  private static let filesPatience = Duration.seconds(5)

  private var clock: Duration { .nanoseconds(loop.now.nanoseconds) }

  /// Reads the end of a script's output; to be called before its slot is reset.
  func lookAtOutput(_ slot: JobSlot, _ job: TakenJob, _ ending: ExitCodePolicy.Ending, _ verdict: ExitCodePolicy.Verdict) {
    // What ended unseen has told nothing about itself.
    guard case .exited(let code) = ending else { return }
    let name = name(of: job.item)
    if code == 0, let fault = ScriptOutputPolicy.fault(in: slot.tail.text, isCut: slot.tail.isCut, frame: type.outputFrame) {
      let line = "\(name) ended with 0, but \(fault)"
      lastError = line
      if unnoticed.failed(name, fault, at: clock) { log.warning("\(line)") }
    } else if code == 0 {
      for cause in unnoticed.worked(name) { log.notice("\(type.type.rawValue): no run ends like this any more: \(cause)") }
    }
    guard Int64(job.item.payload) != nil else { return }
    if verdict.outcome != .failed {
      if alike.worked() {
        alikeText = nil
        log.notice("\(type.type.rawValue): scripts do their work again")
      }
    } else if let alarm = alike.failed(
      code, job.item.payload, output: slot.tail.lastLines(10), period: settings[type.type].frequency, at: clock)
    {
      explain(alarm, job.item)
    }
  }

  // MARK: Failures without a word

  private func explain(_ alarm: AlikeFailurePolicy.Alarm, _ item: QueueItem) {
    let check = ScriptFilesCheck(base: settings.base, logDirectory: settings.logDirectory, logFile: settings.logFile)
    let command = byHand(item)
    var isSaid = false
    let say = { [weak self] (files: String) in
      guard let self, !isSaid else { return }
      isSaid = true
      let devices = alarm.payloads.prefix(5).joined(separator: ", ") + (alarm.payloads.count > 5 ? " …" : "")
      let text =
        "\(type.type.rawValue): the scripts of \(alarm.payloads.count) devices in a row (\(devices)) ended with exit code \(alarm.code) and not a word; run one by hand: \(command); \(files)"
      if alike.isActive { alikeText = text }
      log.warning("\(text)")
    }
    let wait = Self.filesPatience
    loop.schedule(after: wait) { say("the files that scripts write don't answer within \(wait.components.seconds) s") }
    if let error = host.lookAtFiles(check, { say(Self.words($0)) }) { say("the files that scripts write can't be looked at: \(error)") }
  }

  private static func words(_ problems: [ScriptFilesCheck.Problem]) -> String {
    guard let first = problems.first else { return "nothing is wrong with the owners and access rights of the files that scripts write" }
    let user = ScriptFilesCheck.ownName
    let texts = problems.map(\.text).joined(separator: ", ")
    return "\(texts); as root: chown \(first.isDirectory ? "-R " : "")\(user): \(problems.map(\.path).joined(separator: " "))"
  }

  /// The command of a job as the service's user runs it, without `-q`, which would say nothing by hand either.
  private func byHand(_ item: QueueItem) -> String {
    var loud = settings
    loud.flags.output = .passthrough
    let command = type.command(item, loud)
    let path = command.path.hasPrefix("/") ? command.path : "\(settings.base)/\(command.path)"
    return (["sudo -u \(ScriptFilesCheck.ownName)", path] + command.arguments).joined(separator: " ")
  }

  // MARK: Reporting

  /// What `status` warns of.
  var complaints: [String] {
    var all: [String] = []
    if let problem = tableProblem { all.append(problem.text) }
    if startOutage.isActive, type.type == .maintenance { all.append(startText) }
    if let alikeText { all.append(alikeText) }
    for (cause, jobs, example) in unnoticed.lasting.prefix(3) {
      all.append("\(example)\(jobs > 1 ? " and \(jobs - 1) others" : "") ended with 0, but \(cause)")
    }
    return all
  }

  /// Why no job of the type can start; nil = nothing of that. daily.sh that can't be started is a warning: the node polls.
  var fault: String? {
    if startOutage.isActive, startOutage.cause != .resources, type.type != .maintenance { return startText }
    if let problem = tableProblem, problem.isFault { return problem.text }
    return nil
  }

  private var startText: String { "\(type.type.rawValue): no script can be started: \(startOutage.reason)" }
}

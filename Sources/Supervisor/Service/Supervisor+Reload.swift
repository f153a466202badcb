import Core
import Logging

/// Reading the configuration anew: on request, and without one.
extension Supervisor {
  static let unchanged = "nothing changed"

  /// SIGHUP or `reload`; an answer goes to whoever asked.
  func startReload(_ answer: Reload.Answer?) {
    guard stopping == nil else {
      answer?(false, "the service is stopping")
      return
    }
    guard settings != nil else {
      answer?(false, "there is no configuration yet: waiting for \(waitingReason ?? "librenms-configd")")
      return
    }
    guard reload == nil, !loader.isRunning else {
      // What changed after the helper read it would be missed: once more after this one.
      reloadAgain.append(answer ?? { _, _ in })
      // A helper that waits does so with growing pauses; whoever asks again has probably just cured the cause.
      if reload?.isWaiting ?? true { loader.stop(because: "a newer request takes the place of one that was still waiting") }
      return
    }
    log.info("reloading the configuration")
    notifier.reloading()
    reload = Reload(answers: answer.map { [$0] } ?? [], number: epoch)
    startLoader()
  }

  /// To be called about every second, and when a child has seen that a source of the configuration has changed.
  func considerReload() {
    guard stopping == nil, settings != nil, reload == nil, !loader.isRunning else { return }
    guard let reason = automaticReload.due(now: loop.now.sinceBoot) else { return }
    log.debug("the configuration is read again: \(reason)")
    reload = Reload(isAutomatic: true, number: epoch)
    startLoader()
  }

  func acknowledged(_ type: TaskType, _ answer: Child.Acknowledgement) {
    if case .rejected(let reason) = answer { reload?.problems.append("\(type.rawValue) keeps its old configuration: \(reason)") }
    reload?.awaiting.remove(type)
    endReloadIfAnswered()
  }

  func endReloadIfAnswered() {
    // While the helper still reads, another epoch is only news of the lead.
    guard let reload, !loader.isRunning, epoch != reload.number, reload.awaiting.isEmpty else { return }
    endReload()
  }

  func endReload() {
    let problems = reload?.problems ?? []
    finishReload(ok: problems.isEmpty, problems.isEmpty ? "configuration \(epoch) is in force" : problems.joined(separator: "; "))
  }

  /// Says how it went, without ending it: the helper may still bring a configuration.
  func answerReload(ok: Bool, _ text: String) {
    guard let reload else { return }
    self.reload?.answers = []
    for answer in reload.answers { answer(ok, text) }
    if !reload.isAutomatic { notifier.reloaded() }
  }

  func finishReload(ok: Bool, _ text: String) {
    if let reload {
      sayEnd(of: reload, ok: ok, text)
      answerReload(ok: ok, text)
      self.reload = nil
    }
    guard !reloadAgain.isEmpty, stopping == nil else { return }
    let answers = reloadAgain
    reloadAgain = []
    startReload { ok, text in for answer in answers { answer(ok, text) } }
  }

  private func sayEnd(of reload: Reload, ok: Bool, _ text: String) {
    guard reload.isAutomatic else {
      if ok { log.info("reload: \(text)") } else { log.error("reload: \(text)") }
      return
    }
    // The same failure each minute would be a flood. One that only made way for a request is none.
    let isNews = ok ? text != Self.unchanged : text != saidFailure && reloadAgain.isEmpty
    log.log(level: isNews ? ok ? .info : .error : .debug, "reload without a request: \(text)")
    if !ok, isNews { saidFailure = text }
  }
}

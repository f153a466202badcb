import Core

/// The hands of `SlotMachine`: what a slot's state asks for is done here, and nowhere else.
extension JobEngine {
  func send(_ event: SlotMachine.Event, to slot: JobSlot) {
    let before = slot.phase
    for action in slot.machine.handle(event) { perform(action, on: slot, event, before) }
    if let contradiction = slot.contradiction { contradicted(slot, "\(event) in \(before): \(contradiction)") }
  }

  private func perform(_ action: SlotMachine.Action, on slot: JobSlot, _ event: SlotMachine.Event, _ before: SlotMachine.Phase) {
    switch action {
    case .askQueue: askQueue(for: slot)
    case .check(let job): consider(job, slot)
    case .keepLock(let job): coordinator.adopt(job)
    case .findStatus(let process): awaitStatus(slot, process)
    case .stopWatching: slot.watch = nil
    case .freeEntry: table.free(slot.index)
    case .clear: slot.clear()
    case .putBack(let job): coordinator.putBack(job)
    case .finish(let job, let hold): coordinator.finish(job, hold: hold)
    case .release(let job, let hold):
      #if MUTANTS
        if Mutant.active == .slotFreedEarly {
          coordinator.finish(job, hold: hold) {}
          return send(.released, to: slot)
        }
      #endif
      coordinator.finish(job, hold: hold) { [weak self, weak slot] in
        if let self, let slot { send(.released, to: slot) }
      }
    case .announceFree:
      finishDrainIfIdle()
      wake()
    case .violation: contradicted(slot, "\(event) in \(before)")
    }
  }

  /// A defect of the engine. Going on could run a job twice or lose it; a successor finds every job where this process has left it.
  private func contradicted(_ slot: JobSlot, _ text: String) -> Never {
    log.critical("slot \(slot.index) of \(type.type.rawValue) contradicts itself: \(text); this process ends, and its successor adopts")
    fatalError("slot \(slot.index): \(text)")
  }
}

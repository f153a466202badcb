import Core
import Redis

/// This node's part in the master lock: carries out what `LeadMachine` decides, and says who dispatches.
final class LeadKeeper {
  /// The owner of `dispatch.master` when this node leads.
  private(set) var owner: String
  /// The lead came or went.
  var onChange: (() -> Void)?
  /// A claim or a look has read the canary key.
  var onCanary: ((String?) -> Void)?

  private let commands: ClusterClient
  private let reports: ClusterReports
  private let mark: MarkKeeper
  private let name: () -> String
  private let ttl: () -> Duration
  private var machine = LeadMachine()
  /// What was said last: a connection that comes and goes must not say it each time.
  private var saidLead: Bool?
  private var context: ClusterContext { commands.context }

  /// `name`: the owner's name by the settings; `ttl`: the lock's lifetime by the settings.
  init(
    _ commands: ClusterClient, _ reports: ClusterReports, _ mark: MarkKeeper, name: @escaping () -> String, ttl: @escaping () -> Duration
  ) {
    self.commands = commands
    self.reports = reports
    self.mark = mark
    self.name = name
    self.ttl = ttl
    owner = name()
  }

  /// The lock is ours by the answers of the server. Whether the connection still works is the coordinator's to know.
  var holdsLead: Bool { machine.leads(at: context.instant, ttl: ttl()) }

  // MARK: Events

  /// To be called each second while this node works.
  func turn() { perform(machine.turn(at: context.instant)) }

  /// The reconciliation is over.
  func joined() { perform(machine.joined(at: context.instant)) }

  func lost() { machine.lost() }

  func foundEmptyServer() { machine.foundEmptyServer(at: context.instant) }

  /// The lock was not ours any more when something was to be queued.
  func unseated() {
    machine.refused(by: "another node")
    say(leads: false)
  }

  /// An unfit node gives way to fitter ones.
  func change(isFit: Bool) {
    machine.change(isFit: isFit, jitter: .milliseconds(context.loop.random(in: 0...3000)))
  }

  /// The service stops. `canTell`: the server may be told at once.
  func retire(canTell: Bool) {
    machine.retire()
    if canTell, machine.state == .resigning { turn() }
  }

  /// The settings have changed; whether the owner's name has.
  func settingsChanged() -> Bool {
    let old = owner
    owner = name()
    guard owner != old else { return false }
    machine.lost()
    // It is still ours under the old name, or may become so by a question that is on its way.
    if context.link.isUp { commands.abdicate(owner: old) }
    return true
  }

  // MARK: Actions

  private func perform(_ action: LeadMachine.Action?) {
    switch action {
    case .claim(let number): claim(number)
    case .look: look()
    case .abdicate: commands.abdicate(owner: owner)
    case nil: break
    }
  }

  private func claim(_ number: Int) {
    let begun = context.loop.now
    let asked = context.instant
    let led = holdsLead
    commands.claim(owner: owner, ttl: ttl(), markLifetime: mark.lifetime.whole) { [weak self] result in
      guard let self, machine.answered(number) else { return }
      guard case .success(let lead) = result else {
        if case .failure(let error) = result { reports.result(of: .lead, error) }
        return
      }
      reports.result(of: .lead, nil)
      mark.confirmed(since: begun)
      if let other = lead.owner {
        machine.refused(by: other)
      } else if let action = machine.claimed(asked: asked) {
        return perform(action)
      }
      onCanary?(lead.memory)
      guard holdsLead != led else { return }
      say(leads: holdsLead)
      onChange?()
    }
  }

  private func look() {
    commands.lookAtLead { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): reports.result(of: .lead, error)
      case .success(let lead):
        reports.result(of: .lead, nil)
        machine.saw(owner: lead.owner, at: context.instant)
        onCanary?(lead.memory)
      }
    }
  }

  private func say(leads: Bool) {
    guard saidLead != leads else { return }
    saidLead = leads
    reports.say(leads ? "this node dispatches for the cluster" : "another node dispatches for the cluster")
  }
}

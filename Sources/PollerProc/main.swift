import JobKit

ChildProcess.run(PollerType())

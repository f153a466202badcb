import JobKit

ChildProcess.run(PingType())

import JobKit

ChildProcess.run(DiscoveryType())

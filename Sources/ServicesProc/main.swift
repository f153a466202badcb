import JobKit

ChildProcess.run(ServicesType())

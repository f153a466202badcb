import JobKit

ChildProcess.run(AlertingType())

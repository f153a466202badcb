import JobKit

ChildProcess.run(MaintenanceType()) { NodeDuty($0) }

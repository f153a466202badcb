import JobKit

ChildProcess.run(BillingType())

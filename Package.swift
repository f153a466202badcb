// swift-tools-version:6.2
import PackageDescription

// Layers, from the bottom: C targets <- Core <- Database <- JobKit <- the XProcs.
// The supervisor stands on Core and CSystemd alone: nothing it links can hang on a server.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .swiftLanguageMode(.v6)]
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

func childProcess(_ name: String, _ dependencies: [Target.Dependency] = ["JobKit"]) -> Target {
  .executableTarget(name: name, dependencies: ["Core"] + dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "librenms-dispatcher",
  products: [
    .executable(name: "librenms-dispatcher", targets: ["Supervisor"]),
    .executable(name: "librenms-configd", targets: ["ConfigProc"]),
    .executable(name: "librenms-pollerd", targets: ["PollerProc"]),
    .executable(name: "librenms-discoveryd", targets: ["DiscoveryProc"]),
    .executable(name: "librenms-pingd", targets: ["PingProc"]),
    .executable(name: "librenms-servicesd", targets: ["ServicesProc"]),
    .executable(name: "librenms-alertingd", targets: ["AlertingProc"]),
    .executable(name: "librenms-billingd", targets: ["BillingProc"]),
    .executable(name: "librenms-maintenanced", targets: ["MaintenanceProc"]),
    .executable(name: "dispatcher-bench", targets: ["Bench"]),
    // For tests: preloaded, since the wall clock of a machine is not a test's to set.
    .library(name: "ClockStep", type: .dynamic, targets: ["ClockStep"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    .target(name: "CLinuxShims", cSettings: strictC),
    .target(name: "CSystemd", cSettings: strictC, linkerSettings: [.linkedLibrary("systemd")]),
    .target(name: "CMariaDB", cSettings: strictC, linkerSettings: [.linkedLibrary("mariadb")]),
    .target(name: "CHiredis", cSettings: strictC, linkerSettings: [.linkedLibrary("hiredis")]),

    .target(name: "Core", dependencies: ["CLinuxShims", "CSystemd", logging], path: "Sources/Shared/Core", swiftSettings: strict),
    .target(
      name: "Database", dependencies: ["Core", "CMariaDB", logging], path: "Sources/Shared/Database", swiftSettings: strict),
    .target(
      name: "Redis", dependencies: ["Core", "CHiredis", "CLinuxShims", logging], path: "Sources/Shared/Redis", swiftSettings: strict),
    .target(
      name: "JobKit", dependencies: ["Core", "Database", "Redis", "CLinuxShims", logging], path: "Sources/Shared/JobKit",
      swiftSettings: strict),

    childProcess("Supervisor", ["CSystemd", "CLinuxShims", arguments, logging]),
    childProcess("ConfigProc", ["Database", "Redis", "CLinuxShims", arguments, logging]),
    childProcess("PollerProc"),
    childProcess("DiscoveryProc"),
    childProcess("PingProc"),
    childProcess("ServicesProc"),
    childProcess("AlertingProc"),
    childProcess("BillingProc"),
    childProcess("MaintenanceProc"),

    // A world without a kernel, a network or a clock that runs by itself.
    .target(
      name: "Simulation", dependencies: ["Core", "JobKit", "Database", "Redis", "CLinuxShims", logging], path: "Tests/Simulation",
      swiftSettings: strict),
    tests("CoreTests", ["Core", "CLinuxShims", "Simulation"]),
    tests(
      "JobKitTests",
      [
        "JobKit", "Simulation", "Core", "Database", "Redis", "CLinuxShims", "SpawnProbe", "Fixture", "RedisFixture", "MariaDBFixture",
        logging,
      ]),
    .testTarget(
      name: "TypeTests",
      dependencies: [
        "PollerProc", "DiscoveryProc", "ServicesProc", "PingProc", "AlertingProc", "BillingProc", "MaintenanceProc", "JobKit", "Core",
        "Database",
        "Fixture",
      ], swiftSettings: strict),
    // Stops between spawn and job table, for the test that kills at that very point, or ends in the way it is told.
    .executableTarget(name: "SpawnProbe", dependencies: ["Core", "CLinuxShims", logging], path: "Tests/SpawnProbe", swiftSettings: strict),
    tests("SupervisorTests", ["Supervisor", "Simulation", "SupervisorStandIn", "Core", "Fixture", logging]),
    // Children and a configuration helper that behave as badly as a test wants.
    .executableTarget(
      name: "SupervisorStandIn", dependencies: ["Core", "CLinuxShims"], path: "Tests/SupervisorStandIn", swiftSettings: strict),
    .target(name: "MariaDBFixture", dependencies: ["Core", "Fixture"], path: "Tests/MariaDBFixture", swiftSettings: strict),
    tests("DatabaseTests", ["Database", "Core", "MariaDBFixture"]),
    .target(name: "RedisFixture", dependencies: ["Core", "Fixture"], path: "Tests/RedisFixture", swiftSettings: strict),
    tests("RedisTests", ["Redis", "Core", "CLinuxShims", "RedisFixture", "Fixture", logging]),
    .testTarget(
      name: "ConfigProcTests", dependencies: ["ConfigProc", "Core", "CLinuxShims", "Database", "MariaDBFixture", "RedisFixture"],
      exclude: ["Fixtures"],
      swiftSettings: strict),
    tests("MaintenanceTests", ["MaintenanceProc", "JobKit", "Simulation", "Database", "Core", "Fixture", logging]),
    tests("LayerTests", ["Fixture"]),
    // Whole clusters in virtual time.
    tests(
      "SimulationTests",
      [
        "Simulation", "Supervisor", "PollerProc", "DiscoveryProc", "ServicesProc", "PingProc", "AlertingProc", "BillingProc",
        "MaintenanceProc", "JobKit", "Database", "Redis", "Core", logging,
      ]),
    // The same questions to the simulated servers and to real ones.
    tests("ConformanceTests", ["Simulation", "JobKit", "Database", "Redis", "Core", "Fixture", "RedisFixture", logging]),
    tests("IntegrationTests", ["Fixture", "HangingMount", "RedisFixture", "Core", "CLinuxShims", "JobKit", "MaintenanceProc"]),
    tests("FixtureTests", ["Fixture"]),
    // What `make install` puts where, and the units under a real systemd.
    tests("InstallTests", ["Fixture"]),
    tests("ClusterTests", ["Fixture", "RedisFixture", "JobKit", "Redis", "Core", logging]),

    // Real servers and sample directories for tests and measurements; no part of the product.
    .target(name: "ClockStep", path: "Tests/ClockStep", cSettings: strictC),
    // A file server that has stopped.
    .executableTarget(name: "HangingMount", path: "Tests/HangingMount", cSettings: strictC),
    .target(name: "CFixture", path: "Tests/CFixture", cSettings: strictC),
    .target(name: "Fixture", dependencies: ["CFixture", logging], path: "Tests/Fixture", swiftSettings: strict),
    .executableTarget(name: "Bench", dependencies: ["Fixture", "RedisFixture"], path: "Tests/bench", swiftSettings: strict),
  ]
)

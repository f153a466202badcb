import Glibc

exit(DispatcherCommand.execute(Array(CommandLine.arguments.dropFirst())))

enum JobKitPlaceholder {}

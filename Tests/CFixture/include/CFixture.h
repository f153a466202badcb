#ifndef CFIXTURE_H
#define CFIXTURE_H

#include <stdint.h>

/// Starts argv[0] (looked up in PATH) in a session of its own, with default signal dispositions, an empty mask and no descriptor beyond 2.
/// `input`, `output` and `errors` are descriptors of the caller; `directory` may be NULL.
/// Returns the process id, or the negated errno.
int32_t fixture_spawn(const char *const *argv, const char *const *envp, const char *directory, int input, int output, int errors);

#endif

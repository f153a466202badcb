#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static const int faults[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
enum { FAULTS = sizeof faults / sizeof *faults };

static const uint64_t *unwritten;

// Async-signal-safe: another thread does the writing; if this is that thread, or it hangs, the limit ends the wait.
static void wait_for_the_log(int signal) {
  enum { LIMIT_MS = 500 };
  const struct timespec millisecond = {.tv_nsec = 1000000};
  for (int i = 0; i < LIMIT_MS && shim_atomic_load(unwritten) != 0; i++) nanosleep(&millisecond, NULL);
  // Blocked until this function returns, and then at its default.
  raise(signal);
}

void shim_write_log_at_crash(const uint64_t *bytes) {
  unwritten = bytes;
  for (int i = 0; i < FAULTS; i++) {
    struct sigaction old;
    // Who looks for faults with a handler of its own (SWIFT_BACKTRACE) keeps it.
    if (sigaction(faults[i], NULL, &old) < 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action = {.sa_handler = wait_for_the_log, .sa_flags = (int)SA_RESETHAND};
    sigaction(faults[i], &action, NULL);
  }
}

void shim_unblock_faults(void *set) {
  for (int i = 0; i < FAULTS; i++) sigdelset((sigset_t *)set, faults[i]);
}

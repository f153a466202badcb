// libsystemd behind own prototypes: its headers need macros and types that Swift can't import.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Sends one entry to the journal: `count` fields "NAME=value" with their lengths. 0, or a negative errno value.
int systemd_journal_send(const char *const *fields, const size_t *lengths, size_t count);

/// The interval in microseconds within which the service manager wants to hear WATCHDOG=1; 0 = it does not watch this process.
uint64_t systemd_watchdog_interval(void);

// libsystemd behind own prototypes: its headers need macros and types that Swift can't import.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Sends one entry to the journal: `count` fields "NAME=value" with their lengths. 0, or a negative errno value.
int systemd_journal_send(const char *const *fields, const size_t *lengths, size_t count);

/// Sends "KEY=value" lines to the service manager. > 0 = sent, 0 = there is none, < 0 = a negative errno value.
/// It can wait for a service manager that does not read (the kernel keeps some hundred messages for it), so it is to be called seldom.
int systemd_notify(const char *state);

/// The interval in microseconds within which the service manager wants to hear WATCHDOG=1; 0 = it does not watch this process.
uint64_t systemd_watchdog_interval(void);

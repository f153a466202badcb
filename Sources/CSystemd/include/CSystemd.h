// libsystemd behind own prototypes: its headers need macros and types that Swift can't import.
#pragma once
#include <stddef.h>

/// Sends one entry to the journal: `count` fields "NAME=value" with their lengths. 0, or a negative errno value.
int systemd_journal_send(const char *const *fields, const size_t *lengths, size_t count);

/// Sends "KEY=value" lines to the service manager. > 0 = sent, 0 = there is none, < 0 = a negative errno value.
int systemd_notify(const char *state);

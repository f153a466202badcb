#include "CSystemd.h"

#include <errno.h>
#include <stdint.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
// No source location: it would be this file's for every entry.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

enum { FIELDS = 32 };

int systemd_journal_send(const char *const *fields, const size_t *lengths, size_t count) {
  struct iovec vectors[FIELDS];
  if (count > FIELDS) return -E2BIG;
  for (size_t i = 0; i < count; i++) vectors[i] = (struct iovec){(void *)(uintptr_t)fields[i], lengths[i]};
  return sd_journal_sendv(vectors, (int)count);
}

uint64_t systemd_watchdog_interval(void) {
  uint64_t interval = 0;
  return sd_watchdog_enabled(0, &interval) > 0 ? interval : 0;
}

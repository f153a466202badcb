#define _GNU_SOURCE
#include "CLinuxShims.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The reasons are in docs/process-start.md.

enum { FILES = 65536 };

static struct {
  int known;
  mode_t mask;
  struct rlimit limits[RLIM_NLIMITS];
  unsigned char changed[RLIM_NLIMITS];
} inherited;

void shim_restore_inherited(void) {
  if (!inherited.known) return;
  umask(inherited.mask);
  for (int i = 0; i < RLIM_NLIMITS; i++)
    if (inherited.changed[i]) setrlimit((__rlimit_resource_t)i, &inherited.limits[i]);
}

int shim_inherited_limit(int32_t resource, uint64_t *soft, uint64_t *hard) {
  struct rlimit limit;
  if (inherited.known && resource >= 0 && resource < RLIM_NLIMITS) {
    limit = inherited.limits[resource];
  } else if (getrlimit((__rlimit_resource_t)resource, &limit) < 0) {
    return -errno;
  }
  *soft = limit.rlim_cur;
  *hard = limit.rlim_max;
  return 0;
}

static void raise_limits(void) {
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    struct rlimit *limit = &inherited.limits[i];
    if (getrlimit((__rlimit_resource_t)i, limit) < 0) continue;
    struct rlimit wanted = *limit;
    // Core dumps are off by another way; the others matter as little as their values do harm.
    if (i == RLIMIT_CORE) continue;
    wanted.rlim_cur = i == RLIMIT_NOFILE && limit->rlim_max > FILES ? FILES : limit->rlim_max;
    if (wanted.rlim_cur <= limit->rlim_cur) continue;
    inherited.changed[i] = setrlimit((__rlimit_resource_t)i, &wanted) == 0;
  }
}

static void dispose(int signal, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigaction(signal, &action, NULL);
}

static int is_stop(int signal) { return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT; }

// nohup, and a shell's `command &`: somebody wants a command to outlive the terminal or its keys.
static int is_terminals(int signal) { return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT; }

static void reset_signals(void) {
  for (int signal = 1; signal < NSIG; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    struct sigaction old;
    if (sigaction(signal, NULL, &old) < 0) continue;
    // No handler survives exec: one that is there was installed by our own runtime (SWIFT_BACKTRACE, a sanitizer).
    if (old.sa_handler != SIG_IGN && old.sa_handler != SIG_DFL) continue;
    if (is_terminals(signal) && old.sa_handler == SIG_IGN) continue;
    // To ignore a signal drops one that is pending: a starter's timer or child is nothing to us. A request to end stays one.
    if (!is_stop(signal)) dispose(signal, SIG_IGN);
    dispose(signal, SIG_DFL);
  }
  // What a write does that can't succeed is its error, not a signal.
  dispose(SIGPIPE, SIG_IGN);
  dispose(SIGXFSZ, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void shim_become_service(void) {
  dispose(SIGHUP, SIG_DFL);
  dispose(SIGINT, SIG_DFL);
  dispose(SIGQUIT, SIG_DFL);
  // In the background of a terminal that stops its writers (stty tostop) the log would stop the service.
  dispose(SIGTTOU, SIG_IGN);
  dispose(SIGTTIN, SIG_IGN);
  struct itimerval never;
  memset(&never, 0, sizeof never);
  setitimer(ITIMER_REAL, &never, NULL);
  setitimer(ITIMER_VIRTUAL, &never, NULL);
  setitimer(ITIMER_PROF, &never, NULL);
}

static int fill_standard_descriptors(void) {
  for (int fd = 0; fd < 3; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Without /dev/null anything that takes the place and can't be written will do.
    int opened = open("/dev/null", O_RDWR);
    if (opened < 0) opened = open("/", O_RDONLY | O_DIRECTORY);
    if (opened != fd) return opened < 0 ? -errno : -EBADF;
  }
  return 0;
}

static void keep_descriptors_to_ourselves(void) {
  enum { CLOEXEC = 1 << 2 };
  if (syscall(SYS_close_range, 3, ~0U, CLOEXEC) == 0) return;
  struct rlimit limit;
  rlim_t top = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? limit.rlim_cur : 4096;
  for (int fd = 3; fd < (int)top; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int shim_start_process(void) {
  inherited.mask = umask(077);
  // Others' rights stay as the starter wants them; its own files must be usable by this process.
  umask(inherited.mask & 077);
  raise_limits();
  inherited.known = 1;
  reset_signals();
  int status = fill_standard_descriptors();
  if (status < 0) return status;
  keep_descriptors_to_ourselves();
  // A directory that was removed, or is outside of a new root, has no path.
  char *current = getcwd(NULL, 0);
  int lost = current == NULL || current[0] != '/';
  free(current);
  return lost && chdir("/") < 0 ? -errno : 0;
}

#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(SHIM_READABLE == EPOLLIN && SHIM_WRITABLE == EPOLLOUT && SHIM_ERROR == EPOLLERR && SHIM_HANGUP == EPOLLHUP, "epoll bits");

static int result(int value) { return value < 0 ? -errno : value; }

int shim_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  return result(epoll_ctl(epoll, operation, fd, &event));
}

int shim_epoll_add(int epoll, int fd, uint32_t events) { return control(epoll, EPOLL_CTL_ADD, fd, events); }
int shim_epoll_modify(int epoll, int fd, uint32_t events) { return control(epoll, EPOLL_CTL_MOD, fd, events); }
int shim_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0); }

int shim_epoll_wait(int epoll, struct shim_event *out, int capacity, int64_t timeout_ns) {
  struct epoll_event events[64];
  if (capacity > 64) capacity = 64;
  // Rounded up: waking a moment early would mean a second turn for the same timer.
  int64_t milliseconds = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
  if (milliseconds > 3600000) milliseconds = 3600000;
  int count = epoll_wait(epoll, events, capacity, (int)milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) out[i] = (struct shim_event){events[i].events, events[i].data.fd};
  return count;
}

int shim_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int shim_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error) return -error;
  return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int shim_signalfd_read(int fd) {
  struct signalfd_siginfo info;
  return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

void shim_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t shim_boottime_ns(void) { return clock_ns(CLOCK_BOOTTIME); }
int64_t shim_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

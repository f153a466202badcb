/* A wall clock that a test sets while programs run, preloaded into those of the product.

   CLOCK_STEP_FILE names a file of eight bytes: what is added to CLOCK_REALTIME, in nanoseconds. Only the wall clock moves, as on a machine
   whose clock is set: what waits until a wall clock time waits until the moved clock shows it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000000000;
static const volatile int64_t *offset;

__attribute__((constructor)) static void prepare(void) {
  const char *path = getenv("CLOCK_STEP_FILE");
  /* Scripts keep the machine's clock: the journal of a test is written by them. */
  if (path == NULL || strncmp(program_invocation_short_name, "librenms-", 9) != 0) return;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) offset = page;
}

static int64_t shift(void) { return offset == NULL ? 0 : *offset; }

static int64_t real_now(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * second + now.tv_nsec;
}

static struct timespec split(int64_t nanoseconds) {
  int64_t rest = nanoseconds % second;
  if (rest < 0) rest += second;
  return (struct timespec){.tv_sec = (nanoseconds - rest) / second, .tv_nsec = rest};
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  const int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *time = split(time->tv_sec * second + time->tv_nsec + shift());
  return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  const struct timespec now = split(real_now() + shift());
  *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *out) {
  const time_t now = split(real_now() + shift()).tv_sec;
  if (out != NULL) *out = now;
  return now;
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
  /* glibc keeps the condition's clock in this bit. */
  if ((condition->__data.__wrefs & 2) != 0) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
  const int64_t end = until->tv_sec * second + until->tv_nsec;
  while (real_now() + shift() < end) {
    const struct timespec slice = split(real_now() + second / 50);
    const int result = pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &slice);
    if (result != ETIMEDOUT) return result;
  }
  return ETIMEDOUT;
}

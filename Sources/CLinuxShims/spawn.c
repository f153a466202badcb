#define _GNU_SOURCE
#include "CLinuxShims.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void (*spawn_hook)(int point);

void shim_set_spawn_hook(void (*hook)(int point)) { spawn_hook = hook; }

enum { STACK = 64 * 1024 };

struct context {
  const struct shim_spawn *request;
  // The group is still to be entered.
  int enters;
  volatile int error;
  volatile int aborted;
};

// Parses /proc/PID/stat without allocating: also runs between vfork and exec.
static uint64_t parse_stat(const char *path, int32_t *parent, int32_t *group, int32_t *session, char *state) {
  char text[1024];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return 0;
  text[length] = 0;
  // The command in field 2 may hold spaces and brackets: fields are counted from the last bracket.
  char *cursor = strrchr(text, ')');
  if (!cursor || !cursor[1]) return 0;
  cursor += 2;
  if (state) *state = *cursor;
  uint64_t value = 0;
  for (int field = 3; field <= 22; field++) {
    if (field >= 4) {
      int negative = *cursor == '-';
      if (negative) cursor++;
      value = 0;
      while (*cursor >= '0' && *cursor <= '9') value = value * 10 + (uint64_t)(*cursor++ - '0');
      if (field == 4 && parent) *parent = (int32_t)value;
      if (field == 5 && group) *group = (int32_t)value;
      if (field == 6 && session) *session = (int32_t)value;
    } else {
      cursor++;
    }
    if (field < 22 && *cursor++ != ' ') return 0;
  }
  return value;
}

uint64_t shim_process_stat(int pid, int32_t *parent, int32_t *group, int32_t *session, char *state) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  return parse_stat(path, parent, group, session, state);
}

static void close_rest(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  // Before Linux 5.9 there is no close_range; everything of ours is close-on-exec, so only strangers' descriptors are left.
  struct rlimit limit;
  rlim_t top = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? limit.rlim_cur : 4096;
  for (int fd = first; fd < (int)top; fd++) close(fd);
}

static int fail(struct context *context) {
  context->error = errno ? errno : EINVAL;
  return 127;
}

static void enter(const struct shim_spawn *request) {
  int fd = openat(request->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  if ((fd < 0 || write(fd, "0", 1) < 0) && request->cgroup_error) *request->cgroup_error = errno;
  if (fd >= 0) close(fd);
}

// Runs in the new process on its own stack, in the parent's memory: async-signal-safe calls only.
static int new_process(void *argument) {
  struct context *context = argument;
  const struct shim_spawn *request = context->request;

  // All zero is SIG_DFL whatever the kernel's layout; glibc's own call would leave out the two signals that it keeps for itself.
  static const uint64_t standard[8];
  for (int signal = 1; signal < 65; signal++)
    if (signal != SIGKILL && signal != SIGSTOP) syscall(SYS_rt_sigaction, signal, standard, NULL, sizeof(uint64_t));

  if (request->session && setsid() < 0) return fail(context);
  if (context->enters) enter(request);

  // The sources may sit on each other's targets: lift them over the targets first.
  int sources[4] = {request->input, request->output, request->error, request->channel};
  int count = request->channel >= 0 ? 4 : 3;
  for (int i = 0; i < count; i++)
    if ((sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 10)) < 0) return fail(context);
  for (int i = 0; i < count; i++)
    if (dup2(sources[i], i) < 0) return fail(context);
  close_rest(count);

  if (request->directory && chdir(request->directory) < 0) return fail(context);
  if (request->nice) {
    // A user without the right to go below 0 keeps the niceness that it has: the script is worth more than its priority. Whoever reads the
    // configuration has said so.
    (void)!nice(request->nice);
  }
  shim_restore_inherited();

  if (request->word) {
    if (spawn_hook) spawn_hook(1);
    // State and pid change in one swap, so a slot that was taken away and given to another job can't be damaged by a late process.
    uint64_t expected = request->expected;
    uint64_t desired = request->desired | (uint32_t)getpid();
    if (!atomic_compare_exchange_strong((_Atomic uint64_t *)request->word, &expected, desired)) {
      context->aborted = 1;
      return 126;
    }
    if (spawn_hook) spawn_hook(2);
    atomic_store((_Atomic uint64_t *)request->start_time, parse_stat("/proc/self/stat", NULL, NULL, NULL, NULL));
  }

  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(request->path, request->argv, request->envp);
  return fail(context);
}

enum { FLAGS = CLONE_VM | CLONE_VFORK | CLONE_PIDFD };

#if defined(__x86_64__)
// The kernel's struct clone_args of Linux 5.7.
struct clone_request {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

// Starts the new process in its group. To enter it later, by a write, takes a grace period of the kernel: 12 ms instead of one [measured on 6.18],
// in which this thread stands still. glibc has no function for it; the new process is on another stack, so nothing of C is between.
static int clone_into(struct clone_request *request, int (*body)(void *), void *argument) {
  long result;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "movq %[argument], %%rdi\n\t"
      "callq *%[body]\n\t"
      "movl %%eax, %%edi\n\t"
      "movl %[exit], %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"((long)SYS_clone3), "D"(request), "S"(sizeof *request), [body] "r"(body), [argument] "r"(argument), [exit] "i"(SYS_exit)
      : "rcx", "r11", "cc", "memory");
  if (result >= 0) return (int)result;
  errno = (int)-result;
  return -1;
}

static int start_in_group(struct context *context, char *stack, int *descriptor) {
  struct clone_request request = {
      .flags = FLAGS | CLONE_INTO_CGROUP,
      .pidfd = (uintptr_t)descriptor,
      .exit_signal = SIGCHLD,
      .stack = (uintptr_t)stack,
      .stack_size = STACK,
      .cgroup = (uint64_t)context->request->cgroup,
  };
  return clone_into(&request, new_process, context);
}
#else
static int start_in_group(struct context *context, char *stack, int *descriptor) {
  (void)context, (void)stack, (void)descriptor;
  errno = ENOSYS;
  return -1;
}
#endif

// In its group from the start, or where that can't be had (an older kernel, a filter of system calls), by its own first act.
static int start_process(struct context *context, char *stack, int *descriptor) {
  if (context->request->cgroup >= 0) {
    int child = start_in_group(context, stack, descriptor);
    // The group, or the machine, is full: that is no fault of the way.
    if (child >= 0 || errno == EAGAIN || errno == ENOMEM) return child;
    context->enters = 1;
  }
  return clone(new_process, stack + STACK, FLAGS | SIGCHLD, context, descriptor);
}

int shim_start(const struct shim_spawn *request, int32_t *pid, int32_t *pidfd) {
  // Kept for the next start by the same thread: this one is suspended until the new process has left the stack.
  static __thread char *stack;
  if (!stack) {
    char *mapped = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapped == MAP_FAILED) return -errno;
    stack = mapped;
  }
  // No handler of ours may run in the new process while it shares our memory.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  struct context context = {.request = request};
  int descriptor = -1;
  int child = start_process(&context, stack, &descriptor);
  int error = child < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (child < 0) return -error;
  if (context.error || context.aborted) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    close(descriptor);
    return context.aborted ? SHIM_SPAWN_ABORTED : -context.error;
  }
  // The kernel sets close-on-exec on a descriptor from CLONE_PIDFD.
  *pid = child;
  *pidfd = descriptor;
  return 0;
}

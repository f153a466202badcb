// What Swift's Glibc module lacks or can't express. Own prototypes and plain types only: the system headers stay in the .c files,
// so nothing here can clash with the Glibc module. Every function returns a negative errno value on failure unless said otherwise.
#pragma once
#include <stddef.h>
#include <stdint.h>

// ---- The start of a process (start.c)

/// Sets up what survives exec, so that nothing rests on what the starter left: signals, umask, limits, descriptors 0 to 2, the working
/// directory. To be called once, before anything else.
int shim_start_process(void);
/// The rest of it for a process that stays: no timer ends it, no terminal stops it, and nohup does not keep SIGHUP from it.
void shim_become_service(void);
/// Gives umask and limits back, for an exec in this process. What shim_start starts gets them back by itself.
void shim_restore_inherited(void);
/// A limit as this process was started with.
int shim_inherited_limit(int32_t resource, uint64_t *soft, uint64_t *hard);

/// A fault of this process (a trap, abort, a wild access) ends it only when the word is 0, or half a second later: the log's thread counts
/// there the bytes that it has yet to write.
void shim_write_log_at_crash(const uint64_t *bytes);

// ---- Waiting (wait.c)

enum { SHIM_READABLE = 0x001, SHIM_WRITABLE = 0x004, SHIM_ERROR = 0x008, SHIM_HANGUP = 0x010 };

struct shim_event {
  uint32_t events;
  int32_t fd;
};

int shim_epoll_create(void);
int shim_epoll_add(int epoll, int fd, uint32_t events);
int shim_epoll_modify(int epoll, int fd, uint32_t events);
int shim_epoll_remove(int epoll, int fd);
/// Waits up to `timeout_ns` nanoseconds (negative: for ever). Returns the number of events; 0 also after a signal.
int shim_epoll_wait(int epoll, struct shim_event *events, int capacity, int64_t timeout_ns);

/// A non-blocking event counter.
int shim_eventfd(void);
/// Blocks these signals in the calling thread and returns a non-blocking signalfd for them.
int shim_signalfd(const int *signals, int count);
/// The next pending signal's number, or 0.
int shim_signalfd_read(int fd);
/// Ignores SIGPIPE in this process, so that a vanished reader is an error of write(2).
void shim_ignore_sigpipe(void);
/// Nanoseconds of CLOCK_BOOTTIME.
int64_t shim_boottime_ns(void);
/// Nanoseconds of CLOCK_REALTIME.
int64_t shim_realtime_ns(void);

// ---- Processes (process.c)

struct shim_exit {
  int32_t pid;
  /// 1 = exited (value is the code), 2 = killed by a signal (value is its number).
  int32_t kind;
  int32_t value;
};

int shim_pidfd_open(int pid);
int shim_pidfd_kill(int pidfd, int signal);
/// Looks at a child that ended without reaping it: 1 and `out` filled, 0 = still running.
int shim_look_pidfd(int pidfd, struct shim_exit *out);
/// Reaps the child behind `pidfd`: 1 and `out` filled, 0 = still running.
int shim_reap_pidfd(int pidfd, struct shim_exit *out);
/// Looks at any child that ended without reaping it: 1, 0 = none ended, -ECHILD = no children.
int shim_look_any(struct shim_exit *out);
int shim_reap_pid(int pid, struct shim_exit *out);
/// Looks at any child that is stopped (SIGSTOP): its pid, or 0.
int shim_look_stopped(void);

int shim_set_subreaper(void);
/// No core dumps and no ptrace by the same user: this process holds passwords.
int shim_set_undumpable(void);
void shim_set_thread_name(const char *name);
/// A detached thread with all signals blocked but those of its own faults.
int shim_thread_start(void (*body)(void *), void *context, size_t stack, const char *name);

/// Takes an exclusive lock that belongs to the process and ends with it (POSIX record lock). -EAGAIN: someone holds it.
int shim_lock(int fd);
/// Who holds the lock, as the kernel knows it: a pid, or 0.
int shim_lock_holder(int fd);
/// The peer of a Unix socket.
int shim_peer(int fd, uint32_t *uid, int32_t *pid);
/// An extended attribute of a file: its length, or -errno.
int64_t shim_attribute(const char *path, const char *name, void *out, size_t capacity);
/// A pair of connected stream sockets, close-on-exec, non-blocking.
int shim_socketpair(int fds[2]);

// ---- Starting programs (spawn.c)

struct shim_spawn {
  const char *path;
  char *const *argv;
  char *const *envp;
  /// Working directory; NULL = unchanged.
  const char *directory;
  /// Become descriptors 0, 1 and 2.
  int32_t input, output, error;
  /// Becomes descriptor 3; -1 = none. Everything else is closed.
  int32_t channel;
  int32_t nice;
  /// Non-zero: own session, and so own process group.
  int32_t session;
  /// The directory of the control group (version 2) to start in; -1 = none. A group that can't be entered does not keep the program from starting.
  int32_t cgroup;
  /// Gets the errno of a group that could not be entered, else 0; may be NULL.
  int32_t *cgroup_error;
  /// The slot's word in the job table: swapped from `expected` to `desired | own pid` by the new process itself; it exits without
  /// exec if the swap fails. NULL = no slot.
  uint64_t *word;
  uint64_t expected;
  uint64_t desired;
  /// Where the new process writes its start time (field 22 of /proc/self/stat) once the word is its own.
  uint64_t *start_time;
};

enum { SHIM_SPAWN_ABORTED = 1 };

/// Starts a program with vfork semantics: returns after exec, or after the failure of it. The new process has no blocked
/// signals, default dispositions, and the umask and limits that this process was started with. 0 and `pid`, `pidfd` filled; SHIM_SPAWN_ABORTED = the slot was taken away; -errno of the step
/// that failed (nothing is left to reap).
int shim_start(const struct shim_spawn *request, int32_t *pid, int32_t *pidfd);

/// For tests that kill at the very point: called in the new process before (1) and after (2) the swap of the word. None in production.
void shim_set_spawn_hook(void (*hook)(int point));

/// Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), 0 = no such process.
/// Fills parent, process group, session and the state letter if the pointers are not NULL.
uint64_t shim_process_stat(int pid, int32_t *parent, int32_t *group, int32_t *session, char *state);

// ---- Shared memory (memory.c)

uint64_t shim_atomic_load(const uint64_t *word);
void shim_atomic_store(uint64_t *word, uint64_t value);
/// Non-zero if the word was `expected` and is `desired` now.
int shim_atomic_swap(uint64_t *word, uint64_t expected, uint64_t desired);
/// Maps a file shared, read-write or (write = 0) read-only; NULL on failure.
void *shim_map(int fd, size_t length, int write);
/// The same without a file, for a table that can't be kept.
void *shim_map_anonymous(size_t length);
void shim_unmap(void *address, size_t length);
/// Allocates every block, so that a later store can't meet a full file system.
int shim_allocate(int fd, size_t length);

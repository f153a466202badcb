#define _GNU_SOURCE
#include "CLinuxShims.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int shim_pidfd_open(int pid) { return result((int)syscall(SYS_pidfd_open, pid, 0)); }
int shim_pidfd_kill(int pidfd, int signal) { return result((int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0)); }

static int wait_for(idtype_t type, id_t id, int options, struct shim_exit *out) {
  siginfo_t info = {0};
  int status;
  do status = waitid(type, id, &info, options);
  while (status < 0 && errno == EINTR);
  if (status < 0) return -errno;
  if (info.si_pid == 0) return 0;
  out->pid = info.si_pid;
  out->kind = info.si_code == CLD_EXITED ? 1 : 2;
  out->value = info.si_status;
  return 1;
}

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int shim_look_pidfd(int pidfd, struct shim_exit *out) { return wait_for((idtype_t)P_PIDFD, (id_t)pidfd, WEXITED | WNOHANG | WNOWAIT, out); }
int shim_reap_pidfd(int pidfd, struct shim_exit *out) { return wait_for((idtype_t)P_PIDFD, (id_t)pidfd, WEXITED | WNOHANG, out); }
int shim_look_any(struct shim_exit *out) { return wait_for(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT, out); }
int shim_reap_pid(int pid, struct shim_exit *out) { return wait_for(P_PID, (id_t)pid, WEXITED | WNOHANG, out); }

int shim_look_stopped(void) {
  struct shim_exit out;
  return wait_for(P_ALL, 0, WSTOPPED | WNOHANG, &out) == 1 ? out.pid : 0;
}

int shim_set_subreaper(void) { return result(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); }
int shim_set_undumpable(void) { return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }
void shim_set_thread_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

struct thread_start {
  void (*body)(void *);
  void *context;
  const char *name;
};

static void *thread_main(void *argument) {
  struct thread_start start = *(struct thread_start *)argument;
  free(argument);
  shim_set_thread_name(start.name);
  start.body(start.context);
  return NULL;
}

int shim_thread_start(void (*body)(void *), void *context, size_t stack, const char *name) {
  struct thread_start *start = malloc(sizeof *start);
  if (!start) return -ENOMEM;
  *start = (struct thread_start){body, context, name};
  sigset_t all, old;
  sigfillset(&all);
  shim_unblock_faults(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, thread_main, start);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (error) free(start);
  return -error;
}

int shim_lock(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int status = result(fcntl(fd, F_SETLK, &lock));
  return status == -EACCES ? -EAGAIN : status;
}

int shim_lock_holder(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(fd, F_GETLK, &lock) < 0) return -errno;
  return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int shim_peer(int fd, uint32_t *uid, int32_t *pid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
  *uid = peer.uid;
  *pid = peer.pid;
  return 0;
}

int64_t shim_attribute(const char *path, const char *name, void *out, size_t capacity) {
  ssize_t length = getxattr(path, name, out, capacity);
  return length < 0 ? -errno : length;
}

int shim_socketpair(int fds[2]) { return result(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds)); }

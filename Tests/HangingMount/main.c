// A file server that has stopped: mounts a file system over a directory and answers nothing that is asked of it. For tests, as root.
//
// It speaks FUSE (linux/fuse.h) as far as the kernel needs before it passes questions on: one answer, to the first message. Whoever then looks
// up a name below the directory waits, and a fatal signal is all that ends the wait. SIGTERM takes the file system away: all waits end with an
// error, and the directory is there again as it was.
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static char request[1 << 20];

static const char *directory;

// The program umount would look the directory up.
static void stop(int signal) {
  (void)signal;
  _exit(umount2(directory, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : 1);
}

static int fail(const char *what) {
  perror(what);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: HangingMount DIRECTORY\n");
    return 2;
  }
  int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) return fail("/dev/fuse");
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (mount("hang", arguments[1], "fuse.hang", MS_NOSUID | MS_NODEV, options) != 0) return fail("mount");

  if (read(fuse, request, sizeof request) < (ssize_t)sizeof(struct fuse_in_header)) return fail("read");
  const struct fuse_in_header *asked = (const struct fuse_in_header *)request;
  if (asked->opcode != FUSE_INIT) return fail("not FUSE_INIT");
  struct {
    struct fuse_out_header header;
    struct fuse_init_out body;
  } answer;
  memset(&answer, 0, sizeof answer);
  answer.header.len = sizeof answer;
  answer.header.unique = asked->unique;
  answer.body.major = FUSE_KERNEL_VERSION;
  answer.body.minor = 31;
  answer.body.max_write = 65536;
  if (write(fuse, &answer, sizeof answer) != (ssize_t)sizeof answer) return fail("write");
  printf("hangs\n");
  fflush(stdout);
  directory = arguments[1];
  signal(SIGTERM, stop);
  // Nothing more is read: a question that was taken can't be given up by whoever asked, not even by a fatal signal, and no file server is that
  // bad (NFS waits can be killed since Linux 2.6.25).
  for (;;) pause();
}

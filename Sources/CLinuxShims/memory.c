#define _GNU_SOURCE
#include "CLinuxShims.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

uint64_t shim_atomic_load(const uint64_t *word) { return atomic_load((const _Atomic uint64_t *)word); }
void shim_atomic_store(uint64_t *word, uint64_t value) { atomic_store((_Atomic uint64_t *)word, value); }

int shim_atomic_swap(uint64_t *word, uint64_t expected, uint64_t desired) {
  return atomic_compare_exchange_strong((_Atomic uint64_t *)word, &expected, desired);
}

static void *checked(void *address) { return address == MAP_FAILED ? NULL : address; }

void *shim_map(int fd, size_t length, int write) {
  return checked(mmap(NULL, length, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0));
}

void *shim_map_anonymous(size_t length) { return checked(mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)); }
void shim_unmap(void *address, size_t length) { munmap(address, length); }
int shim_allocate(int fd, size_t length) { return -posix_fallocate(fd, 0, (off_t)length); }

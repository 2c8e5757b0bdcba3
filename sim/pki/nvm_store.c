/* nvm.bin as one mapping: a device's page is a pointer into it, and the hooks that a device gets
 * check that they stay inside. Room on the disk is taken when bytes are first written, and before
 * they are, so that a full disk is an error and no SIGBUS; a second process is refused by a
 * lock. */
#define _GNU_SOURCE
#include "pki/nvm_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fleetsim/nvm.h"
#include "pki/nvm_order.h"
#include "pki/secret.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; C libraries learnt of it later */
#endif

#define BLOCK_SIZE    4096u /* what file systems give at least */
#define OLD_PAGE_SIZE 8192u /* before the area for session tickets */

static int lock(const char *path, struct pki_nvm_store *store, struct error *error)
{
  if (flock(store->fd, LOCK_EX | LOCK_NB) == 0) return 0;
  int saved = errno;
  close(store->fd);
  if (saved == EWOULDBLOCK)
    return error_set(error, EXIT_CODE_SETUP,
                     "another fleetsim works on %s; wait for its end, or use another folder", path);
  return error_set(error, EXIT_CODE_SETUP, "cannot lock %s: %s", path, strerror(saved));
}

/* tmpfs gives a hole memory as soon as it is looked at, or a SIGBUS: there all is taken now. */
static int fill_holes_in_memory(int fd, size_t pages, struct error *error)
{
  struct statfs on;
  if (fstatfs(fd, &on) != 0 || on.f_type != TMPFS_MAGIC) return 0;
  off_t size = (off_t) (pages * DEVICE_NVM_PAGE_SIZE);
  int code = size > 0 ? posix_fallocate(fd, 0, size) : 0;
  if (code == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot make room for %zu NVM pages (%jd bytes): %s; check free space", pages,
                   (intmax_t) size, strerror(code));
}

static int map(struct pki_nvm_store *store, size_t pages, struct error *error)
{
  store->map = NULL;
  store->pages = pages;
  if (pages == 0) return 0;
  void *mapped =
      mmap(NULL, pages * DEVICE_NVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, 0);
  if (mapped == MAP_FAILED) {
    store->pages = 0;
    return error_set(error, EXIT_CODE_SETUP, "cannot map %zu NVM pages: %s", pages,
                     strerror(errno));
  }
  store->map = mapped;
  return 0;
}

static void unmap(struct pki_nvm_store *store)
{
  if (store->map != NULL) munmap(store->map, store->pages * DEVICE_NVM_PAGE_SIZE);
  store->map = NULL;
}

int pki_nvm_create(const char *path, struct pki_nvm_store *out, struct error *error)
{
  out->fd = pki_secret_create(path, error);
  if (out->fd < 0 || lock(path, out, error) != 0) return -1;
  return map(out, 0, error);
}

static int check_size(const char *path, int fd, size_t pages, struct error *error)
{
  struct stat st;
  if (fstat(fd, &st) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot read %s: %s", path, strerror(errno));
  uintmax_t size = (uintmax_t) st.st_size, wanted = (uintmax_t) pages * DEVICE_NVM_PAGE_SIZE;
  if (size == wanted) return 0;
  if (size == (uintmax_t) pages * OLD_PAGE_SIZE)
    return error_set(error, EXIT_CODE_SETUP,
                     "%s has pages of %u bytes, as fleetsim made them before devices kept session "
                     "tickets in flash: make the fleet anew",
                     path, OLD_PAGE_SIZE);
  if (size < wanted)
    return error_set(error, EXIT_CODE_SETUP,
                     "%s has %ju bytes, but %zu devices need %ju: pages are lost; restore it from "
                     "a copy, or make the fleet anew",
                     path, size, pages, wanted);
  return error_set(error, EXIT_CODE_SETUP,
                   "%s has %ju bytes, but the registry's %zu devices need %ju: adding devices was "
                   "interrupted; mend it with: truncate -s %ju %s",
                   path, size, pages, wanted, wanted, path);
}

int pki_nvm_open(const char *path, size_t pages, struct pki_nvm_store *out, struct error *error)
{
  out->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (out->fd < 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot open %s: %s; restore it from a copy, or make the fleet anew", path,
                     strerror(errno));
  if (lock(path, out, error) != 0) return -1;
  if (check_size(path, out->fd, pages, error) == 0 &&
      fill_holes_in_memory(out->fd, pages, error) == 0 && map(out, pages, error) == 0)
    return 0;
  close(out->fd);
  return -1;
}

void pki_nvm_close(struct pki_nvm_store *store)
{
  unmap(store);
  close(store->fd);
}

int pki_nvm_resize(struct pki_nvm_store *store, size_t pages, struct error *error)
{
  off_t size = (off_t) (pages * DEVICE_NVM_PAGE_SIZE);
  if (ftruncate(store->fd, size) != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot make a file of %zu NVM pages (%jd bytes): %s; check free space", pages,
                     (intmax_t) size, strerror(errno));
  if (fill_holes_in_memory(store->fd, pages, error) != 0) return -1;
  unmap(store);
  return map(store, pages, error);
}

int pki_nvm_sync(struct pki_nvm_store *store, struct error *error)
{
  if (store->map == NULL || msync(store->map, store->pages * DEVICE_NVM_PAGE_SIZE, MS_SYNC) == 0)
    return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "cannot write the NVM pages to disk: %s; check free space", strerror(errno));
}

uint8_t *pki_nvm_page(const struct pki_nvm_store *store, size_t page)
{
  assert(page < store->pages);
  return store->map + page * DEVICE_NVM_PAGE_SIZE;
}

static bool is_zero(const uint8_t *data, size_t size)
{
  return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

/* By system calls: their pages need not be in this process's memory. */
static int write_block(int fd, const uint8_t *data, off_t at, struct error *error)
{
  for (size_t done = 0; done < BLOCK_SIZE;) {
    ssize_t n = pwrite(fd, data + done, BLOCK_SIZE - done, at + (off_t) done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return error_set(error, EXIT_CODE_SETUP, "cannot write an NVM page: %s; check free space",
                       strerror(n < 0 ? errno : ENOSPC));
    done += (size_t) n;
  }
  return 0;
}

int pki_nvm_fill(const struct pki_nvm_store *store, size_t page,
                 const uint8_t content[DEVICE_NVM_PAGE_SIZE], struct error *error)
{
  uint8_t ordered[DEVICE_NVM_PAGE_SIZE];
  int result = 0;
  assert(page < store->pages);
  nvm_order_page(content, ordered);
  for (size_t at = 0; at < DEVICE_NVM_PAGE_SIZE && result == 0; at += BLOCK_SIZE)
    if (!is_zero(ordered + at, BLOCK_SIZE))
      result =
          write_block(store->fd, ordered + at, (off_t) (page * DEVICE_NVM_PAGE_SIZE + at), error);
  OPENSSL_cleanse(ordered, sizeof ordered);
  return result;
}

static int random_bytes(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  return RAND_bytes(out, (int) size) == 1 ? 0 : -1;
}

static bool inside(uint32_t offset, size_t size)
{
  return offset <= DEVICE_NVM_PAGE_SIZE && size <= DEVICE_NVM_PAGE_SIZE - offset;
}

/* Has the disk take room for these bytes of a mapping, or refuse it, while nothing is written yet. */
static bool takes_room(uint8_t *at, size_t size)
{
  uintptr_t memory_page = (uintptr_t) sysconf(_SC_PAGESIZE);
  uintptr_t begin = (uintptr_t) at & ~(memory_page - 1);
  int status = madvise((void *) begin, (uintptr_t) at + size - begin, MADV_POPULATE_WRITE);
  return status == 0 || errno == EINVAL; /* an older kernel does not know how */
}

int pki_nvm_read(const uint8_t *page, uint32_t offset, void *out, size_t size)
{
  if (!inside(offset, size)) return -1;
  for (size_t done = 0, run; done < size; done += run) {
    uint32_t from = nvm_order_place(page, offset + (uint32_t) done, &run);
    if (run > size - done) run = size - done;
    memcpy((uint8_t *) out + done, page + from, run);
  }
  return 0;
}

int pki_nvm_write(uint8_t *page, uint32_t offset, const void *data, size_t size)
{
  if (!inside(offset, size)) return -1;
  for (size_t done = 0, run; done < size; done += run) {
    uint32_t to = nvm_order_place(page, offset + (uint32_t) done, &run);
    if (run > size - done) run = size - done;
    const uint8_t *from = (const uint8_t *) data + done;
    if (memcmp(page + to, from, run) == 0) continue; /* zeros in a hole: it stays one */
    if (!takes_room(page + to, run)) return -1;
    memcpy(page + to, from, run);
  }
  return 0;
}

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  return pki_nvm_read(ctx, offset, out, size);
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  return pki_nvm_write(ctx, offset, data, size);
}

struct device_host pki_nvm_host(uint8_t *page)
{
  return (struct device_host){.ctx = page,
                              .random = random_bytes,
                              .nvm_read = read_page,
                              .nvm_write = write_page,
                              .observe = NULL};
}

/* nvm.bin as one mapping: a device's page is a pointer into it, and the hooks that a device gets
 * check that they stay inside. Room is taken when the file grows, so that a full disk is an error
 * then and no SIGBUS later; a second process is refused by a lock. */
#define _GNU_SOURCE
#include "pki/nvm_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fleetsim/nvm.h"
#include "pki/secret.h"

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
  if (check_size(path, out->fd, pages, error) == 0 && map(out, pages, error) == 0) return 0;
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
  /* space is taken now: a full disk must be an error here, not a SIGBUS at the first write */
  int code = pages > store->pages              ? posix_fallocate(store->fd, 0, size)
             : ftruncate(store->fd, size) == 0 ? 0
                                               : errno;
  if (code != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot make room for %zu NVM pages (%jd bytes): %s; check free space", pages,
                     (intmax_t) size, strerror(code));
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

static int random_bytes(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  return RAND_bytes(out, (int) size) == 1 ? 0 : -1;
}

static bool inside(uint32_t offset, size_t size)
{
  return offset <= DEVICE_NVM_PAGE_SIZE && size <= DEVICE_NVM_PAGE_SIZE - offset;
}

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  if (!inside(offset, size)) return -1;
  memcpy(out, (const uint8_t *) ctx + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  if (!inside(offset, size)) return -1;
  memcpy((uint8_t *) ctx + offset, data, size);
  return 0;
}

struct device_host pki_nvm_host(uint8_t *page)
{
  return (struct device_host){.ctx = page,
                              .random = random_bytes,
                              .nvm_read = read_page,
                              .nvm_write = write_page,
                              .observe = NULL};
}

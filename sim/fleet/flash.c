/* Slots as ranges of one sparse file, with the sector in use kept in memory. What the disk refuses
 * is a failed operation for the device, and the first such error is remembered for flash_check. */
#define _GNU_SOURCE
#include "fleet/flash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "fleetsim/ota.h"

struct flash {
  struct flash_config config;
  int fd;
  bool no_holes;   /* the file system cannot punch them */
  int refused;     /* errno of the first operation that the disk refused; 0: none */
  off_t cached_at; /* the sector that was used last, as it is in the file; -1: none */
  uint8_t cached[DEVICE_FLASH_SECTOR];
  char folder[FILES_PATH_MAX];
};

/* --- The file --------------------------------------------------------------------------------- */

/* Without a name from the beginning, or as soon as the file system lets us. */
static int open_unnamed(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  if (files_join(path, folder, "flash-XXXXXX", error) != 0) return -1;
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0 && unlink(path) == 0) return fd;
  int saved = errno;
  if (fd >= 0) close(fd);
  return error_set(error, EXIT_CODE_SETUP, "cannot make the file of the devices' flash in %s: %s",
                   folder, strerror(saved));
}

static off_t total(const struct flash_config *config)
{
  return (off_t) config->devices * DEVICE_FLASH_SLOTS * config->slot_size;
}

int flash_create(const char *folder, const struct flash_config *config, struct flash **out,
                 struct error *error)
{
  assert(config->devices > 0 && config->slot_size > 0 &&
         config->slot_size % DEVICE_FLASH_SECTOR == 0);
  struct flash *flash = calloc(1, sizeof *flash);
  if (flash == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for the devices' flash");
  flash->config = *config;
  flash->cached_at = -1;
  snprintf(flash->folder, sizeof flash->folder, "%s", folder);
  flash->fd = open_unnamed(folder, error);
  if (flash->fd >= 0 && ftruncate(flash->fd, total(config)) == 0) {
    *out = flash;
    return 0;
  }
  if (flash->fd >= 0)
    error_set(error, EXIT_CODE_SETUP,
              "%s cannot hold a sparse file of %jd bytes for %zu devices' flash: %s", folder,
              (intmax_t) total(config), config->devices, strerror(errno));
  flash_destroy(flash);
  return -1;
}

void flash_destroy(struct flash *flash)
{
  if (flash == NULL) return;
  if (flash->fd >= 0) close(flash->fd);
  free(flash);
}

int flash_check(const struct flash *flash, struct error *error)
{
  if (flash->refused == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the devices' flash, a file in %s, could not be used: %s; free space there, "
                   "use fewer --devices or smaller images",
                   flash->folder, strerror(flash->refused));
}

uint64_t flash_disk_bytes(const struct flash *flash)
{
  struct stat st;
  return fstat(flash->fd, &st) == 0 ? (uint64_t) st.st_blocks * 512 : 0;
}

/* What the disk refuses is kept for flash_check: the device can only say that its flash failed. */
static int refuse(struct flash *flash, int code)
{
  if (flash->refused == 0) flash->refused = code;
  return -1;
}

static int read_stored(struct flash *flash, off_t at, uint8_t *out, size_t size)
{
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(flash->fd, out + done, size - done, at + (off_t) done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return refuse(flash, n < 0 ? errno : EIO);
    done += (size_t) n;
  }
  return 0;
}

/* A device reads its image in small slices, one after the other: most of them cost no system call.
   NULL: refused. */
static uint8_t *load(struct flash *flash, off_t sector)
{
  if (flash->cached_at == sector) return flash->cached;
  flash->cached_at = -1;
  if (read_stored(flash, sector, flash->cached, sizeof flash->cached) != 0) return NULL;
  flash->cached_at = sector;
  return flash->cached;
}

static int write_stored(struct flash *flash, off_t at, const uint8_t *data, size_t size)
{
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(flash->fd, data + done, size - done, at + (off_t) done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return refuse(flash, n < 0 ? errno : EIO);
    done += (size_t) n;
  }
  return 0;
}

/* --- NOR flash -------------------------------------------------------------------------------- */

static bool is_inside(const struct flash *flash, size_t device, uint8_t slot, uint32_t offset,
                      size_t size)
{
  const struct flash_config *c = &flash->config;
  return device < c->devices && slot < DEVICE_FLASH_SLOTS && offset <= c->slot_size &&
         size <= c->slot_size - offset;
}

static off_t place(const struct flash *flash, size_t device, uint8_t slot, uint32_t offset)
{
  return (off_t) (device * DEVICE_FLASH_SLOTS + slot) * flash->config.slot_size + offset;
}

/* As much of `size` bytes as lies in the sector of the first one. */
static size_t in_sector(off_t at, size_t size)
{
  size_t room = DEVICE_FLASH_SECTOR - (size_t) (at % DEVICE_FLASH_SECTOR);
  return size < room ? size : room;
}

int flash_read(struct flash *flash, size_t device, uint8_t slot, uint32_t offset, void *out,
               size_t size)
{
  if (!is_inside(flash, device, slot, offset, size)) return -1;
  off_t at = place(flash, device, slot, offset);
  uint8_t *to = out;
  for (size_t n; size > 0; size -= n, at += (off_t) n, to += n) {
    n = in_sector(at, size);
    off_t within = at % DEVICE_FLASH_SECTOR;
    const uint8_t *stored = load(flash, at - within);
    if (stored == NULL) return -1;
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t) ~stored[(size_t) within + i];
  }
  return 0;
}

int flash_erase(struct flash *flash, size_t device, uint8_t slot, uint32_t offset, size_t torn)
{
  static const uint8_t erased[DEVICE_FLASH_SECTOR];
  if (offset % DEVICE_FLASH_SECTOR != 0 ||
      !is_inside(flash, device, slot, offset, DEVICE_FLASH_SECTOR))
    return -1;
  off_t at = place(flash, device, slot, offset);
  if (flash->cached_at == at) flash->cached_at = -1;
  if (torn < DEVICE_FLASH_SECTOR) return write_stored(flash, at, erased, torn);
  if (!flash->no_holes) {
    if (fallocate(flash->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, DEVICE_FLASH_SECTOR) ==
        0)
      return 0;
    flash->no_holes = errno == EOPNOTSUPP || errno == ENOSYS;
  }
  return write_stored(flash, at, erased, sizeof erased);
}

/* Programming clears bits: in the complement it sets them. */
static int program_piece(struct flash *flash, off_t at, const uint8_t *data, size_t size)
{
  off_t within = at % DEVICE_FLASH_SECTOR;
  uint8_t *stored = load(flash, at - within);
  if (stored == NULL) return -1;
  for (size_t i = 0; i < size; i++) stored[(size_t) within + i] |= (uint8_t) ~data[i];
  if (write_stored(flash, at, stored + within, size) == 0) return 0;
  flash->cached_at = -1;
  return -1;
}

int flash_program(struct flash *flash, size_t device, uint8_t slot, uint32_t offset,
                  const void *data, size_t size, size_t torn)
{
  if (offset % DEVICE_FLASH_WORD != 0 || size % DEVICE_FLASH_WORD != 0) return -1;
  if (!is_inside(flash, device, slot, offset, size)) return -1;
  off_t at = place(flash, device, slot, offset);
  size_t todo = torn < size ? torn : size;
  for (size_t done = 0, n; done < todo; done += n) {
    n = in_sector(at + (off_t) done, todo - done);
    if (program_piece(flash, at + (off_t) done, (const uint8_t *) data + done, n) != 0) return -1;
  }
  return 0;
}

int flash_factory(struct flash *flash, const uint8_t *image, size_t size, struct error *error)
{
  if (size > flash->config.slot_size - DEVICE_FLASH_SECTOR)
    return error_set(error, EXIT_CODE_USAGE,
                     "the factory image has %zu bytes, but a slot holds %u at most", size,
                     (unsigned) (flash->config.slot_size - DEVICE_FLASH_SECTOR));
  uint8_t *stored = malloc(size > 0 ? size : 1);
  if (stored == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for the factory image");
  for (size_t i = 0; i < size; i++) stored[i] = (uint8_t) ~image[i];
  flash->cached_at = -1;
  int failed = 0;
  for (size_t i = 0; i < flash->config.devices && failed == 0; i++)
    failed = write_stored(flash, place(flash, i, 0, 0), stored, size);
  free(stored);
  return failed == 0 ? 0 : flash_check(flash, error);
}

uint64_t flash_erase_us(const struct flash *flash)
{
  return flash->config.erase_us;
}

uint64_t flash_program_us(const struct flash *flash, size_t size)
{
  return (uint64_t) ((size + DEVICE_FLASH_WORD - 1) / DEVICE_FLASH_WORD) * flash->config.program_us;
}

/* The image slots of a whole fleet: NOR flash in one sparse file without a name, so that memory
 * does not grow with it.
 *
 * Bytes are kept as their complement: what was never written reads as zeros, and is 0xff like
 * erased flash. A blank slot takes no disk, and an erased sector gives its disk back where the file
 * system can.
 */
#ifndef FLEETSIM_FLASH_H
#define FLEETSIM_FLASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct flash;

struct flash_config {
  size_t devices;
  uint32_t slot_size;  /* bytes: a multiple of DEVICE_FLASH_SECTOR */
  uint32_t erase_us;   /* modelled: time of one sector */
  uint32_t program_us; /* modelled: time of one word */
};

/* The file is made in `folder`, and is gone when the process is. */
int flash_create(const char *folder, const struct flash_config *config, struct flash **out,
                 struct error *error);
void flash_destroy(struct flash *flash); /* NULL: nothing */

/* Writes the image that devices leave the factory with into slot 0 of each. */
int flash_factory(struct flash *flash, const uint8_t *image, size_t size, struct error *error);

/* As the hooks of include/fleetsim/device.h: 0, or -1 for what lies outside the slot or off the
 * grid of sectors and words, and for what the disk refused. The first `torn` bytes of the operation
 * only are done, SIZE_MAX: all. */
int flash_read(struct flash *flash, size_t device, uint8_t slot, uint32_t offset, void *out,
               size_t size);
int flash_erase(struct flash *flash, size_t device, uint8_t slot, uint32_t offset, size_t torn);
int flash_program(struct flash *flash, size_t device, uint8_t slot, uint32_t offset,
                  const void *data, size_t size, size_t torn);

/* Modelled microseconds of one erased sector, and of programming so many bytes. */
uint64_t flash_erase_us(const struct flash *flash);
uint64_t flash_program_us(const struct flash *flash, size_t size);

/* 0, or -1 and why the disk refused an operation first. Devices take that for a failure of their
   flash. */
int flash_check(const struct flash *flash, struct error *error);

/* Bytes of disk that the file takes now. */
uint64_t flash_disk_bytes(const struct flash *flash);

#endif

/* A device's NVM page in memory, whose power can be cut at any byte of any write. */
#ifndef FLASH_H
#define FLASH_H

#include "fleetsim/nvm.h"

enum flash_tear {
  FLASH_TEAR_CLEAN /* off before the next read or write */,
  FLASH_TEAR_GARBAGE /* the byte at the cut holds neither the old nor the new */
};

struct flash {
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  size_t written;     /* bytes stored since power on */
  size_t power_after; /* the power is cut once this many bytes are stored; SIZE_MAX: never */
  enum flash_tear tear;
  bool off;             /* every hook fails until flash_power_on */
  bool refuses_writes;  /* worn out: a write fails and stores nothing */
  bool lies;            /* a write is reported as done and stores nothing */
  bool fails_after_all; /* a write is stored whole and reported as failed */
};

/* The hooks of a device that lives on this page; `random` is deterministic. */
struct device_host flash_host(struct flash *flash);

/* Boots with a full battery; what the page holds stays. */
void flash_power_on(struct flash *flash);

/* A factory-fresh page: erased, then formatted with this identity. */
void flash_new(struct flash *flash, const struct device_nvm_identity *identity);

/* The payload in force, or NULL and 0. Points into the page. */
const uint8_t *flash_payload(struct flash *flash, enum device_nvm_area area, size_t *size);

#endif

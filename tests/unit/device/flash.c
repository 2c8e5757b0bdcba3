#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flash.h"

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct flash *flash = ctx;
  assert_true(size <= sizeof flash->page && offset <= sizeof flash->page - size);
  if (flash->written == flash->power_after && flash->tear == FLASH_TEAR_CLEAN) flash->off = true;
  if (flash->off) return -1;
  memcpy(out, flash->page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct flash *flash = ctx;
  const uint8_t *bytes = data;
  assert_true(size <= sizeof flash->page && offset <= sizeof flash->page - size);
  if (flash->off || flash->refuses_writes) return -1;
  if (flash->lies) return 0;
  for (size_t i = 0; i < size; i++) {
    uint8_t *cell = &flash->page[offset + i];
    if (flash->written == flash->power_after) {
      if (flash->tear == FLASH_TEAR_GARBAGE)
        *cell = (uint8_t) ((*cell ^ bytes[i]) == 0xa5 ? ~*cell : *cell ^ 0xa5);
      flash->off = true;
      return -1;
    }
    *cell = bytes[i];
    flash->written++;
  }
  return flash->fails_after_all ? -1 : 0;
}

static int some_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  for (size_t i = 0; i < size; i++) out[i] = (uint8_t) (i * 37 + 11);
  return 0;
}

struct device_host flash_host(struct flash *flash)
{
  return (struct device_host){.ctx = flash,
                              .random = some_random,
                              .nvm_read = read_page,
                              .nvm_write = write_page,
                              .observe = NULL};
}

void flash_power_on(struct flash *flash)
{
  flash->written = 0;
  flash->power_after = SIZE_MAX;
  flash->off = flash->refuses_writes = flash->lies = flash->fails_after_all = false;
}

void flash_new(struct flash *flash, const struct device_nvm_identity *identity)
{
  memset(flash, 0, sizeof *flash);
  memset(flash->page, 0xff, sizeof flash->page);
  flash_power_on(flash);
  struct device_host host = flash_host(flash);
  assert_int_equal(device_nvm_format(&host, identity), 0);
}

const uint8_t *flash_payload(struct flash *flash, enum device_nvm_area area, size_t *size)
{
  struct device_host host = flash_host(flash);
  struct device_nvm_slot slot;
  assert_int_equal(device_nvm_find(&host, area, &slot), 0);
  *size = slot.size;
  return slot.size ? flash->page + slot.offset : NULL;
}

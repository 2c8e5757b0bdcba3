/* Any page of memory: what is found lies inside its area, and an update makes any page good
   again. */
#include "fleetsim/nvm.h"
#include "fuzz.h"

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  require(size <= DEVICE_NVM_PAGE_SIZE && offset <= DEVICE_NVM_PAGE_SIZE - size,
          "reads inside the page");
  memcpy(out, (uint8_t *) ctx + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  require(size <= DEVICE_NVM_PAGE_SIZE && offset <= DEVICE_NVM_PAGE_SIZE - size,
          "writes inside the page");
  memcpy((uint8_t *) ctx + offset, data, size);
  return 0;
}

static void check_area(const struct device_host *host, const uint8_t *page,
                       enum device_nvm_area area)
{
  static const uint8_t update[] = "the next one";
  struct device_nvm_slot slot, next;
  require(device_nvm_find(host, area, &slot) == 0, "a page that can be read can be searched");
  require(slot.size <= device_nvm_capacity(area) && slot.index <= 1, "bounds");
  require((slot.size == 0) == (slot.sequence == 0), "no size, no sequence");
  require(slot.offset + device_nvm_capacity(area) <= DEVICE_NVM_PAGE_SIZE,
          "the slot is inside the page");
  if (slot.size)
    require(device_nvm_holds(host, area, page + slot.offset, slot.size) == 1,
            "holds what it holds");

  require(device_nvm_replace(host, area, update, sizeof update) == 0,
          "an update makes any page good again");
  require(device_nvm_holds(host, area, update, sizeof update) == 1, "the update is in force");
  require(device_nvm_find(host, area, &next) == 0, "found again");
  if (slot.size)
    require(next.index != slot.index, "the slot in force is never the one that is written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t page[DEVICE_NVM_PAGE_SIZE];
  memset(page, 0, sizeof page);
  if (size) memcpy(page, data, size < sizeof page ? size : sizeof page);
  const struct device_host host = {.ctx = page, .nvm_read = read_page, .nvm_write = write_page};
  struct device_nvm_identity before, after;
  int readable = device_nvm_read_identity(&host, &before);
  check_area(&host, page, DEVICE_NVM_TRUST);
  check_area(&host, page, DEVICE_NVM_CERTIFICATE);
  check_area(&host, page, DEVICE_NVM_TICKET);
  check_area(&host, page, DEVICE_NVM_IMAGES);
  require(device_nvm_read_identity(&host, &after) == readable, "updates leave the identity alone");
  if (readable == 0)
    require(memcmp(before.private_key, after.private_key, sizeof after.private_key) == 0,
            "the key too");
  return 0;
}

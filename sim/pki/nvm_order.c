/* A table of the slots: where the device has each, and where the page. They lie in the page in the
 * order in which they come to be used. */
#include "pki/nvm_order.h"

#include <string.h>

#include "fleetsim/nvm.h"

#define MARK_AT 255u /* behind the identity, before the first slot */
#define MARK    2u   /* the second order that there is */

#define TRUST       (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TRUST_MAX)
#define CERTIFICATE (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_CERTIFICATE_MAX)
#define TICKET      (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_TICKET_MAX)
#define IMAGES      (DEVICE_NVM_SLOT_HEADER + DEVICE_NVM_IMAGES_MAX)
#define SLOTS_AT    256u
#define SLOTS_END   (SLOTS_AT + 2u * (TRUST + CERTIFICATE + TICKET + IMAGES))

_Static_assert(SLOTS_END <= DEVICE_NVM_PAGE_SIZE, "a page holds all slots");

/* By the device's offset. */
static const struct stretch {
  uint32_t device, size, page;
} stretches[] = {
    {0, SLOTS_AT, 0},
    /* trust A and B */
    {SLOTS_AT, TRUST, SLOTS_AT},
    {SLOTS_AT + TRUST, TRUST, SLOTS_END - TRUST},
    /* certificate A and B */
    {SLOTS_AT + 2 * TRUST, CERTIFICATE, SLOTS_AT + TRUST},
    {SLOTS_AT + 2 * TRUST + CERTIFICATE, CERTIFICATE, SLOTS_END - TRUST - CERTIFICATE},
    /* ticket A and B */
    {SLOTS_AT + 2 * TRUST + 2 * CERTIFICATE, TICKET, SLOTS_AT + TRUST + CERTIFICATE},
    {SLOTS_AT + 2 * TRUST + 2 * CERTIFICATE + TICKET, TICKET,
     SLOTS_AT + TRUST + CERTIFICATE + TICKET},
    /* images A and B */
    {SLOTS_END - 2 * IMAGES, IMAGES, SLOTS_AT + TRUST + CERTIFICATE + 2 * TICKET},
    {SLOTS_END - IMAGES, IMAGES, SLOTS_AT + TRUST + CERTIFICATE + 2 * TICKET + IMAGES},
    {SLOTS_END, DEVICE_NVM_PAGE_SIZE - SLOTS_END, SLOTS_END},
};

void nvm_order_page(const uint8_t *device, uint8_t *page)
{
  for (size_t i = 0; i < sizeof stretches / sizeof stretches[0]; i++)
    memcpy(page + stretches[i].page, device + stretches[i].device, stretches[i].size);
  page[MARK_AT] = MARK;
}

void nvm_order_device(const uint8_t *page, uint8_t *device)
{
  for (size_t done = 0, run; done < DEVICE_NVM_PAGE_SIZE; done += run) {
    uint32_t from = nvm_order_place(page, (uint32_t) done, &run);
    memcpy(device + done, page + from, run);
  }
}

uint32_t nvm_order_place(const uint8_t *page, uint32_t offset, size_t *run)
{
  if (page[MARK_AT] != MARK) {
    *run = DEVICE_NVM_PAGE_SIZE - offset;
    return offset;
  }
  size_t i = 0;
  while (offset - stretches[i].device >= stretches[i].size) i++;
  *run = stretches[i].size - (offset - stretches[i].device);
  return stretches[i].page + (offset - stretches[i].device);
}

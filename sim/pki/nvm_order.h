/* In which order nvm.bin keeps the bytes of a page.
 *
 * A device knows two slots of each area side by side (include/fleetsim/nvm.h). Until a second one is
 * used it is empty, all zero, and takes no disk where a file may have holes; but the first ones lie
 * apart. So a page has them together, behind the identity, where all that a device is made with
 * fits one block of 4 KiB. Such a page is marked, in a byte that belongs to nobody. One without the
 * mark, as fleetsim made them before, and as a page in memory is, has each byte where the device
 * knows it.
 */
#ifndef FLEETSIM_PKI_NVM_ORDER_H
#define FLEETSIM_PKI_NVM_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* A page as the device knows it, in this order and marked. Both have DEVICE_NVM_PAGE_SIZE bytes. */
void nvm_order_page(const uint8_t *device, uint8_t *page);

/* The other way round, from a page with or without the mark. */
void nvm_order_device(const uint8_t *page, uint8_t *device);

/* Where in the page the byte is that the device has at `offset`, which is less than
 * DEVICE_NVM_PAGE_SIZE; the `run` bytes from there on follow each other in both. */
uint32_t nvm_order_place(const uint8_t *page, uint32_t offset, size_t *run);

#endif

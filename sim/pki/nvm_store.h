/* All devices' NVM pages in one file, mapped while open and locked against a second user. The file
 * has holes where nothing was written yet, which read as zeros, as empty slots are; its pages have
 * an order of their own (nvm_order.h). */
#ifndef FLEETSIM_PKI_NVM_STORE_H
#define FLEETSIM_PKI_NVM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fleetsim/device.h"
#include "fleetsim/nvm.h"

struct pki_nvm_store {
  int fd;
  uint8_t *map; /* NULL while there are no pages */
  size_t pages;
};

int pki_nvm_create(const char *path, struct pki_nvm_store *out, struct error *error);

/* `pages` is what the registry expects. */
int pki_nvm_open(const char *path, size_t pages, struct pki_nvm_store *out, struct error *error);
void pki_nvm_close(struct pki_nvm_store *store);

/* Grows or shrinks the file and maps it anew: pages move in memory. New ones are holes. */
int pki_nvm_resize(struct pki_nvm_store *store, size_t pages, struct error *error);

/* Waits until all pages are on disk. */
int pki_nvm_sync(struct pki_nvm_store *store, struct error *error);

/* For pki_nvm_read and pki_nvm_write. */
uint8_t *pki_nvm_page(const struct pki_nvm_store *store, size_t page);

/* Makes a page that is a hole what `content` is, a page in memory: its order is chosen here, and
   where it is all zero no disk is taken. */
int pki_nvm_fill(const struct pki_nvm_store *store, size_t page,
                 const uint8_t content[DEVICE_NVM_PAGE_SIZE], struct error *error);

/* Bytes where the device knows them, of a page of a store or in memory. -1: outside the page, or
   the disk has no room for them (no signal then, from Linux 5.14 on). */
int pki_nvm_read(const uint8_t *page, uint32_t offset, void *out, size_t size);
int pki_nvm_write(uint8_t *page, uint32_t offset, const void *data, size_t size);

/* A host whose non-volatile memory is this page, for the device library's own device_nvm_*,
   device_trust_*. */
struct device_host pki_nvm_host(uint8_t *page);

#endif

/* All devices' NVM pages in one file, mapped while open and locked against a second user. */
#ifndef FLEETSIM_PKI_NVM_STORE_H
#define FLEETSIM_PKI_NVM_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fleetsim/device.h"

struct pki_nvm_store {
  int fd;
  uint8_t *map; /* NULL while there are no pages */
  size_t pages;
};

int pki_nvm_create(const char *path, struct pki_nvm_store *out, struct error *error);

/* `pages` is what the registry expects. */
int pki_nvm_open(const char *path, size_t pages, struct pki_nvm_store *out, struct error *error);
void pki_nvm_close(struct pki_nvm_store *store);

/* Grows or shrinks the file and maps it anew: pages move in memory. */
int pki_nvm_resize(struct pki_nvm_store *store, size_t pages, struct error *error);

/* Waits until all pages are on disk. */
int pki_nvm_sync(struct pki_nvm_store *store, struct error *error);

uint8_t *pki_nvm_page(const struct pki_nvm_store *store, size_t page);

/* A host whose non-volatile memory is this page, for the device library's own device_nvm_*,
   device_trust_*. */
struct device_host pki_nvm_host(uint8_t *page);

#endif

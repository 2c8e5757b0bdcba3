/* The registry: which devices exist, the CSR of each, and every certificate ever issued to it.
 * SQLite.
 *
 *     roots(ordinal, name)                          the fleet's roots, in the order they were named
 *     devices(id, page, csr, created)               page: which page of nvm.bin is the device's
 *     names, columns                                see names.h
 *     certificates(device, serial, issuer, not_before, not_after, issued, state, chain)
 *                                                   issuer: name of the root, '' when it is none of
 *                                                   the fleet's; state: 'issued' by us, or
 *                                                   'imported'; chain: leaf first, in the format of
 *                                                   sim/device/identity.h
 */
#ifndef FLEETSIM_PKI_REGISTRY_H
#define FLEETSIM_PKI_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/pki.h"

struct pki_registry;
struct pki_revoked_store;
struct pki_name_store;
struct sqlite3;
struct sqlite3_stmt;

struct pki_device {
  uint32_t id;
  uint32_t page;
};

struct pki_registry_certificate {
  uint32_t device;
  struct pki_issued row;
  const uint8_t *chain;
  size_t chain_size;
};

/* Makes the file (0600) with its tables and the roots' names; refuses a file that exists. */
int pki_registry_create(const char *path, const struct pki_roots *roots, struct error *error);
int pki_registry_open(const char *path, struct pki_registry **out, struct error *error);
void pki_registry_close(struct pki_registry *registry);

/* Revocations: see revoked.h. Valid until pki_registry_close. */
struct pki_revoked_store *pki_registry_revoked(struct pki_registry *registry);

/* Names: see names.h. Valid until pki_registry_close. */
struct pki_name_store *pki_registry_names(struct pki_registry *registry);

/* Says what SQLite has against its last call, or, for NULL, that there is no memory to open a
   database. Returns -1. */
int pki_registry_failed(struct sqlite3 *db, struct error *error);

/* Makes statements that are used again and again: out[i] of text[i], NULL from the first that fails
 * on, if they were NULL; the caller finalizes them all. 0, or -1. */
int pki_registry_prepare(struct sqlite3 *db, const char *const *text, size_t count,
                         struct sqlite3_stmt **out, struct error *error);

/* Ends a statement that was bound and stepped, so that it can be used again. `last`: what its last
   sqlite3_step returned. 0, or -1 with the database's error. */
struct sqlite3_stmt;
int pki_registry_end(struct sqlite3 *db, struct sqlite3_stmt *statement, int last,
                     struct error *error);

/* Says that a row holds `what` out of range: somebody else's hand, or a damaged disk. Returns
   -1. */
int pki_registry_row_damaged(struct sqlite3 *db, const char *what, struct error *error);

/* An id, a page: false when the column holds none. SQLite's integers have 64 bits, whatever was put
   in. */
bool pki_registry_take_u32(struct sqlite3_stmt *query, int column, uint32_t *out);

int pki_registry_begin(struct pki_registry *registry, struct error *error);
int pki_registry_commit(struct pki_registry *registry, struct error *error);
void pki_registry_rollback(struct pki_registry *registry);

int pki_registry_roots(struct pki_registry *registry, struct pki_roots *out, struct error *error);

/* All devices in ascending order of id; *out is malloc'd, NULL when there are none. */
int pki_registry_devices(struct pki_registry *registry, struct pki_device **out, size_t *count,
                         struct error *error);

int pki_registry_add_device(struct pki_registry *registry, struct pki_device device,
                            const uint8_t *csr, size_t size, int64_t created, struct error *error);
int pki_registry_add_certificate(struct pki_registry *registry,
                                 const struct pki_registry_certificate *certificate,
                                 struct error *error);

/* Also sees what the open transaction has added. */
bool pki_registry_has_device(struct pki_registry *registry, uint32_t device);

/* Copies the device's CSR (DER). */
int pki_registry_csr(struct pki_registry *registry, uint32_t device, uint8_t *out, size_t capacity,
                     size_t *size, struct error *error);

/* Copies the first chain that the device got under `issuer`, or the first at all when `issuer` is
 * NULL. 1: found, 0: there is none, -1: error. */
int pki_registry_first_chain(struct pki_registry *registry, uint32_t device, const char *issuer,
                             uint8_t *out, size_t capacity, size_t *size, struct error *error);

/* Calls `each` for every certificate of the device, oldest first. */
int pki_registry_certificates(struct pki_registry *registry, uint32_t device,
                              void (*each)(void *ctx, const struct pki_issued *row), void *ctx,
                              struct error *error);

/* The same with the chain that stands in the row. */
int pki_registry_each_chain(struct pki_registry *registry, uint32_t device,
                            void (*each)(void *ctx, const struct pki_issued *row,
                                         const uint8_t *chain, size_t size),
                            void *ctx, struct error *error);

/* Calls `each` for every chain of the devices that have got more than one, the newest first. */
int pki_registry_chains(struct pki_registry *registry,
                        void (*each)(void *ctx, uint32_t device, const uint8_t *chain, size_t size),
                        void *ctx, struct error *error);

/* Calls `each` for every chain whose leaf has that serial number, whoever issued it. Without it the first
 * call makes an index, a second for a million rows. */
int pki_registry_of_serial(struct pki_registry *registry, const uint8_t *serial, size_t serial_size,
                           void (*each)(void *ctx, uint32_t device, const uint8_t *chain,
                                        size_t size),
                           void *ctx, struct error *error);

/* Certificates in the whole registry. */
int pki_registry_certificate_count(struct pki_registry *registry, size_t *count,
                                   struct error *error);

#endif

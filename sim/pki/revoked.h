/* The registry's part on revocation. Tables beside those of registry.h, made when a folder is
 * opened without them:
 *
 *     revoked(authority, serial, reason, revoked, device)   device: NULL for a broker's leaf or an
 *                                                           intermediate
 *     crls(authority, number)                               the crlNumber of the CRL made last
 *     brokers(number, root, serial)                         every leaf made for a broker
 */
#ifndef FLEETSIM_PKI_REVOKED_H
#define FLEETSIM_PKI_REVOKED_H

#include <sqlite3.h>

#include "pki/reason.h"

/* What the statements below keep between calls. The registry owns one. */
struct pki_revoked_store;

int pki_revoked_open(sqlite3 *db, struct pki_revoked_store **out, struct error *error);
void pki_revoked_close(struct pki_revoked_store *store);

/* 1: now revoked, 0: was so before, -1: error. */
int pki_revoked_add(struct pki_revoked_store *store, const struct pki_revoked *row,
                    struct error *error);

/* Number of rows deleted, or -1. A device's; one certificate's; all. */
int pki_revoked_drop_device(struct pki_revoked_store *store, uint32_t device, struct error *error);
int pki_revoked_drop(struct pki_revoked_store *store, const struct pki_revoked *row,
                     struct error *error);
int pki_revoked_clear(struct pki_revoked_store *store, struct error *error);

/* Those of one authority, or all when `authority` is NULL. */
int pki_revoked_each(struct pki_revoked_store *store, const char *authority,
                     void (*each)(void *ctx, const struct pki_revoked *row), void *ctx,
                     struct error *error);

/* The number of the authority's next CRL, from 1. */
int pki_revoked_next_crl(struct pki_revoked_store *store, const char *authority, int64_t *number,
                         struct error *error);

int pki_revoked_note_broker(struct pki_revoked_store *store, const char *root,
                            const uint8_t *serial, size_t size, struct error *error);

/* 1: found, 0: no broker's leaf was made under `root` yet, -1: error. */
int pki_revoked_last_broker(struct pki_revoked_store *store, const char *root, uint8_t serial[20],
                            uint8_t *size, struct error *error);

#endif

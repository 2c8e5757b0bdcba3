/* What a device is called, and what else its owner's list says of it. A name is a text of 1 to
 * PKI_DEVICE_NAME_MAX printable ASCII characters; a device that was given none goes by its id in
 * eight hex digits. In the registry's database:
 *
 *     names(device, name)                  none of a device that goes by its id
 *     columns(device, name, value)         of the list that it was imported or named from, but for
 *                                          those that name its files
 */
#ifndef FLEETSIM_PKI_NAMES_H
#define FLEETSIM_PKI_NAMES_H

#include <openssl/x509.h>

#include "pki/pki.h"

struct sqlite3;
struct pki_name_store;

/* Valid until pki_names_close, which comes before the database is closed. What is to be closed is
   in *out also after a failure. */
int pki_names_open(struct sqlite3 *db, struct pki_name_store **out, struct error *error);
void pki_names_close(struct pki_name_store *store);

/* 1: the device has a name of its own, 0: it has none, -1: error. */
int pki_names_get(struct pki_name_store *store, uint32_t device, char out[PKI_DEVICE_NAME],
                  struct error *error);

/* 1: the name belongs to *device and is no id, 0: to nobody, -1: error. */
int pki_names_find(struct pki_name_store *store, const char *name, uint32_t *device,
                   struct error *error);

int pki_names_add(struct pki_name_store *store, uint32_t device, const char *name,
                  struct error *error);

int pki_names_add_column(struct pki_name_store *store, uint32_t device, const char *name,
                         const char *value, struct error *error);
int pki_names_columns(struct pki_name_store *store, uint32_t device,
                      void (*each)(void *ctx, const char *name, const char *value), void *ctx,
                      struct error *error);

/* Takes the name that a certificate gives its device. USAGE where it has none of that kind, or more
 * than one. */
int pki_names_from(X509 *certificate, enum pki_id_from from, char out[PKI_DEVICE_NAME],
                   struct error *error);

/* Whether it is eight hex digits of lower case, and which id. */
bool pki_names_is_id(const char *name, uint32_t *id);

/* Whether it is that id: the device goes by it. */
bool pki_names_is_own_id(const char *name, uint32_t id);

#endif

/* What the files of this room share: the open fleet, and the few steps that more than one of them
   takes. */
#ifndef FLEETSIM_PKI_INTERNAL_H
#define FLEETSIM_PKI_INTERNAL_H

#include "base/files.h"
#include "fleetsim/nvm.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/nvm_store.h"
#include "pki/pki.h"
#include "pki/registry.h"

#define PKI_DAY_S       86400
#define PKI_YEAR_S      (365 * (int64_t) PKI_DAY_S)
#define PKI_DEVICES_MAX 1000000u
#define PKI_CSR_MAX     1024u

/* One root and its two issuing intermediates. Of an imported root only the certificate exists, or
 * its key too; or it has one intermediate, its owner's, whose key was given: that is both. */
struct pki_hierarchy {
  struct pki_authority root, brokers, devices;
};

/* A client's certificate that stands in no registry. */
struct pki_stranger {
  X509 *leaf;
  EVP_PKEY *key;
};

struct pki {
  char folder[FILES_PATH_MAX];
  struct pki_roots roots;
  struct pki_hierarchy hierarchy[PKI_ROOTS_MAX]; /* as roots.name */
  /* issues the operator's certificate; its key stays on disk */
  struct pki_authority back_office;
  /* issues the update server's; none in a folder of an older fleetsim */
  struct pki_authority update_ca;
  EVP_PKEY *update_key;
  uint8_t update_point[PKI_KEY_POINT];
  EVP_PKEY *image_key; /* none in a folder of an older fleetsim, until it is needed */
  struct pki_registry *registry;
  struct pki_nvm_store nvm;
  struct pki_device *devices; /* ascending by id */
  size_t device_count;
  enum pki_lists factory_lists;
  struct pki_stranger stranger[PKI_ROOTS_MAX]; /* pki_write_stranger */
};

/* The one place where this room reads a clock. Unix seconds. */
int64_t pki_now(void);

/* roots.c: the authorities on disk. */
int pki_roots_make(const char *folder, const struct pki_roots *roots, struct error *error);
/* Roots from elsewhere: reads and judges them before a folder exists, `read` all zero at first;
 * then writes them into one, with what their keys make possible, and frees them. */
int pki_roots_read(const struct pki_foreign *foreign, size_t count, struct pki_hierarchy *read,
                   void (*warn)(void *ctx, const char *sentence), void *ctx, struct error *error);
int pki_roots_adopt(const char *folder, const struct pki_foreign *foreign,
                    struct pki_hierarchy *read, size_t count, struct error *error);
void pki_roots_release(struct pki_hierarchy *read, size_t count);
int pki_roots_load(struct pki *pki, struct error *error);
void pki_roots_unload(struct pki *pki);
const struct pki_hierarchy *pki_find_root(const struct pki *pki, const char *name,
                                          struct error *error);
const struct pki_hierarchy *pki_find_issuer(const struct pki *pki, const char *name,
                                            struct error *error);
const struct pki_hierarchy *pki_find_root_key(const struct pki *pki, const char *name,
                                              struct error *error);
int pki_cross_path(const struct pki *pki, const char *subject, const char *issuer, bool expired,
                   char out[FILES_PATH_MAX], struct error *error);
int pki_cross_make_expired(const struct pki *pki, const char *subject, const char *issuer,
                           struct error *error);

/* ca_keys.c: the key that was given with a root: the root's own, or with a certificate that of an
 * intermediate. USAGE, with the file's name, where it is neither or could not issue. */
int pki_ca_key_read(const struct pki_foreign *foreign, struct pki_hierarchy *out,
                    struct error *error);

/* renew.c: the public key of the signing request that was kept of the device; NULL: an error. */
EVP_PKEY *pki_requested_key(struct pki *pki, uint32_t id, struct error *error);

/* chain.c: what a broker that is given these, the leaf first, must serve. */
int pki_chain_wanted(X509 *const *certificates, size_t count, struct chain_prints *out,
                     struct error *error);

/* own_chain.c: as pki_write_broker_chain, of files that the broker's owner brings. */
int pki_write_own_chain(const struct pki *pki, const struct pki_chain *chain,
                        const char *certificate_path, const char *key_path,
                        struct chain_prints *wanted, struct error *error);

/* authority.c: one CA that issues everything under the root. */
bool pki_hierarchy_is_shared(const struct pki_hierarchy *hierarchy);

/* A self-signed CA: ca/NAME.crt and .key. */
int pki_authority_make(const char *folder, const char *name, const char *subject, int years,
                       struct pki_authority *out, struct error *error);
void pki_authority_release(struct pki_authority *authority);

/* office.c: the identities of the back office itself, and the update server's CA. */
int pki_office_make(const char *folder, const struct pki_roots *roots, struct error *error);
int pki_office_load(struct pki *pki, struct error *error);
int pki_image_key_make(const char *folder, struct error *error);
int pki_update_ca_make(const char *folder, struct pki_authority *out, struct error *error);

/* devices.c */
int pki_devices_load(struct pki *pki, struct error *error);
int pki_devices_begin(struct pki *pki, size_t count, struct error *error);
int pki_devices_end(struct pki *pki, int result, struct error *error);

/* A device that is about to exist: everything that goes to its page and its rows. */
struct pki_newcomer {
  uint32_t id;
  char name[PKI_DEVICE_NAME];
  /* what it will know a certificate for its own by; empty: the name */
  char subject[PKI_DEVICE_NAME];
  enum device_subject subject_kind;
  EVP_PKEY *key;
  struct pki_issued row;
  X509 *leaf;   /* the first of the chain */
  uint8_t *csr; /* libcrypto's memory */
  size_t csr_size;
  const uint8_t *chain;
  size_t chain_size;
  const uint8_t *bundle;
  size_t bundle_size;
};
/* newcomer.c. 1 when a device of the fleet, or one entered before, goes by the name; 0, or -1. */
int pki_newcomer_is_taken(struct pki *pki, const char *name, struct error *error);

/* Gives a device that has a name its id; `next`, at first 1 or more than every id that
 * is in use, is where a free one is looked for. USAGE when somebody has the name. */
int pki_newcomer_take_id(struct pki *pki, struct pki_newcomer *newcomer, uint32_t *next,
                         struct error *error);
/* Its signing request: for the names that its certificate has, so that whoever signs it renews that
   one. USAGE: there is no room for it. */
int pki_devices_request(struct pki_newcomer *newcomer, struct error *error);

/* A page and rows for a device whose members are all set. */
int pki_devices_enter(struct pki *pki, const struct pki_newcomer *newcomer, uint32_t page,
                      struct error *error);
int pki_factory_bundle(struct pki *pki, const struct pki_roots *trusted, uint8_t *out, size_t *size,
                       struct error *error);

/* issue.c. Encodes certificates in the format of sim/device/identity.h; a sentence when they do not
   fit. */
int pki_encode_chain(X509 *const *certificates, size_t count, uint8_t *out, size_t capacity,
                     size_t *size, struct error *error);
void pki_describe_issued(const X509 *leaf, const char *issuer, bool imported,
                         struct pki_issued *row);

/* Certificates in that format, leaf first; NULL: it is none. The caller frees. */
STACK_OF(X509) * pki_decode_chain(const uint8_t *data, size_t size);

/* The certificates in force on the device, parsed, leaf first; SETUP when its page holds none. The
   caller frees. */
STACK_OF(X509) * pki_device_chain(struct pki *pki, size_t index, struct error *error);

/* The same that it came with, of the registry. */
STACK_OF(X509) * pki_device_first_chain(struct pki *pki, size_t index, struct error *error);

/* under.c: bit r: the certificates, leaf first, lead to root r of the fleet, as pki_chain_roots
   says. */
uint16_t pki_roots_above(const struct pki *pki, STACK_OF(X509) * sent);

/* Whom a device's certificate is for: its name, or what an earlier one of it says (NULL: there is
   none), and its key. */
struct pki_subject {
  const char *name;
  X509 *like;
  EVP_PKEY *key;
};

/* Mints a certificate for it, and encodes it with the intermediate that issued it. NULL on failure;
   the caller frees it. */
X509 *pki_issue(const struct pki *pki, const char *root, const struct pki_subject *subject,
                uint8_t *out, size_t capacity, size_t *size, struct pki_issued *row,
                struct error *error);

#endif

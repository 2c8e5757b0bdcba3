/* The fleet's certificate authorities, and everything they make.
 *
 * A fleet folder (mode 0700) holds:
 *     ca/ROOT.crt, ca/ROOT.key                 self-signed roots, P-256
 *     ca/ROOT-brokers.crt/.key                 issuing intermediate for broker certificates (EKU
 *                                              serverAuth leaves)
 *     ca/ROOT-devices.crt/.key                 issuing intermediate for device certificates (EKU
 *                                              clientAuth leaves); of an imported root it may be
 *                                              its owner's, and stands for ROOT-brokers, too
 *     ca/SUBJECT-by-ISSUER.crt                 cross-certificates, every ordered pair of roots
 *     ca/SUBJECT-by-ISSUER-expired.crt         the same, expired: made on demand
 *     ca/back-office.crt/.key                  issues the operator's certificate: no rotation of
 *                                              roots locks it out
 *     ca/update-ca.crt/.key                    issues the update server's certificate, and nothing
 *                                              that a broker shows
 *     update.key, update.pub                   signs trust bundles and manifests, and nothing else
 *     image.key, image.pub                     signs firmware images (pki/image.h) and nothing else
 *     operator.crt, operator.key, operator-ca.crt   the back office's client identity, and all
 *                                                   roots in one file
 *     registry.db                              SQLite: devices, their CSRs, every certificate
 *                                              issued
 *     nvm.bin                                  one page of DEVICE_NVM_PAGE_SIZE per device, mmap'd
 *                                              while open (nvm_store.h)
 * Keys are 0600 and leave the folder only by `fleetsim pki export`. Device private keys exist in
 * nvm.bin alone. A folder is open once at a time; a second pki_open is refused.
 */
#ifndef FLEETSIM_PKI_H
#define FLEETSIM_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chain_prints.h"
#include "base/error.h"
#include "base/files.h"
#include "fleetsim/device.h"

#define PKI_DEVICE_NAME_MAX 64 /* bytes of a device's name (base/name.h) .. */
#define PKI_DEVICE_NAME     (PKI_DEVICE_NAME_MAX + 1) /* .. and with its zero */
#define PKI_IMPORT_COLUMNS  4
#define PKI_ROOTS_MAX       8
#define PKI_NAME_MAX        32 /* bytes of a root's name with its zero: letters, digits, '-', '_' */

struct pki;
struct pki_password;

/* An ordered set of roots, by name. */
struct pki_roots {
  size_t count;
  char name[PKI_ROOTS_MAX][PKI_NAME_MAX];
};

#define PKI_ALSO_MAX 8

#define PKI_PATH_MAX 512 /* bytes of a path in a scenario, with its zero */

/* What a broker presents: leaf and issuing intermediate under `root`, optionally the
 * cross-certificate that lets holders of `cross` follow the chain. The flags are the mistakes that
 * a rehearsal makes on purpose. Or files of its owner's: then `root` is where they must lead, and
 * of the rest only the names and `leaf_expired` count. */
struct pki_chain {
  char root[PKI_NAME_MAX];
  char own[PKI_PATH_MAX];      /* "": it is made here */
  char own_key[PKI_PATH_MAX];  /* "": the broker has it */
  char password[PKI_PATH_MAX]; /* file with the key's passphrase; "": it has none */
  char cross[PKI_NAME_MAX];    /* "" : no cross-certificate */
  bool omit_intermediate;
  bool cross_expired;
  bool leaf_expired;
  /* the broker's name: SAN dNSName, or iPAddress when it is one */
  const char *host;
  const char *also[PKI_ALSO_MAX + 1]; /* further names that it answers to, then NULL */
};

/* A root that somebody else keeps: its certificate, and where he gives it a key to issue with. */
struct pki_foreign {
  char name[PKI_NAME_MAX];
  const char *path; /* one self-signed P-256 CA certificate */
  /* NULL, or a private key: the root's own, or that of an intermediate which the root issued, whose
   * certificate is in the same file; under a passphrase, then, or not (NULL: none was given) */
  const char *key_path;
  const struct pki_password *password;
};

/* A row of the registry: one certificate that a device got. */
struct pki_issued {
  uint8_t serial[20]; /* big-endian */
  uint8_t serial_size;
  char issuer[PKI_NAME_MAX];             /* the root's name; "" when it is none of the fleet's */
  int64_t not_before, not_after, issued; /* Unix seconds */
  bool imported;
};

/* What a device holds in its NVM page now. */
struct pki_device_state {
  uint32_t id;
  uint32_t bundle_version; /* 0: no whole bundle */
  size_t anchor_count;
  char anchor[DEVICE_ANCHORS_MAX][PKI_NAME_MAX]; /* "?": no root of this fleet */
  /* SHA-256 of the leaf's DER; zeros: no certificate */
  uint8_t certificate_id[32];
};

/* A certificate of the hierarchy. */
struct pki_authority_info {
  char file[3 * PKI_NAME_MAX];  /* below the fleet folder */
  char subject[72], issuer[72]; /* CN */
  uint8_t fingerprint[32];      /* SHA-256 of the DER */
  int64_t not_before, not_after;
  bool has_key;
};

/* Makes a new fleet folder with these roots. The folder must not hold a fleet yet. */
int pki_create(const char *folder, const struct pki_roots *roots, struct pki **out,
               struct error *error);

/* The same around roots that exist already. Without their keys trust bundles can be made and
 * devices imported, but nothing can be issued under these roots. With a root's key it gets two CAs
 * of ours below it, as one that was made here; an intermediate's issues all under its root, but for
 * what the root alone can sign: cross-certificates, and the root's own list. They are judged by the device's
 * own loader before the folder is made: one that no device could use, and the same one twice, are
 * USAGE; `warn`, which may be NULL, is told of one that is not valid now. Not while a device runs:
 * the device's crypto has one user at a time. */
int pki_create_foreign(const char *folder, const struct pki_foreign *foreign, size_t count,
                       struct pki **out, void (*warn)(void *ctx, const char *sentence), void *ctx,
                       struct error *error);

/* Opens an existing one; refuses folders and keys that others can read, naming the chmod that mends
   it. */
int pki_open(const char *folder, struct pki **out, struct error *error);
void pki_close(struct pki *pki);

/* Closes a fleet that was just made and is not wanted after all, and removes it with its keys. */
void pki_discard(struct pki *pki);

const struct pki_roots *pki_roots(const struct pki *pki);
const char *pki_folder(const struct pki *pki);
bool pki_has_root(const struct pki *pki, const char *root);
bool pki_can_issue(const struct pki *pki, const char *root);
bool pki_roots_include(const struct pki_roots *roots, const char *name);

/* Checks what pki_create would refuse: 1 to PKI_ROOTS_MAX distinct names that make file names. */
int pki_roots_check_names(const struct pki_roots *roots, struct error *error);

/* Devices have indices 0..count-1 in ascending order of id. Adding and importing may shift them,
 * and moves the pages.
 */

/* Adds `count` devices (ids follow the highest in use, the first is 00000001): key, CSR,
 * certificate under `issuing_root`, registry row, NVM page with trust bundle version 1 of
 * `trusted`. One transaction. */
int pki_add_devices(struct pki *pki, size_t count, const char *issuing_root,
                    const struct pki_roots *trusted, struct error *error);

/* The same with a name (base/name.h) for each, its certificate's CN; `name` writes that of the
 * device `index` of those that are added. USAGE where somebody has it already. `column` tells what
 * else is known of it, one after the other from 0, for pki_device_columns: false behind the last
 * one; a value of NULL is not kept. NULL: nothing. */
struct pki_naming {
  int (*name)(void *ctx, size_t index, char out[PKI_DEVICE_NAME], struct error *error);
  void *ctx;
  bool (*column)(void *ctx, size_t index, size_t column, const char **name, const char **value);
};
int pki_add_named_devices(struct pki *pki, size_t count, const struct pki_naming *naming,
                          const char *issuing_root, const struct pki_roots *trusted,
                          struct error *error);

/* Where a device's name comes from: the list's column 'id'; the leaf's only CN, or the attribute
 * serialNumber of its subject; its only URI or DNS name among the subject's alternative names. */
enum pki_id_from {
  PKI_ID_FROM_CSV,
  PKI_ID_FROM_CN,
  PKI_ID_FROM_SERIAL,
  PKI_ID_FROM_URI,
  PKI_ID_FROM_DNS,
};

/* How a list of devices is read. */
struct pki_import {
  enum pki_id_from id_from;
  struct pki_roots trusted; /* what the devices trust at first */
  /* by enum pki_csv_role (pki/csv.h): the column that has it; NULL: one of the usual names */
  const char *column[PKI_IMPORT_COLUMNS];
  const struct pki_password *password; /* of keys that are under one; NULL: none was given */
  /* brokers know the devices in another way: the list has no files, and each gets a key of its own
     with a certificate of nobody's, which it does not show */
  bool no_certificates;
};

/* Imports devices from a CSV (pki/csv.h), in its order, each by its name (pki/names.h): keys and certificates in any form of pki/contents.h, in
 * one file or two; relative paths are relative to the CSV. A CSR is made from each key. What the
 * device's own loader would not take is USAGE, with FILE:LINE, and nothing is changed when any line
 * is wrong; what brokers will refuse (expired, without its intermediate, not for clients ..) is
 * taken, and `warn`, which may be NULL, is told of it. Not while a device runs. */
int pki_import_devices(struct pki *pki, const char *csv, const struct pki_import *how,
                       void (*warn)(void *ctx, const char *sentence), void *ctx,
                       struct error *error);

/* What its owner calls the device: the name that it was imported with, or its id in eight hex
 * digits. The id of an imported device is a number of the folder's own where the name is not such
 * an id. */
int pki_device_name(const struct pki *pki, size_t index, char out[PKI_DEVICE_NAME],
                    struct error *error);

/* The same for a sentence, of a device by its id: the id where the registry cannot tell. Returns
   `out`. */
const char *pki_device_text(const struct pki *pki, uint32_t id, char out[PKI_DEVICE_NAME]);

/* 1 and the index of the device of that name, 0 when there is none, -1: error. */
int pki_find_name(const struct pki *pki, const char *name, size_t *index, struct error *error);

/* The columns of the list that the device was imported or named from, by name, but for those of its files.
 * A value may be a secret. */
int pki_device_columns(const struct pki *pki, size_t index,
                       void (*each)(void *ctx, const char *name, const char *value), void *ctx,
                       struct error *error);

size_t pki_device_count(const struct pki *pki);
uint32_t pki_device_id(const struct pki *pki, size_t index);

/* false: there is no such device. */
bool pki_find_device(const struct pki *pki, uint32_t id, size_t *index);

/* The device's NVM page, DEVICE_NVM_PAGE_SIZE bytes in the mapped file, for pki_nvm_read and
 * pki_nvm_write (nvm_store.h); valid until pki_close, pki_add_devices or pki_import_devices. */
uint8_t *pki_device_page(struct pki *pki, size_t index);

/* Puts every device back to how it was made: certificate under `issuing_root`, trust bundle version
 * 1 of `trusted`, nothing remembered of firmware updates: image slots are of one run. For a run on
 * a folder that an earlier run changed. The private key stays. The certificate is the first that
 * the device got under that root, or a new one if there is none; under a root without a key, the
 * first at all. Every revocation (pki/crl.h) is taken back. */
int pki_reset_devices(struct pki *pki, const char *issuing_root, const struct pki_roots *trusted,
                      struct error *error);

/* Issues a new certificate from the device's kept CSR under `root`; `out` receives the chain in the
 * format of sim/device/identity.h. The registry gets a row. Runs inside pki_begin/pki_commit when
 * the caller opened one. */
int pki_reissue(struct pki *pki, size_t index, const char *root, uint8_t *out, size_t capacity,
                size_t *size, struct error *error);
int pki_begin(struct pki *pki, struct error *error);
int pki_commit(struct pki *pki, struct error *error);

/* What is known of a device: its certificates in the registry, oldest first, and what its page
   holds. */
int pki_device_certificates(struct pki *pki, size_t index,
                            void (*each)(void *ctx, const struct pki_issued *row), void *ctx,
                            struct error *error);
int pki_device_look(struct pki *pki, size_t index, struct pki_device_state *out,
                    struct error *error);

/* Bit r: the chain (format of sim/device/identity.h) is under root r of pki_roots(): signature by
 * signature, through the certificates that it holds, to that root. Expired ones count. 0: under
 * none, or it is no chain. */
uint16_t pki_chain_roots(const struct pki *pki, const uint8_t *chain, size_t size);

/* By its dates the chain's leaf counts now. False of what is no chain, too. */
bool pki_chain_is_current(const uint8_t *chain, size_t size);

/* When the chain's leaf ends, in Unix seconds; 0: it is no chain. */
int64_t pki_chain_ends(const uint8_t *chain, size_t size);
int pki_certificate_count(struct pki *pki, size_t *count, struct error *error);

/* Roots, intermediates, back office, update CA and cross-certificates. */
int pki_each_authority(const struct pki *pki,
                       void (*each)(void *ctx, const struct pki_authority_info *info), void *ctx,
                       struct error *error);

/* Writes the device's certificate chain in force (PEM) and private key (PEM, 0600), for other MQTT
   clients. */
int pki_write_device(struct pki *pki, size_t index, const char *certificate_path,
                     const char *key_path, struct error *error);

/* The same with another chain that was issued to it, in the format of sim/device/identity.h: its key
   is one and the same. */
int pki_write_device_with(struct pki *pki, size_t index, const uint8_t *chain, size_t size,
                          const char *certificate_path, const char *key_path, struct error *error);

/* Writes certificate chain (PEM) and key (PEM, 0600) of a client under `root`, to see whether a
 * broker takes it: one of nobody's, CN PKI_PROBE_NAME, that is valid for a day and stands in no
 * registry; where the folder cannot issue under that root, that of the first device whose chain is
 * under it and whom `may`, unless NULL, lets stand in: *whose is its index, or PKI_NOBODY. 1: there
 * is neither; 0, or -1. */
#define PKI_PROBE_NAME "fleetsim-probe"
#define PKI_NOBODY     SIZE_MAX
int pki_write_probe(struct pki *pki, const char *root, bool (*may)(void *ctx, size_t index),
                    void *ctx, const char *certificate_path, const char *key_path, size_t *whose,
                    struct error *error);

/* The one of nobody's under `root`, which is one and the same until it is forgotten: a broker may count
 * how often each client comes. 1: the folder cannot issue there; 0, or -1. */
int pki_write_stranger(struct pki *pki, const char *root, const char *certificate_path,
                       const char *key_path, struct error *error);
void pki_forget_strangers(struct pki *pki);

/* The same of a client of the back office's own CA: a broker that lets the operator in lets it in,
   whatever roots it trusts devices by. */
int pki_write_office_probe(struct pki *pki, const char *certificate_path, const char *key_path,
                           struct error *error);

/* Makes and signs a trust bundle in the format of sim/device/trust.h. */
int pki_make_bundle(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                    uint8_t *out, size_t capacity, size_t *size, struct error *error);

/* Which revocation lists (pki/crl.h) a bundle carries. They are those of the CAs that broker
 * certificates come from: each root's own, which has its intermediates and the cross-certificates
 * that it gave, and its CA for brokers. */
enum pki_lists {
  PKI_LISTS_NONE,
  PKI_LISTS_USED, /* those that revoke something: for devices that believe the lists they hold */
  /* for devices that require a list of every CA: two per root, 215 bytes each and 50 more per
     entry */
  PKI_LISTS_ALL,
};

/* As pki_make_bundle, and with lists that are in force for 90 days. A list of what the root's owner
 * alone can sign, and more than fits the device's memory, are refused with a sentence. */
int pki_make_bundle_with_lists(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                               enum pki_lists lists, uint8_t *out, size_t capacity, size_t *size,
                               struct error *error);

/* What the bundle version 1 of devices that are added, imported or reset from here on carries;
 * PKI_LISTS_NONE when nothing was said. */
void pki_set_factory_lists(struct pki *pki, enum pki_lists lists);

/* Writes a broker's certificate chain (PEM, leaf first) and key (PEM, 0600), or the owner's, judged
 * again; without a key of his there is no file of one afterwards. `wanted` receives what the broker must serve, so
 * that the caller can prove that it does: all but roots, which devices have. */
int pki_write_broker_chain(struct pki *pki, const struct pki_chain *chain,
                           const char *certificate_path, const char *key_path,
                           struct chain_prints *wanted, struct error *error);

/* Judges the files of `chain->own` as devices will: certificates in any order and form, and the key,
 * if there is one, fit together and can be loaded; by their signatures they lead to `root`; the leaf
 * is for servers of `host` and `also`, and all are in force, but for a leaf that is to have expired.
 * USAGE, with the file's name. `pki` NULL: where they lead is not known yet. Not while a device
 * runs. */
int pki_check_own_chain(const struct pki *pki, const struct pki_chain *chain, struct error *error);

/* DER bytes of the certificates in a chain's file; 0 when there is none. */
uint32_t pki_chain_bytes(const char *certificate_path);

/* The same as a broker's for the update server: a leaf (EKU serverAuth) that the update CA
 * issued, for `host` and `also` of `chain`, of which only `leaf_expired` counts besides. No root
 * of the fleet leads to it, and it to none: what breaks one channel leaves the other. `ca_path`
 * receives the absolute or relative path of the update CA's certificate, by which devices judge
 * the server. In a folder that was made before there was an update CA it is made now. */
int pki_write_update_chain(struct pki *pki, const struct pki_chain *chain,
                           const char *certificate_path, const char *key_path,
                           char ca_path[FILES_PATH_MAX], struct error *error);

/* Writes the CA file by which a broker verifies devices (and the operator): the roots, and the
   operator's issuer. */
int pki_write_client_ca(struct pki *pki, const struct pki_roots *roots, const char *path,
                        struct error *error);

/* SHA-256 of the DER of a root's self-signed certificate: what DEVICE_NOTE_HANDSHAKE calls
   anchor_id. */
int pki_anchor_id(const struct pki *pki, const char *root, uint8_t id[32]);

#endif

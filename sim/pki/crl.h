/* Revocation: which certificates of the fleet's authorities no longer count, and the CRLs (RFC
 * 5280, v2) that say so.
 *
 * Revocations stand in the registry until they are taken back; a CRL is made from them whenever one
 * is asked for. Every CRL of an authority has a higher crlNumber than the one before. A certificate
 * that somebody else issued is revoked by whoever issued it: for imported devices whose issuer's key
 * is not here, and under roots without one, each call says so.
 */
#ifndef FLEETSIM_PKI_CRL_H
#define FLEETSIM_PKI_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/pki.h"
#include "pki/reason.h"

#define PKI_CRL_FILLER_MAX 100000u
#define PKI_CRL_FILE_MAX   (16u << 20) /* bytes of a file of CRLs that is read */

/* Which authority of a root signs the CRL: the root itself (it revokes intermediates), or one of
 * its two issuing CAs.
 */
enum pki_crl_issuer { PKI_CRL_ROOT, PKI_CRL_BROKERS, PKI_CRL_DEVICES };

/* Unix seconds. A CRL that expired already is allowed, a rehearsal wants one; one that ends before
   it begins is not. */
struct pki_crl_times {
  int64_t this_update, next_update;
};

/* Revokes the device's certificate in force, or every one that it ever got (`all`: what a stolen
 * key calls for). `newly`, which may be NULL, receives how many were not revoked before; to revoke
 * again changes nothing, the first reason stays. Cheap inside pki_begin/pki_commit, a disk write
 * each time outside. */
int pki_revoke_device(struct pki *pki, size_t index, bool all, enum pki_reason reason,
                      size_t *newly, struct error *error);

/* Revokes the leaf that pki_write_broker_chain made last under `root`, or one of the root's two
   intermediates. */
int pki_revoke_broker(struct pki *pki, const char *root, enum pki_reason reason,
                      struct error *error);
int pki_revoke_intermediate(struct pki *pki, const char *root, enum pki_crl_issuer which,
                            enum pki_reason reason, struct error *error);

/* One certificate of a chain that a broker presents. */
enum pki_part { PKI_PART_LEAF, PKI_PART_INTERMEDIATE, PKI_PART_CROSS };

/* Revokes that part of `chain` as pki_write_broker_chain wrote it to `path`: the very leaf in that
 * file, whatever was made under its root since; its key has leaked. A chain without a
 * cross-certificate has none to revoke. The second takes it back. */
int pki_revoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                    const char *path, struct error *error);
int pki_unrevoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                      const char *path, struct error *error);

/* Takes revocations back by deleting their rows: the next CRL no longer names them. A rehearsal may
 * do that to any certificate; RFC 5280 lets a real CA do it only to one on certificateHold (a later
 * full CRL leaves it out, a delta CRL says removeFromCRL), everything else is revoked for good.
 * `count`, which may be NULL, receives how many were revoked. The broker's leaf is again the last
 * one made under `root`. */
int pki_unrevoke_device(struct pki *pki, size_t index, size_t *count, struct error *error);
int pki_unrevoke_broker(struct pki *pki, const char *root, size_t *count, struct error *error);
int pki_unrevoke_intermediate(struct pki *pki, const char *root, enum pki_crl_issuer which,
                              size_t *count, struct error *error);

/* Every revoked certificate, in the order of revocation. */
int pki_each_revoked(struct pki *pki, void (*each)(void *ctx, const struct pki_revoked *row),
                     void *ctx, struct error *error);

/* Makes the authority's CRL: DER, at most `capacity` bytes. An empty one has about 250, each entry
   adds about 50. */
int pki_crl_der(struct pki *pki, const char *root, enum pki_crl_issuer issuer,
                const struct pki_crl_times *times, uint8_t *out, size_t capacity, size_t *size,
                struct error *error);

/* Whether pki_revoke_device could revoke anything of the device; else a sentence, USAGE where all
 * of its certificates were imported. Nothing is changed. */
int pki_check_revocable(struct pki *pki, size_t index, struct error *error);

/* Whether the lists that pki_write_crls makes of `roots` have that of whoever issued the certificate
 * that each of the first `count` devices came with, as far as it is under one of them: else USAGE,
 * for a broker that checks lists would let that device in no more. */
int pki_check_listed(struct pki *pki, const struct pki_roots *roots, size_t count,
                     struct error *error);

/* Writes every CRL that a broker needs to verify the devices under `roots` and the operator, as
 * PEM: of each root and its CA for devices, and of the back office; not of a root that has only an
 * intermediate's key here: brokers that check whole chains get that list from its owner. Without the CRL of an issuer, a
 * broker that checks them refuses all that it issued. `filler` is the number of entries, up to
 * PKI_CRL_FILLER_MAX, with serials that nobody has: they make the first root's CRL of devices as
 * long as one that years have filled. */
int pki_write_crls(struct pki *pki, const struct pki_roots *roots,
                   const struct pki_crl_times *times, size_t filler, const char *path,
                   struct error *error);

/* The newest lists that a run has published so far, in its steps' order. All zero: none. To be
   freed. */
struct pki_crl_history {
  struct pki_crl_seen *seen;
  size_t count;
  int64_t ours_since; /* when a list was made of this folder's revocations; 0: never */
};
void pki_crl_history_ours(struct pki_crl_history *history); /* one is made now */
void pki_crl_history_free(struct pki_crl_history *history);

/* Checks a file of CRLs that somebody else made: whether a broker that is given it still accepts
 * the devices and the operator, and refuses whom the lists before it revoked. Each CRL must be of
 * an authority of this fleet, its devices or its operator, signed by it, in force now, complete (no
 * delta, not for some reasons; for a distribution point only where the devices' certificates name
 * it, beside a complete one, too), without critical extensions that
 * brokers do not know, and not older than those in `history` (NULL: the first), which then knows
 * it; and there must be one for whoever issued a device's certificate. Only the back office's own
 * may be missing: pki_complete_crls adds it. A USAGE sentence says what is wrong and what will come
 * of it; `warn`, which may be NULL, is told what may be. */
int pki_check_crls(struct pki *pki, const char *path, struct pki_crl_history *history,
                   void (*warn)(void *ctx, const char *sentence), void *ctx, struct error *error);

/* Refuses what may be published on no account, whatever is checked otherwise: a file that cannot be
 * read, and one that holds a private key. */
int pki_check_crl_secrets(const char *path, struct error *error);

/* Writes `file` to `path`, byte for byte, and where it has no list of the back office, one behind
 * it that is made now: without one a broker that checks CRLs refuses the operator. What holds no
 * whole CRLs is copied as it is, but for a private key: that is refused. */
int pki_complete_crls(struct pki *pki, const char *file, const struct pki_crl_times *times,
                      const char *path, struct error *error);

/* A chain that a device was issued once. Valid during the call. */
struct pki_former {
  size_t device;        /* index */
  const uint8_t *chain; /* in the format of sim/device/identity.h */
  size_t size;
};

/* Calls `each` for the chains of the registry whose certificate is on a CRL of the file, as below,
   and is not the one in force on its device; the newest first. */
int pki_crls_name_former(struct pki *pki, const char *path,
                         void (*each)(void *ctx, const struct pki_former *former), void *ctx,
                         struct error *error);

/* When the first of the file's lists is over (nextUpdate), Unix seconds; INT64_MAX: none ever. */
int pki_crls_end(const char *path, int64_t *out, struct error *error);

/* Sets names[i] where the certificate in force on device i (of the first `count`) is on a CRL of
   the file that speaks of it: one for a distribution point that it does not name does not. */
int pki_crls_name(struct pki *pki, const char *path, bool *names, size_t count,
                  struct error *error);

#endif

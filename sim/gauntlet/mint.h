/* The certificates of one case, made with libcrypto. Keys live in memory only. */
#ifndef FLEETSIM_GAUNTLET_MINT_H
#define FLEETSIM_GAUNTLET_MINT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "gauntlet/cases.h"

#define MINT_HOST "broker.test" /* the name that cases give a broker */

struct mint {
  size_t count;
  X509 *x509[CASE_CERTIFICATES_MAX];
  EVP_PKEY *key[CASE_CERTIFICATES_MAX];
};

/* How the case's world is put into that of a client. */
struct mint_setting {
  int64_t now_unix_s; /* the client's clock, which stands for the case's; 0: dates are as written */
  const char *host;   /* what the client calls its broker, instead of MINT_HOST; NULL: that. A name
                       * or an address */
  /* certificates of the defaults that a client was given once: a case that has them unchanged gets
   * the very same, and one without a key signs nothing. NULL: none */
  const struct mint *kept;
  const struct gauntlet_case *kept_case; /* of `kept` */
};

/* Finds the keys that take long now, so that no client waits for them later. */
void mint_warm_up(void);

/* 0, or -1 with a sentence in `why`. Free in both cases. */
int mint_make(const struct gauntlet_case *c, struct mint *out, char *why, size_t why_size);
int mint_make_in(const struct gauntlet_case *c, const struct mint_setting *setting,
                 struct mint *out, char *why, size_t why_size);
void mint_free(struct mint *mint);

/* Whether a client that was given `kept` once holds all that this case wants it to trust. */
bool mint_trusts_kept(const struct gauntlet_case *c, const struct mint_setting *setting);

#endif

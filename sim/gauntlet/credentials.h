/* What a client under test is given: what it trusts, the broker's name, a certificate of its own. */
#ifndef FLEETSIM_GAUNTLET_CREDENTIALS_H
#define FLEETSIM_GAUNTLET_CREDENTIALS_H

#include "base/error.h"
#include "gauntlet/mint.h"

#define CREDENTIALS_CLIENT "gauntlet-device" /* its name: CN and client id */

struct credentials {
  struct gauntlet_case *defaults; /* as a case of its own: what every case inherits */
  struct mint kept;               /* of the defaults: the roots that the client holds for good */
  EVP_PKEY *client_key;
  X509 *client;
  struct mint_setting setting;
};

/* Made anew, in memory; or, with `keys`, a folder, with the roots that are kept there, which are put
 * there first if it has none: who was given them once can come again. `host` is what the client calls
 * its broker and outlives this. 0, or -1; to be closed in both cases. */
int credentials_make(struct credentials *out, const struct cases *cases, const char *host,
                     const char *keys, int64_t now_unix_s, struct error *error);
void credentials_close(struct credentials *credentials);

#endif

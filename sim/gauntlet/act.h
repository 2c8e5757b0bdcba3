/* One case in one version of TLS, made ready: certificates, keys and OpenSSL's settings, for any
 * number of connections. */
#ifndef FLEETSIM_GAUNTLET_ACT_H
#define FLEETSIM_GAUNTLET_ACT_H

#include <openssl/ssl.h>

#include "base/error.h"
#include "gauntlet/mint.h"

struct act {
  const struct gauntlet_case *c; /* the caller's, outlives it */
  uint8_t tls;                   /* 10 to 13 */
  struct mint mint;
  SSL_CTX *context;
  char host[128]; /* what the client was told: for texts of scripts that name it */
  uint16_t port;
  bool
      listens; /* a case that has nothing to say inside TLS waits for a CONNECT and does not answer */
  const uint8_t *image; /* what a good update server serves; the caller's */
  size_t image_size;
};

/* NULL setting: certificates and dates as they are written. 0, or -1 with a sentence; to be closed in
 * both cases. */
int act_open(struct act *act, const struct gauntlet_case *c, uint8_t tls,
             const struct mint_setting *setting, struct error *error);
void act_close(struct act *act);

/* The certificate of that name in the case. */
X509 *act_certificate(const struct act *act, const char *name);

#endif

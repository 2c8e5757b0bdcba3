/* A hostile server in the midst of somebody else's run: clients that the caller leads there one by one
 * are shown a case, under a root that they trust, and what each made of it is told.
 *
 *     ambush_open -> ambush_address -> outcome, outcome, ... -> ambush_close
 *
 * It knows its clients by the loopback address that they come from, a different one each; whoever else
 * comes is turned away. Nothing here needs libuv or OpenSSL of who includes it.
 */
#ifndef FLEETSIM_GAUNTLET_AMBUSH_H
#define FLEETSIM_GAUNTLET_AMBUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct ambush;
struct cases;
struct gauntlet_case;
struct pki;
struct uv_loop_s;

/* Of one connection. */
enum ambush_result {
  AMBUSH_REFUSED, /* the server had said all, and the client went without having given it anything */
  AMBUSH_BELIEVED, /* it has given it application data, or gone on where the proof was wrong */
  AMBUSH_UNSERVED, /* it offers nothing that the case could be shown with */
  AMBUSH_UNCLEAR,  /* it was gone before that, or had not made up its mind when it ended */
};

struct ambush_outcome {
  size_t guest;
  enum ambush_result result;
  const char *why; /* what was seen, in a sentence; valid during the call */
};

struct ambush_setting {
  struct uv_loop_s *loop;
  const struct cases *cases;     /* whose `defaults` the case has inherited */
  const struct gauntlet_case *c; /* with `cases` outlives the ambush */
  const struct pki *pki;         /* during ambush_open */
  const char *root;           /* that clients trust and the case calls `root`; during ambush_open */
  const char *host;           /* what they call their broker; outlives it */
  int64_t now_unix_s;         /* the clock of the clients */
  uint8_t tls;                /* ambush_fits */
  size_t first_guest, guests; /* their numbers, for addresses */
  void (*outcome)(void *ctx,
                  const struct ambush_outcome *outcome); /* from the loop, and from ambush_close */
  void *ctx;
};

/* Whether a client of a run that offers TLS `tls_min` to `tls_max` (12, 13) can be shown it: it must differ
 * in what is shown alone. The version of TLS, 12 or 13; 0: no, and why. */
uint8_t ambush_fits(const struct cases *cases, const struct gauntlet_case *c, uint8_t tls_min,
                    uint8_t tls_max, char *why, size_t why_size);

/* Whether it can be made: of the setting only cases, c, pki, root, host, now_unix_s and tls count. 0, or -1
 * with a sentence. */
int ambush_try(const struct ambush_setting *setting, struct error *error);

/* 0, or -1 with a sentence, and *out is NULL. */
int ambush_open(const struct ambush_setting *setting, struct ambush **out, struct error *error);

/* Where clients must be led, and the address (port 0) that this one must come from. */
void ambush_address(const struct ambush *ambush, size_t guest, struct sockaddr_storage *to,
                    struct sockaddr_storage *from);

/* Connections that are open end, and are told of from inside this call; nothing is from here on. Its
 * memory goes when the loop has let go of it. */
void ambush_close(struct ambush *ambush);

#endif

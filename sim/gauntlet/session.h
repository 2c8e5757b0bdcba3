/* A listener before which real devices come by themselves, each to be shown one case after the other.
 *
 * Devices are told apart by their address, and by the port that they come to where there are several.
 * The certificate that one shows in TLS names it; a second one from the same place, or a second client
 * id in CONNECT, is told, and nothing is proven of either: two devices have been taken for one.
 */
#ifndef FLEETSIM_GAUNTLET_SESSION_H
#define FLEETSIM_GAUNTLET_SESSION_H

#include <netinet/in.h>

#include "gauntlet/gauntlet.h"
#include "gauntlet/guest.h"

#define SESSION_GUESTS_MAX 64u
#define SESSION_PORTS_MAX  512u

struct session_options {
  const struct gauntlet_options
      *gauntlet;              /* cases, versions, host, patience_ms; jobs is not used */
  struct sockaddr_in address; /* of the first port */
  unsigned ports;             /* so many, one after the other */
  bool cases_by_port;         /* the n-th port always shows the n-th trial */
  const char *keys;           /* folder of the roots that devices hold */
  const char *export;         /* folder for what a device is given; NULL */
  const char *power;          /* command with {on|off}; NULL: the owner is asked */
  uint32_t absent_ms;         /* so long without a connection: power, or a prompt */
  uint32_t give_up_ms;        /* so long: the session ends */
  /* lines for the owner; may be NULL */
  void (*say)(void *ctx, const char *line);
  /* whenever something has changed; may be NULL */
  void (*show)(void *ctx, const struct guest *guests, size_t count);
  void *ctx;
};

struct session_outcome {
  size_t count;
  struct guest guest[SESSION_GUESTS_MAX];
  bool interrupted;
  unsigned silent;      /* connections without a ClientHello, which count for nothing */
  unsigned turned_away; /* connections of guests beyond SESSION_GUESTS_MAX, or for want of memory */
};

/* Until every guest is through, nobody comes any more, or SIGINT or SIGTERM. 0, or -1: USAGE, SETUP
 * (the port is in use; nobody came at all). To be freed in both cases. */
int session_run(const struct session_options *options, struct session_outcome *out,
                struct error *error);
void session_free(struct session_outcome *outcome);

#endif

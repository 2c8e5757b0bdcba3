/* Devices that must be let in again after a restart, where they were let in before it. The back
 * office and a client of its CA may be let in by a broker that has forgotten whom it trusts devices
 * by. */
#ifndef FLEETSIM_STAGE_ENTRANTS_H
#define FLEETSIM_STAGE_ENTRANTS_H

#include "stage/stage.h"

#define STAGE_ENTRANTS_MAX 4

struct stage_entrants {
  struct stage_stand_in as[STAGE_ENTRANTS_MAX];
  size_t count;
  bool in[STAGE_ENTRANTS_MAX][SCENARIO_NODES_MAX]; /* before, by every machine there .. */
  /* .. and whether that was TLS only (device_looks.h) */
  bool by_tls[STAGE_ENTRANTS_MAX][SCENARIO_NODES_MAX];
};

/* Looks as one device of each issuer that the broker should trust devices by, among those that have
 * been online and are not revoked; nobody after a list that shuts devices out by itself. A look may
 * end the device's own session: a restart ends it too. The phase says at which addresses nobody was
 * let in. DONE, or ABORTED. */
enum step_outcome stage_entrants_look(struct stage *stage, struct stage_entrants *out);

/* Each of them must be let in again within 20 s, at every address where it was. FAILED says who is
   not, where. */
enum step_outcome stage_entrants_return(struct stage *stage, const struct stage_entrants *entrants);

#endif

/* One client's connection to a hostile server: what the case does is done to it, and what it does is
 * observed.
 *
 *     visit_open -> changed, changed, ... -> ended
 */
#ifndef FLEETSIM_GAUNTLET_VISIT_H
#define FLEETSIM_GAUNTLET_VISIT_H

#include <uv.h>

#include "gauntlet/act.h"
#include "gauntlet/observation.h"

struct visit;

struct visit_handler {
  /* the connection is over, and all that was seen of it is in `seen`; the visit is gone when this
   * returns */
  void (*ended)(void *ctx, const struct observation *seen);
};

/* Takes over the descriptor of a connection that was just accepted. `act` outlives the visit. NULL:
 * no memory or handle; the descriptor is closed. */
struct visit *visit_open(uv_loop_t *loop, int fd, const struct act *act, uint64_t began_ms,
                         const struct visit_handler *handler, void *ctx);

/* What has been seen up to now. */
const struct observation *visit_seen(const struct visit *visit);

/* Closes it as the end of the trial; `ended` comes from the loop. */
void visit_close(struct visit *visit);

#endif

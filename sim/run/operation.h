/* One thing that is done to a broker or server and that ends by a callback. Internal to sim/run.
 *
 *     struct run_operation *operation = run_operation_new(run);        (NULL: the run is aborted,
 *                                                                      out of memory)
 *     broker_reload(broker, run_operation_ended, operation);
 *     if (run_operation_finish(run, operation, "the reload", 70000) != 0) return -1;
 *
 * Nothing here waits longer than it says, nor a moment once the run is aborted: what has not ended
 * then is left behind and may still call back until the brokers are closed.
 */
#ifndef FLEETSIM_RUN_OPERATION_H
#define FLEETSIM_RUN_OPERATION_H

#include "run/state.h"

struct run_operation {
  bool ended, failed;
  struct error error;
  struct broker_seen seen;
};

struct run_operation *run_operation_new(struct run *run);

/* Callbacks for it; `ctx` is the operation. */
void run_operation_ended(void *ctx, const struct error *error);
void run_operation_seen(void *ctx, const struct broker_seen *seen, const struct error *error);

enum run_waited run_operation_await(struct run *run, struct run_operation *operation,
                                    uint64_t within_ms);

/* Frees it, now or when nobody calls back any more. */
void run_operation_free(struct run *run, struct run_operation *operation);

/* Waits, frees; 0, or -1 with the run aborted. `what` is for the sentence that says that its time
   is over. */
int run_operation_finish(struct run *run, struct run_operation *operation, const char *what,
                         uint64_t within_ms);

/* The same for other blocks that a callback may still write to: free()d when nobody calls back any
   more. */
void run_keep(struct run *run, void *block);
void run_free_kept(struct run *run);

#endif

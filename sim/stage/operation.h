/* One thing that is done to a broker or server and that ends by a callback.
 *
 *     struct stage_operation *operation = stage_operation_new(stage);
 *     if (operation == NULL) return -1; // out of memory: the run is aborted
 *     broker_reload(broker, stage_operation_ended, operation);
 *     if (stage_operation_finish(stage, operation, "the reload", 70000) != 0) return -1;
 *
 * Nothing here waits longer than it says, nor a moment once the run is aborted: what has not ended
 * then is left behind and may still call back until the brokers are closed.
 */
#ifndef FLEETSIM_STAGE_OPERATION_H
#define FLEETSIM_STAGE_OPERATION_H

#include "stage/wait.h"

struct stage_operation {
  bool ended, failed;
  struct error error;
  struct broker_seen seen;
};

struct stage_operation *stage_operation_new(struct stage *stage);

/* Callbacks for it; `ctx` is the operation. */
void stage_operation_ended(void *ctx, const struct error *error);
void stage_operation_seen(void *ctx, const struct broker_seen *seen, const struct error *error);

enum stage_waited stage_operation_await(struct stage *stage, struct stage_operation *operation,
                                        uint64_t within_ms);

/* Frees it, now or when nobody calls back any more. */
void stage_operation_free(struct stage *stage, struct stage_operation *operation);

/* Waits, frees; 0, or -1 with the run aborted, or, where its error is FAIL, with stage->error alone.
   `what` is for the sentence that says that its time is over. */
int stage_operation_finish(struct stage *stage, struct stage_operation *operation, const char *what,
                           uint64_t within_ms);

/* The same for other blocks that a callback may still write to: free()d when nobody calls back any
   more. */
void stage_keep(struct stage *stage, void *block);
void stage_free_kept(struct stage *stage);

#endif

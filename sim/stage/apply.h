/* What is done to the brokers, and proven to have happened. */
#ifndef FLEETSIM_STAGE_APPLY_H
#define FLEETSIM_STAGE_APPLY_H

#include "stage/stage.h"

/* Does it to one broker, or to all that are reachable; waits until it is done. 0, or -1 with the
 * run aborted. */
int stage_wait_node(struct stage *stage, size_t node, broker_operation *operation,
                    uint64_t within_ms);
int stage_wait_broker(struct stage *stage, broker_operation *operation, uint64_t within_ms);

/* How many brokers are given files and told of them: one set of hooks is told for all addresses of
   a service. */
size_t stage_told_count(const struct stage *stage);

/* `node`: one broker, -1: all that are reachable. */
enum step_outcome stage_broker_apply(struct stage *stage, enum scenario_apply apply, int node);

/* Every name by which devices may come: that of each address of a service, and those of the
 * scenario, which must outlive the chain. */
void stage_name_hosts(const struct scenario *scenario, struct pki_chain *chain);

/* Writes a chain for a listener. 0, or -1 with stage->error. */
int stage_write_chain(struct stage *stage, enum broker_listener listener,
                      const struct pki_chain *chain);

/* Removes the copies of keys that the brokers' owners brought (present: key): nothing is presented any
 * more. What cannot be removed is said. */
void stage_forget_own_keys(struct stage *stage);

/* Presents `chain` at a listener: files, hook, reload or restart, and a probe that sees the new
 * leaf served. */
enum step_outcome stage_present(struct stage *stage, enum broker_listener listener,
                                const struct pki_chain *chain, enum scenario_apply apply);

/* Looks at what brokers (`only` one, or -1: all that are reachable) serve where a chain was written
 * that waits to be in force: it must be that chain. The fleet's proofs are of it from then on. */
enum step_outcome stage_confirm_served(struct stage *stage, int only);

/* At the end of a run: what was seen to be served by a broker elsewhere still is, unless the scenario
 * expects stale leaves. FAILED with stage->error, which says when. */
enum step_outcome stage_chains_try_again(struct stage *stage);

/* SIGKILL for the local broker, and started again on the same ports: what it had not saved is
 * gone. */
enum step_outcome stage_broker_crash(struct stage *stage);

#endif

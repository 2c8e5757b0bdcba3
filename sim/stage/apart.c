/* A hook that installs one file for both listeners proves a chain to the fleet and brings it to
 * production at once. */
#include "stage/apart.h"

#include <string.h>

#include "stage/nodes.h"
#include "stage/rounds.h"

static bool is_separate(const struct broker *broker)
{
  bool same_port = broker_port(broker, BROKER_MAIN) == broker_port(broker, BROKER_PROVE);
  bool same_address =
      strcmp(broker_address(broker, BROKER_MAIN), broker_address(broker, BROKER_PROVE)) == 0;
  return broker_is(broker, BROKER_HOOKED) && !(same_port && same_address);
}

enum step_outcome stage_apart_look(struct stage *stage, struct stage_leaves *out)
{
  struct stage_round round;
  memset(out, 0, sizeof *out);
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    const struct stage_visitor anybody = {
        .node = n, .listener = BROKER_MAIN, .looks = 1, .timeout_ms = stage_look_ms(stage)};
    if (!stage_is_reachable(stage, n) || !is_separate(stage->nodes[0].broker)) continue;
    if (stage_round(stage, &anybody, 1, &round) != STEP_DONE) return STEP_ABORTED;
    if (round.look[0].answered) out->of[n] = round.look[0].broker.chain;
  }
  return STEP_DONE;
}

static bool has_leaf(const struct chain_prints *chain, const struct chain_prints *wanted)
{
  return chain->count > 0 && wanted->count > 0 &&
         memcmp(chain->sha256[0], wanted->sha256[0], sizeof chain->sha256[0]) == 0;
}

enum step_outcome stage_apart_check(struct stage *stage, const struct stage_leaves *before)
{
  const struct chain_prints *proven = &stage->nodes[0].written[BROKER_PROVE];
  struct stage_leaves after;
  if (stage_apart_look(stage, &after) != STEP_DONE) return STEP_ABORTED;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    const struct broker *broker = stage->nodes[n].broker;
    bool known = before->of[n].count > 0 && !has_leaf(&before->of[n], proven);
    if (!known || !has_leaf(&after.of[n], proven)) continue;
    error_set(&stage->error, EXIT_CODE_FAIL,
              "the broker at %s port %u serves the chain of 'prove' at its main listener, too: "
              "production has changed. Does the hook 'present' look at FLEETSIM_LISTENER, and has "
              "each listener files of its own?",
              broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN));
    return STEP_FAILED;
  }
  return STEP_DONE;
}

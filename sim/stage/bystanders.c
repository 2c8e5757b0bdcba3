/* A hook that starts the broker again, or closes all its connections, ends the session that it is asked
 * to end, too. */
#define _POSIX_C_SOURCE 200809L
#include "stage/bystanders.h"

#include <stdio.h>
#include <stdlib.h>

#include "scenario/step_kind.h"
#include "stage/wait.h"

#define SETTLE_MS 100u /* their ends lie in the devices' sockets */

int stage_bystanders_note(struct stage *stage, const uint32_t *devices, size_t count,
                          struct stage_bystanders *out)
{
  size_t all = fleet_size(stage->fleet);
  *out = (struct stage_bystanders){.connects = calloc(all + 1, sizeof *out->connects)};
  if (out->connects == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    (void) stage_give_up(stage);
    return -1;
  }
  for (size_t i = 0; i < all; i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, (uint32_t) i);
    out->connects[i] = facts->online && !facts->revoked ? facts->connects : UINT32_MAX;
  }
  for (size_t i = 0; i < count; i++) {
    out->meant += fleet_facts(stage->fleet, devices[i])->online;
    out->connects[devices[i]] = UINT32_MAX;
  }
  return 0;
}

static bool has_lost(const struct stage *stage, const struct stage_bystanders *bystanders, size_t i)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, (uint32_t) i);
  bool kept = facts->online && facts->connects == bystanders->connects[i];
  return bystanders->connects[i] != UINT32_MAX && facts->wanted && !kept;
}

/* Lines that fail, brokers that stand still, copies of devices and updates end sessions, too. */
static bool is_quiet(const struct stage *stage)
{
  unsigned about = 0;
  for (size_t p = 0; p <= stage->phase; p++)
    for (size_t s = 0; s < stage->scenario->phases[p].step_count; s++)
      about |= stage->scenario->phases[p].steps[s].kind->foretells;
  return stage->clones == NULL && stage->ota == NULL &&
         (about & (STEP_CHANGES_LINES | STEP_STOPS_BROKER)) == 0;
}

enum step_outcome stage_bystanders_judge(struct stage *stage,
                                         const struct stage_bystanders *bystanders)
{
  char text[240], name[NAMES_TEXT];
  size_t lost = 0, first = 0;
  if (!scenario_broker_is(stage->scenario, BROKER_HOOKED)) return STEP_DONE;
  if (!stage_pause(stage, SETTLE_MS)) return STEP_ABORTED;
  for (size_t i = fleet_size(stage->fleet); i-- > 0;) {
    if (!has_lost(stage, bystanders, i)) continue;
    lost++;
    first = i;
  }
  if (lost == 0) return STEP_DONE;
  snprintf(text, sizeof text, "%zu other device%s lost %s session%s while %zu %s kicked: %s%s",
           lost, lost == 1 ? "" : "s", lost == 1 ? "its" : "their", lost == 1 ? "" : "s",
           bystanders->meant, bystanders->meant == 1 ? "was" : "were",
           lost == 1 ? "" : "the first is ",
           names_text(stage->names, fleet_facts(stage->fleet, (uint32_t) first)->id, name));
  if (lost <= bystanders->meant || !is_quiet(stage)) {
    stage_say(stage, text);
    return STEP_DONE;
  }
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%s. Does the hook start the broker again, or close all connections? One that has to "
            "is a 'restart-broker'",
            text);
  return STEP_FAILED;
}

void stage_bystanders_free(struct stage_bystanders *bystanders)
{
  free(bystanders->connects);
  bystanders->connects = NULL;
}

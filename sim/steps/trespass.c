/* trespass: devices publish and subscribe outside private/ID/#. Nothing may come through, in either
   direction. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

/* Beside `within`: a broker may end the connection at each attempt; devices have to come back. */
#define TRY_MS  60000u
#define LOOK_MS 3000u /* how long to look for what should not come through */

struct trespassers {
  const uint32_t *devices;
  size_t count;
};

static size_t still_trying(const struct stage *stage, const struct trespassers *them)
{
  size_t n = 0;
  for (size_t i = 0; i < them->count; i++)
    n += fleet_is_trespassing(stage->fleet, them->devices[i]);
  return n;
}

static bool have_tried(struct stage *stage, void *ctx)
{
  return still_trying(stage, ctx) == 0;
}

static int send_them(struct stage *stage, const struct trespassers *them)
{
  size_t n = fleet_size(stage->fleet);
  for (size_t i = 0; n > 1 && i < them->count; i++) {
    uint32_t device = them->devices[i];
    if (fleet_trespass(stage->fleet, device, stage->ids[(device + 1) % n]) == 0) continue;
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for the attempts of %zu devices",
              n);
    stage_abort(stage, &stage->error);
    return -1;
  }
  return 0;
}

static enum step_outcome try_all(struct stage *stage, const struct scenario_step *step,
                                 struct trespassers *them)
{
  uint64_t within_ms = TRY_MS + step->within_ms;
  double before = metrics_value(stage->metrics, METRIC_TRESPASS_ATTEMPTS);
  if (send_them(stage, them) != 0 ||
      stage_wait(stage, have_tried, them, within_ms) == STAGE_ABORTED)
    return STEP_ABORTED;
  size_t left = still_trying(stage, them);
  /* time for what should not happen: a trespasser would now see its victim's telemetry */
  if (!stage_pause(stage, step->within_ms)) return STEP_ABORTED;
  bool tried = metrics_value(stage->metrics, METRIC_TRESPASS_ATTEMPTS) > before;
  if (tried && left == 0) return STEP_DONE;
  if (tried)
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%zu of %zu trespassers had not made all their attempts within %.0f s: the broker "
              "gives no answer, or they do not come back after it has ended a connection",
              left, them->count, (double) within_ms / 1000.0);
  else
    error_set(&stage->error, EXIT_CODE_FAIL,
              "nobody has tried the topics of others: %zu devices of the step are online%s",
              them->count, fleet_size(stage->fleet) > 1 ? "" : ", and there is no other device");
  return STEP_SHORT;
}

static enum step_outcome run_trespass(struct stage *stage, const struct scenario_step *step)
{
  struct trespassers them;
  uint32_t *devices = targets_of(stage, TARGETS_ONLINE, &step->who, &them.count);
  if (devices == NULL) return STEP_ABORTED;
  them.devices = devices;
  enum step_outcome outcome = try_all(stage, step, &them);
  free(devices);
  return outcome;
}

static int take_trespass(const struct step_take *w)
{
  w->out->within_ms = LOOK_MS;
  return step_take_who(w, true);
}

static void print_trespass(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "let %s try the topics of others", who);
}

static uint64_t longest_trespass(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  return step->within_ms;
}

/* trespass: {WHO} */
const struct step_kind step_trespass = {
    .name = "trespass",
    .arguments = {STEP_WHO},
    .take = take_trespass,
    .follow = step_story_online,
    .print = print_trespass,
    .longest_ms = longest_trespass,
    .foretells = STEP_ENDS_SESSIONS, /* so may a broker that a device trespasses on */
    .judged = {{"trespass.attempts", STEP_ADDS}},
    .run = run_trespass,
};

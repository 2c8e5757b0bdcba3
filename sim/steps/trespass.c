/* trespass: devices publish and subscribe on the topics of others. Nothing may come through, in either
 * direction.
 *
 * When each has tried, its victim and the back office send something on each of the topics. Where
 * that arrives as it should, what did not come through was kept out; where neither did, the attempt
 * is undecided, and the step has not shown what it is for. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

/* Beside `within`: a broker may end the connection at each attempt; devices have to come back. */
#define TRY_MS    120000u
#define LOOK_MS   3000u /* how long to look for what should not come through */
#define LURE_MS   5000u
#define LURES_MAX 3 /* a connection may end meanwhile, and take its subscriptions with it */

struct pair {
  uint32_t device, victim; /* indices */
};

struct trespassers {
  struct pair *pairs;
  size_t count;
  size_t alone; /* whom nobody is there for to be tried */
};

static size_t still_trying(const struct stage *stage, const struct trespassers *them)
{
  size_t n = 0;
  for (size_t i = 0; i < them->count; i++)
    n += fleet_is_trespassing(stage->fleet, them->pairs[i].device);
  return n;
}

static bool have_tried(struct stage *stage, void *ctx)
{
  return still_trying(stage, ctx) == 0;
}

static size_t undecided(const struct stage *stage, const struct trespassers *them, uint32_t *victim,
                        const char **below)
{
  size_t n = 0;
  for (size_t i = 0; i < them->count; i++) {
    const char *first;
    const struct pair *pair = &them->pairs[i];
    size_t own = fleet_undecided(stage->fleet, pair->device, &first);
    if (n == 0 && own > 0) {
      *victim = pair->victim;
      *below = first;
    }
    n += own;
  }
  return n;
}

static bool is_decided(struct stage *stage, void *ctx)
{
  uint32_t victim;
  const char *below;
  return undecided(stage, ctx, &victim, &below) == 0;
}

/* --- Whom ------------------------------------------------------------------------------------- */

/* The next device that is online, best at the same broker: brokers need not be one behind their
   backs. */
static bool find_victim(const struct stage *stage, struct pair *pair)
{
  size_t n = fleet_size(stage->fleet);
  const struct fleet_facts *own = fleet_facts(stage->fleet, pair->device);
  bool found = false;
  for (size_t k = 1; k < n; k++) {
    uint32_t other = (uint32_t) ((pair->device + k) % n);
    const struct fleet_facts *facts = fleet_facts(stage->fleet, other);
    if (!facts->online || facts->revoked) continue;
    if (!found) pair->victim = other;
    found = true;
    if (facts->node != own->node) continue;
    pair->victim = other;
    break;
  }
  return found;
}

static int pair_up(struct stage *stage, const uint32_t *devices, size_t count,
                   struct trespassers *them)
{
  *them = (struct trespassers){.pairs = calloc(count + 1, sizeof *them->pairs)};
  int status = them->pairs == NULL ? -1 : 0;
  for (size_t i = 0; i < count && status == 0; i++) {
    struct pair *pair = &them->pairs[them->count];
    pair->device = devices[i];
    if (find_victim(stage, pair)) {
      status = fleet_trespass(stage->fleet, pair->device, pair->victim);
      them->count++;
    } else {
      them->alone++;
    }
  }
  if (status == 0) return 0;
  error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for the attempts of %zu devices",
            count);
  return stage_abort(stage, &stage->error);
}

/* --- The lure --------------------------------------------------------------------------------- */

static int lure(struct stage *stage, const struct trespassers *them)
{
  struct fleet *fleet = stage->fleet;
  const char *below;
  for (size_t i = 0; i < them->count; i++) {
    fleet_lure(fleet, them->pairs[i].device);
    for (size_t t = 0; (below = fleet_lure_below(fleet, t)) != NULL; t++)
      if (office_send(stage->office, them->pairs[i].victim, below, NULL, 0, &stage->error) != 0)
        return stage_abort(stage, &stage->error);
    if (i % 64 == 63 && !stage_yield(stage)) return -1;
  }
  return 0;
}

/* -1: the run was aborted. */
static int lure_until_decided(struct stage *stage, struct trespassers *them)
{
  for (int round = 0; round < LURES_MAX && !is_decided(stage, them); round++) {
    if (stage_wait(stage, have_tried, them, LURE_MS) == STAGE_ABORTED || lure(stage, them) != 0 ||
        stage_wait(stage, is_decided, them, LURE_MS) == STAGE_ABORTED)
      return -1;
  }
  return 0;
}

/* --- The step --------------------------------------------------------------------------------- */

static bool has_made_all(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return !fleet_is_trespassing(stage->fleet, device);
}

static bool has_decided(struct stage *stage, uint32_t device, void *ctx)
{
  const char *below;
  (void) ctx;
  return fleet_undecided(stage->fleet, device, &below) == 0;
}

/* `done` is one of the two above. */
static enum step_outcome fall_short(struct stage *stage, const struct trespassers *them,
                                    shortfall_done *done)
{
  uint32_t *devices = calloc(them->count + 1, sizeof *devices);
  if (devices == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    return stage_give_up(stage);
  }
  for (size_t i = 0; i < them->count; i++) devices[i] = them->pairs[i].device;
  enum step_outcome outcome = shortfall_of(stage, devices, them->count, done, NULL);
  free(devices);
  return outcome;
}

static bool is_switched_on(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return fleet_facts(stage->fleet, device)->wanted;
}

static enum step_outcome fall_short_absent(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  enum step_outcome outcome = shortfall_of(stage, devices, count, is_switched_on, NULL);
  free(devices);
  return outcome;
}

/* Whoever is not switched on tries nothing; of devices that are named that is not what the step
   says. */
static enum step_outcome judge_absent(struct stage *stage, const struct scenario_step *step,
                                      size_t count)
{
  size_t named = targets_count(stage, &step->who), absent = named > count ? named - count : 0;
  if (absent == 0) return STEP_DONE;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%zu of %zu devices of the step are switched off and have not tried", absent, named);
  if (step->who.id_count > 0) return fall_short_absent(stage, step);
  stage_say(stage, stage->error.text);
  return STEP_DONE;
}

static enum step_outcome judge_attempts(struct stage *stage, const struct trespassers *them)
{
  uint32_t victim = 0;
  const char *below = "";
  size_t open = undecided(stage, them, &victim, &below);
  metrics_add(stage->metrics, METRIC_TRESPASS_UNDECIDED, open);
  if (open == 0) return STEP_DONE;
  struct names_device own = names_of(stage->names, victim);
  bool telemetry = strcmp(below, "telemetry") == 0;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%zu attempts are undecided, such as on %s%s: the broker has refused none "
            "of them, and what belongs there did not arrive either while they were made, so "
            "nothing shows whether they would have come through; let the device and the operator "
            "use that topic",
            open, telemetry ? own.telemetry : own.root, telemetry ? "" : below);
  enum step_outcome outcome = fall_short(stage, them, has_decided);
  if (outcome == STEP_SHORT) stage->fell_short->counted = (double) open;
  return outcome;
}

static enum step_outcome try_all(struct stage *stage, const struct scenario_step *step,
                                 struct trespassers *them)
{
  uint64_t within_ms = TRY_MS + step->within_ms;
  double before = metrics_value(stage->metrics, METRIC_TRESPASS_ATTEMPTS);
  if (stage_wait(stage, have_tried, them, within_ms) == STAGE_ABORTED) return STEP_ABORTED;
  size_t left = still_trying(stage, them);
  if (left == 0 && lure_until_decided(stage, them) != 0) return STEP_ABORTED;
  /* time for what should not happen: a trespasser would now see what its victim says */
  if (!stage_pause(stage, step->within_ms)) return STEP_ABORTED;
  bool tried = metrics_value(stage->metrics, METRIC_TRESPASS_ATTEMPTS) > before;
  if (tried && left == 0) return judge_attempts(stage, them);
  if (tried)
    error_set(&stage->error, EXIT_CODE_FAIL,
              "%zu of %zu trespassers had not made all their attempts within %.0f s: the broker "
              "gives no answer, or they do not come back after it has ended a connection",
              left, them->count, (double) within_ms / 1000.0);
  else
    error_set(&stage->error, EXIT_CODE_FAIL,
              "nobody has tried the topics of others: %zu devices of the step are switched on%s",
              them->count + them->alone, them->alone > 0 ? ", and no other device is online" : "");
  return fall_short(stage, them, has_made_all);
}

static enum step_outcome run_trespass(struct stage *stage, const struct scenario_step *step)
{
  struct trespassers them;
  size_t count;
  uint32_t *devices = targets_of(stage, TARGETS_AWAKE, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  enum step_outcome outcome = STEP_ABORTED;
  if (pair_up(stage, devices, count, &them) == 0) outcome = try_all(stage, step, &them);
  fleet_end_trespass(stage->fleet);
  if (outcome == STEP_DONE) outcome = judge_absent(stage, step, count);
  free(them.pairs);
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
  return TRY_MS + 2 * step->within_ms + LURES_MAX * 2 * LURE_MS;
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
    .judged = {{"trespass.attempts", STEP_ADDS}, {"trespass.undecided", STEP_COUNTS}},
    .lures = true,
    .operated = true,
    .run = run_trespass,
};

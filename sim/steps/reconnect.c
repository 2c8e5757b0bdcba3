/* reconnect: live sessions are ended in waves and opened again, because a session that never ends
   proves nothing. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/waves.h"
#include "steps/internal.h"

struct redial {
  const struct scenario_step *step;
  uint32_t *before; /* CONNACKs per device when its wave began */
};

static int redial(struct stage *stage, const uint32_t *devices, size_t count, void *ctx)
{
  const struct redial *r = ctx;
  for (size_t i = 0; i < count; i++)
    r->before[devices[i]] = fleet_facts(stage->fleet, devices[i])->connects;
  fleet_redial(stage->fleet, devices, count, r->step->rate, r->step->full_handshake);
  return 0;
}

/* Whether one of them is a refusal, in whatever words. */
static bool has_refusal(const struct failure_set *failures)
{
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    if (failure_set_has(failures, (enum device_failure) f) &&
        device_failure_is_refusal((enum device_failure) f))
      return true;
  return false;
}

static bool is_through(const struct stage *stage, uint32_t device, uint32_t before)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  if (facts->connects > before) return true;
  /* a revoked device that was refused in this step is through as well: it will not come back */
  return facts->revoked && !facts->online && has_refusal(&facts->step_failures);
}

static bool back(struct stage *stage, uint32_t device, void *ctx)
{
  const struct redial *r = ctx;
  return is_through(stage, device, r->before[device]);
}

static enum step_outcome run_reconnect(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct redial r = {.step = step, .before = calloc(fleet_size(stage->fleet), sizeof *r.before)};
  if (r.before == NULL) {
    free(devices);
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    return stage_give_up(stage);
  }
  struct waves waves = {.shares = &step->waves,
                        .within_ms = step->within_ms,
                        .begin = redial,
                        .done = back,
                        .ctx = &r,
                        .what = "came back"};
  enum step_outcome outcome = waves_run(stage, &waves, devices, count);
  free(devices);
  free(r.before);
  return outcome;
}

static int take_reconnect(const struct step_take *w)
{
  w->out->full_handshake = true;
  if (step_take_waves(w) != 0 || step_take_rate(w) != 0 ||
      step_take_flag(w, "full-handshake", &w->out->full_handshake) != 0)
    return -1;
  return step_take_within(w);
}

static void print_reconnect(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[300];
  fprintf(out, "end every session and connect again%s, %s",
          step->full_handshake ? " with a full handshake" : "",
          print_waves(&step->waves, text, sizeof text));
}

static bool is_about_reconnect(const struct scenario *s, const struct scenario_step *step,
                               const char *name, const char *argument)
{
  (void) s, (void) step;
  return step_kind_connects(name, argument);
}

static bool is_late_reconnect(const struct stage *stage, const struct shortfall *shortfall,
                              size_t device)
{
  const struct shortfall_device *of = &shortfall->device[device];
  const struct fleet_facts *facts = fleet_facts(stage->fleet, of->index);
  return is_through(stage, of->index, of->connects) ||
         (facts->revoked && !facts->online && has_refusal(&of->failures));
}

/* reconnect: {waves: [10%, 100%], rate: 200/s, full-handshake: yes, within: 30s} */
const struct step_kind step_reconnect = {
    .name = "reconnect",
    .arguments = {STEP_WAVES, STEP_ARG("rate"), STEP_ARG("full-handshake"), STEP_ARG("within")},
    .take = take_reconnect,
    .follow = step_story_online,
    .print = print_reconnect,
    .longest_ms = print_waves_ms,
    .judged = {{"reconnected", STEP_DOERS},
               {"online", STEP_PRESENT},
               {"on", STEP_PRESENT},
               {"refused", STEP_OTHERS},
               {"failures", STEP_COUNTS},
               {"fleet.online", STEP_PRESENT},
               {"devices.lost", STEP_MISSING},
               {"connect.failed", STEP_COUNTS},
               {"revoke.refusals", STEP_COUNTS},
               {"revoke.accepts", STEP_COUNTS},
               {"revoke.collateral", STEP_COUNTS}},
    .is_about = is_about_reconnect,
    .is_late = is_late_reconnect,
    .run = run_reconnect,
};

/* connect: devices come online at the arrival rate; telemetry starts with them. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/fleet_config.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

static enum step_outcome run_connect(struct stage *stage, const struct scenario_step *step)
{
  size_t chosen;
  uint32_t *devices = targets_of(stage, TARGETS_UNPLANNED, &step->who, &chosen);
  if (devices == NULL) return STEP_ABORTED;
  struct fleet_telemetry telemetry = stage_telemetry(&stage->scenario->telemetry);
  fleet_set_telemetry(stage->fleet, &telemetry);
  fleet_connect(stage->fleet, devices, chosen, step->rate, step->arrival == SCENARIO_POISSON);
  free(devices);
  uint64_t ramp_ms = step->rate > 0 ? (uint64_t) ((double) chosen / step->rate * 1000.0) : 0;
  return stage_pause(stage, ramp_ms) ? STEP_DONE : STEP_ABORTED;
}

static int take_connect(const struct step_take *w)
{
  static const char *const words[] = {"linear", "poisson", NULL};
  int arrival = SCENARIO_LINEAR;
  if (step_take_rate(w) != 0 || step_take_word(w, "arrival", words, &arrival) != 0 ||
      step_take_who(w, false) != 0)
    return -1;
  w->out->arrival = (enum scenario_arrival) arrival;
  return 0;
}

static int follow_connect(const struct step_follow *f)
{
  f->story->connected = true;
  return 0;
}

static void print_connect(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "connect %s at %.6g/s (%s)", who, step->rate,
          step->arrival == SCENARIO_POISSON ? "Poisson" : "linear");
}

static uint64_t longest_connect(const struct scenario *s, const struct scenario_step *step)
{
  return print_ramp_ms(s, step->who.share, step->rate);
}

/* connect: {rate: 200/s, arrival: linear|poisson, WHO} */
const struct step_kind step_connect = {
    .name = "connect",
    .arguments = {STEP_ARG("rate"), STEP_ARG("arrival"), STEP_WHO},
    .take = take_connect,
    .follow = follow_connect,
    .print = print_connect,
    .longest_ms = longest_connect,
    .run = run_connect,
};

/* What the steps will need of the fleet folder, asked at the start: a staging broker is not to be
 * changed by half. Each refusal says where the step is and what to do instead. */
#define _POSIX_C_SOURCE 200809L
#include "run/parts.h"
#include "stage/foresight.h"

/* Refuses a step whose certificates cannot be made in this folder, before anything is sent. */
static int check_step_roots(struct stage *stage, const struct scenario_step *step)
{
  if (!step->kind->issues || pki_can_issue(stage->pki, step->root)) return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s' needs a certificate under root '%s', and %s does not hold that "
                   "root's key: leave the step out, or use a root that 'fleetsim pki make' made",
                   stage->scenario->file, step->line, step->column, scenario_step_name(step),
                   step->root, stage->options->fleet);
}

int run_check_roots(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_roots(stage, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* Of a fleet that the run will make the ids are known before it is made. */
static bool is_in_fleet(const struct stage *stage, uint32_t id)
{
  size_t devices = stage->scenario->devices;
  if (stage->ids == NULL) return id >= 1 && id <= devices;
  for (size_t i = 0; i < devices; i++)
    if (stage->ids[i] == id) return true;
  return false;
}

static int check_step_ids(struct stage *stage, const struct scenario_step *step)
{
  size_t devices = stage->scenario->devices;
  for (size_t i = 0; i < step->who.id_count; i++)
    if (!is_in_fleet(stage, step->who.ids[i]))
      return error_set(
          &stage->error, EXIT_CODE_USAGE,
          "%s:%d:%d: no device of this fleet has the id %08x; its ids go from %08x to %08x%s",
          stage->scenario->file, step->line, step->column, step->who.ids[i],
          stage->ids != NULL ? stage->ids[0] : 1,
          stage->ids != NULL ? stage->ids[devices - 1] : (uint32_t) devices,
          stage->ids != NULL ? "" : ", as a run makes it; one of your own is named by --fleet");
  return 0;
}

int run_check_ids(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_ids(stage, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* Each kind in sim/steps knows what it needs. */
static int check_kinds(struct stage *stage, struct stage_foresight *then)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *step = &scenario->phases[p].steps[s];
      if (step->kind->needs != NULL && step->kind->needs(stage, step, then) != 0) return -1;
    }
  return 0;
}

int run_check_needs(struct stage *stage)
{
  struct stage_foresight then = {.trusted = stage->scenario->client_roots};
  int result = check_kinds(stage, &then);
  pki_crl_history_free(&then.history);
  return result;
}

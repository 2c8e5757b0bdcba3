/* resolve: where a name leads, from here on. */
#define _POSIX_C_SOURCE 200809L
#include "stage/places.h"
#include "stage/undo.h"
#include "steps/steps.h"

enum step_outcome step_resolve(struct stage *stage, const struct scenario_step *step)
{
  struct scenario_step inverse = *step;
  struct fleet_place place = {.host = NULL};
  inverse.lead = stage->lead[step->name];
  stage_undo_with(stage, &inverse);
  if (stage_lead(stage, &step->lead, &place) != 0) {
    stage_abort(stage, &stage->error);
    return STEP_ABORTED;
  }
  stage->lead[step->name] = step->lead;
  fleet_lead(stage->fleet, step->name, &place);
  return STEP_DONE;
}

/* telemetry: how often devices publish, from here on. */
#define _POSIX_C_SOURCE 200809L
#include "stage/fleet_config.h"
#include "steps/steps.h"

enum step_outcome step_telemetry(struct stage *stage, const struct scenario_step *step)
{
  struct fleet_telemetry telemetry = stage_telemetry(&step->telemetry);
  fleet_set_telemetry(stage->fleet, &telemetry);
  return STEP_DONE;
}

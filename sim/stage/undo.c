/* What takes back the steps of the phase under way, in their order. */
#define _POSIX_C_SOURCE 200809L
#include "stage/undo.h"

void stage_undo_with(struct stage *stage, const struct scenario_step *inverse)
{
  if (stage->undo_count < sizeof stage->undo / sizeof stage->undo[0])
    stage->undo[stage->undo_count++] = *inverse;
}

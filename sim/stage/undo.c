/* What takes back the steps of the phase under way, in their order: as many as there are. */
#define _POSIX_C_SOURCE 200809L
#include "stage/undo.h"

#include <assert.h>
#include <stdlib.h>

void stage_undo_begin(struct stage *stage)
{
  assert(stage->identity != NULL); /* stage_learn_fleet */
  stage->undo_count = 0;
  for (size_t i = 0; i < stage->scenario->devices; i++)
    stage->identity[i].revoked_before = stage->identity[i].revoked;
}

int stage_undo_with(struct stage *stage, const struct scenario_step *inverse)
{
  if (stage->undo_count == stage->undo_room) {
    size_t room = stage->undo_room > 0 ? 2 * stage->undo_room : 16;
    struct scenario_step *undo = realloc(stage->undo, room * sizeof *undo);
    if (undo == NULL) {
      error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for what a rollback takes back");
      return stage_abort(stage, &stage->error);
    }
    stage->undo = undo;
    stage->undo_room = room;
  }
  stage->undo[stage->undo_count++] = *inverse;
  return 0;
}

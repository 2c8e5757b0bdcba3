/* A run from set-up to verdict. */
#define _POSIX_C_SOURCE 200809L
#include "run/run.h"

#include <stdlib.h>

#include "run/parts.h"
#include "stage/options.h"

enum exit_code run_scenario(struct world *world, const struct scenario *scenario,
                            const struct stage_options *options, bool *written, struct error *error)
{
  *written = false;
  struct stage *stage = calloc(1, sizeof *stage);
  if (stage == NULL) {
    error_set(error, EXIT_CODE_INTERNAL, "out of memory");
    return EXIT_CODE_INTERNAL;
  }
  stage->world = world;
  stage->scenario = scenario;
  stage->options = options;
  stage->out_fd = stage->keys_fd = -1;
  if (run_setup(stage) == 0) {
    run_phases(stage);
    run_settle(stage);
  }
  run_end_world(stage);
  enum exit_code code = run_verdict(stage);
  run_teardown(stage);
  *error = stage->error;
  *written = stage->results_written;
  if (!stage->stuck) free(stage);
  return code;
}

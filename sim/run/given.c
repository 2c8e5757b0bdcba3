/* What a run is given beside its scenario, a fleet folder and files: opened before a folder for
 * results is, so that a word mistyped leaves nothing behind; and the same for one who only asks. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/parts.h"
#include "stage/firmware.h"
#include "stage/folder.h"
#include "stage/foresight.h"
#include "stage/logins.h"
#include "stage/options.h"

static int open_fleet(struct stage *stage)
{
  if (stage->options->fleet == NULL) return 0;
  return stage_open_folder(stage) == 0 && run_check_roots(stage) == 0 ? stage_learn_fleet(stage)
                                                                      : -1;
}

int run_open_given(struct stage *stage)
{
  return stage_read_secrets(stage) == 0 && open_fleet(stage) == 0 && run_check_ids(stage) == 0 &&
                 stage_ota_begin(stage) == 0
             ? stage_ota_read_files(stage)
             : -1;
}

/* A folder says whose lists and chains they must be; without one they must at least be there. */
static int check_files(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  if (stage->options->fleet != NULL) return run_check_needs(stage);
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *step = &scenario->phases[p].steps[s];
      if (step->crl.file[0] != '\0' && pki_check_crl_secrets(step->crl.file, &stage->error) != 0)
        return error_wrap(&stage->error, "%s:%d:%d", scenario->file, step->line, step->column);
      if (stage_need_chain(stage, step, NULL) != 0) return -1;
    }
  return 0;
}

int run_check(const struct scenario *scenario, const char *fleet, struct error *error)
{
  const struct stage_options options = {.fleet = fleet};
  struct stage *stage = calloc(1, sizeof *stage);
  if (stage == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  stage->scenario = scenario;
  stage->options = &options;
  int result = run_open_given(stage) == 0 ? check_files(stage) : -1;
  *error = stage->error;
  stage_ota_free(stage);
  if (stage->pki != NULL) pki_close(stage->pki);
  stage_forget_fleet(stage);
  free(stage);
  return result;
}

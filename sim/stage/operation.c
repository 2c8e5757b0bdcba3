/* Operations that call back: waited for, and left behind where the run is aborted or their time is
 * over. What is left behind lives until the brokers are closed: only then nobody calls back any
 * more. */
#define _POSIX_C_SOURCE 200809L
#include "stage/operation.h"

#include <stdlib.h>

#include "stage/wait.h"

struct stage_kept {
  struct stage_kept *next;
  void *block;
};

void stage_keep(struct stage *stage, void *block)
{
  struct stage_kept *kept = calloc(1, sizeof *kept);
  if (kept == NULL) return; /* then it lives on until the process ends */
  *kept = (struct stage_kept){.next = stage->kept, .block = block};
  stage->kept = kept;
}

void stage_free_kept(struct stage *stage)
{
  for (struct stage_kept *kept = stage->kept, *next; kept != NULL; kept = next) {
    next = kept->next;
    free(kept->block);
    free(kept);
  }
  stage->kept = NULL;
}

struct stage_operation *stage_operation_new(struct stage *stage)
{
  struct stage_operation *operation = calloc(1, sizeof *operation);
  struct error error;
  if (operation != NULL) return operation;
  error_set(&error, EXIT_CODE_SETUP, "not enough memory to work on the broker");
  stage_abort(stage, &error);
  return NULL;
}

void stage_operation_ended(void *ctx, const struct error *error)
{
  struct stage_operation *operation = ctx;
  operation->ended = true;
  operation->failed = error != NULL;
  if (error != NULL) operation->error = *error;
}

void stage_operation_seen(void *ctx, const struct broker_seen *seen, const struct error *error)
{
  struct stage_operation *operation = ctx;
  if (seen != NULL) operation->seen = *seen;
  stage_operation_ended(ctx, error);
}

static bool has_ended(struct stage *stage, void *ctx)
{
  (void) stage;
  return ((const struct stage_operation *) ctx)->ended;
}

enum stage_waited stage_operation_await(struct stage *stage, struct stage_operation *operation,
                                        uint64_t within_ms)
{
  return stage_wait(stage, has_ended, operation, within_ms);
}

void stage_operation_free(struct stage *stage, struct stage_operation *operation)
{
  if (operation->ended)
    free(operation);
  else
    stage_keep(stage, operation);
}

int stage_operation_finish(struct stage *stage, struct stage_operation *operation, const char *what,
                           uint64_t within_ms)
{
  enum stage_waited waited = stage_operation_await(stage, operation, within_ms);
  struct error error;
  bool failed = operation->ended && operation->failed;
  if (failed) error = operation->error;
  if (waited == STAGE_TIMED_OUT && !operation->ended) {
    failed = true;
    error_set(&error, EXIT_CODE_SETUP, "%s did not end within %.3g s", what,
              (double) within_ms / 1000.0);
  }
  stage_operation_free(stage, operation);
  if (failed && error.code == EXIT_CODE_FAIL && !stage->aborted) {
    stage->error = error;
    return -1;
  }
  if (failed) return stage_abort(stage, &error);
  return waited == STAGE_ABORTED ? -1 : 0;
}

/* Operations that call back: waited for, and left behind where the run is aborted or their time is
 * over. What is left behind lives until the brokers are closed: only then nobody calls back any
 * more. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "run/operation.h"

struct run_kept {
  struct run_kept *next;
  void *block;
};

void run_keep(struct run *run, void *block)
{
  struct run_kept *kept = calloc(1, sizeof *kept);
  if (kept == NULL) return; /* then it lives on until the process ends */
  *kept = (struct run_kept){.next = run->kept, .block = block};
  run->kept = kept;
}

void run_free_kept(struct run *run)
{
  for (struct run_kept *kept = run->kept, *next; kept != NULL; kept = next) {
    next = kept->next;
    free(kept->block);
    free(kept);
  }
  run->kept = NULL;
}

struct run_operation *run_operation_new(struct run *run)
{
  struct run_operation *operation = calloc(1, sizeof *operation);
  struct error error;
  if (operation != NULL) return operation;
  error_set(&error, EXIT_CODE_SETUP, "not enough memory to work on the broker");
  run_abort(run, &error);
  return NULL;
}

void run_operation_ended(void *ctx, const struct error *error)
{
  struct run_operation *operation = ctx;
  operation->ended = true;
  operation->failed = error != NULL;
  if (error != NULL) operation->error = *error;
}

void run_operation_seen(void *ctx, const struct broker_seen *seen, const struct error *error)
{
  struct run_operation *operation = ctx;
  if (seen != NULL) operation->seen = *seen;
  run_operation_ended(ctx, error);
}

static bool has_ended(struct run *run, void *ctx)
{
  (void) run;
  return ((const struct run_operation *) ctx)->ended;
}

enum run_waited run_operation_await(struct run *run, struct run_operation *operation,
                                    uint64_t within_ms)
{
  return run_wait(run, has_ended, operation, within_ms);
}

void run_operation_free(struct run *run, struct run_operation *operation)
{
  if (operation->ended)
    free(operation);
  else
    run_keep(run, operation);
}

int run_operation_finish(struct run *run, struct run_operation *operation, const char *what,
                         uint64_t within_ms)
{
  enum run_waited waited = run_operation_await(run, operation, within_ms);
  struct error error;
  bool failed = operation->ended && operation->failed;
  if (failed) error = operation->error;
  if (waited == RUN_TIMED_OUT && !operation->ended) {
    failed = true;
    error_set(&error, EXIT_CODE_SETUP, "%s did not end within %.3g s", what,
              (double) within_ms / 1000.0);
  }
  run_operation_free(run, operation);
  if (failed) return run_abort(run, &error);
  return waited == RUN_ABORTED ? -1 : 0;
}

/* prompt: the rehearsal waits for a person who does something to the real system. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <unistd.h>

#include "run/state.h"

struct answer {
  uv_poll_t poll;
  bool given, closed;
};

static void on_input(uv_poll_t *poll, int status, int events)
{
  struct answer *answer = poll->data;
  char line[256];
  (void) events;
  answer->given = status < 0 || read(STDIN_FILENO, line, sizeof line) >= 0;
  if (answer->given) uv_poll_stop(poll);
}

static bool is_given(struct run *run, void *ctx)
{
  (void) run;
  return ((const struct answer *) ctx)->given;
}

static void on_closed(uv_handle_t *handle)
{
  ((struct answer *) handle->data)->closed = true;
}

enum step_outcome step_prompt(struct run *run, const struct scenario_step *step)
{
  if (run->options->yes) return STEP_DONE;
  struct answer answer = {.given = false};
  if (!isatty(STDIN_FILENO) || uv_poll_init(&run->loop, &answer.poll, STDIN_FILENO) != 0) {
    error_set(&run->error, EXIT_CODE_SETUP,
              "the scenario asks a person (\"%s\") but there is no terminal: run it in one, or "
              "pass --yes",
              step->say);
    run_abort(run, &run->error);
    return STEP_ABORTED;
  }
  fprintf(stderr, "\n%s\nPress Enter to go on. ", step->say);
  run->asking = true;
  answer.poll.data = &answer;
  uv_poll_start(&answer.poll, UV_READABLE, on_input);
  enum run_waited waited = run_wait(run, is_given, &answer, UINT64_MAX);
  run->asking = false;
  uv_close((uv_handle_t *) &answer.poll, on_closed);
  while (!answer.closed) uv_run(&run->loop, UV_RUN_ONCE);
  return waited == RUN_ABORTED ? STEP_ABORTED : STEP_DONE;
}

/* prompt: the rehearsal waits for a person who does something to the real system. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/wait.h"
#include "steps/internal.h"

static void on_answer(void *ctx)
{
  *(bool *) ctx = true;
}

static bool is_given(struct stage *stage, void *ctx)
{
  (void) stage;
  return *(const bool *) ctx;
}

static int say_nobody(struct stage *stage, const struct scenario_step *step)
{
  return error_set(&stage->error, EXIT_CODE_SETUP,
                   "%s:%d:%d: this step asks a person (\"%s\"), but there is no terminal: run it "
                   "in one, or pass --yes",
                   stage->scenario->file, step->line, step->column, step->say);
}

/* Said at the start, not after an hour. A mere check asks nobody. */
static int needs_person(struct stage *stage, const struct scenario_step *step,
                        struct stage_foresight *then)
{
  (void) then;
  bool given = false;
  if (stage->options->yes || stage->world == NULL) return 0;
  if (world_ask(stage->world, on_answer, &given) != 0) return say_nobody(stage, step);
  world_stop_asking(stage->world);
  return 0;
}

static enum step_outcome run_prompt(struct stage *stage, const struct scenario_step *step)
{
  if (stage->options->yes) return STEP_DONE;
  bool given = false;
  if (world_ask(stage->world, on_answer, &given) != 0) {
    say_nobody(stage, step);
    return stage_give_up(stage);
  }
  stage->asking = true;
  stage_clear_terminal(stage);
  fprintf(stderr, "\n%s\nPress Enter to go on. ", step->say);
  enum stage_waited waited = stage_wait(stage, is_given, &given, UINT64_MAX);
  stage->asking = false;
  world_stop_asking(stage->world);
  if (waited == STAGE_ABORTED) fputc('\n', stderr); /* nobody has pressed Enter */
  return waited == STAGE_ABORTED ? STEP_ABORTED : STEP_DONE;
}

static int take_prompt(const struct step_take *w)
{
  const char *say = step_take_text(w, "say");
  if (say == NULL)
    return step_take_fail(w, "", "this step needs a text: write 'say: Swap the certificate'");
  return take_text(w->t, w->at, "say", say, w->out->say, sizeof w->out->say);
}

static void print_prompt(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  fprintf(out, "wait for a person: \"%s\"", step->say);
}

/* prompt: {say: "Swap the load balancer's certificate, then press Enter"} */
const struct step_kind step_prompt = {
    .name = "prompt",
    .arguments = {STEP_ARG("say")},
    .take = take_prompt,
    .print = print_prompt,
    .needs = needs_person,
    .run = run_prompt,
};

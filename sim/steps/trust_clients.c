/* trust-clients: whom the broker trusts devices by. The files are written, the broker is told, and
 * then it is asked; one that is down or frozen, when it is back. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/apply.h"
#include "stage/callers.h"
#include "stage/foresight.h"
#include "stage/newcomers.h"
#include "stage/start_nodes.h"
#include "steps/internal.h"

/* A reload that changes nothing must not look like one that did. */
static void note_reload(struct stage *stage, const struct scenario_step *step)
{
  char note[160];
  if (!broker_trusts_at_start_only(stage->broker) || step->apply == SCENARIO_APPLY_RESTART) return;
  snprintf(note, sizeof note,
           "the CA file for device certificates was written, but %s reads it at start only: use "
           "apply: restart",
           broker_name(stage->broker));
  stage_say(stage, note);
}

static enum step_outcome run_trust_clients(struct stage *stage, const struct scenario_step *step)
{
  struct pki_roots before = stage->client_roots;
  if (stage_newcomers_note(stage) != STEP_DONE) return STEP_ABORTED;
  if (stage_write_client_ca(stage, &step->roots) != 0) return stage_give_up(stage);
  note_reload(stage, step);
  bool tried = step->apply != SCENARIO_APPLY_NONE && !step->unprobed;
  if (tried || step->unprobed) stage_callers_owed(stage, &before);
  if (!tried && !step->unprobed) stage_callers_untold(stage, &before);
  if (tried) stage_callers_missed(stage, &before);
  if (stage_wait_broker(stage, broker_clients_trusted, 70000) != 0) return STEP_ABORTED;
  enum step_outcome outcome = stage_broker_apply(stage, step->apply, -1);
  if (outcome != STEP_DONE || !tried) return outcome;
  outcome = stage_callers_try(stage, &before, step->apply == SCENARIO_APPLY_RESTART);
  return outcome == STEP_DONE ? stage_newcomers_try(stage, STAGE_CHANGED_CLIENTS) : outcome;
}

static bool undo_trust_clients(const struct stage *stage, const struct scenario_step *step,
                               struct scenario_step *inverse)
{
  *inverse = *step;
  inverse->roots = stage->client_roots;
  if (inverse->apply == SCENARIO_APPLY_NONE)
    inverse->apply = scenario_default_apply(stage->scenario, SCENARIO_FILES_CLIENTS);
  return true;
}

static int need_trust_clients(struct stage *stage, const struct scenario_step *step,
                              struct stage_foresight *then)
{
  (void) stage;
  then->trusted = step->roots;
  return 0;
}

static int take_trust_clients(const struct step_take *w)
{
  bool probe = true;
  if (step_take_roots(w, 1) != 0 || step_take_apply(w, SCENARIO_FILES_CLIENTS) != 0 ||
      step_take_broker_within(w) != 0 || step_take_flag(w, "probe", &probe) != 0)
    return -1;
  w->out->unprobed = !probe;
  return 0;
}

static int follow_trust_clients(const struct step_follow *f)
{
  return step_story_hook(f, HOOK_TRUST_CLIENTS) != 0 ? -1 : step_story_apply(f, f->step->apply);
}

static void print_trust_clients(const struct scenario *s, const struct scenario_step *step,
                                FILE *out)
{
  (void) s;
  char text[300];
  fprintf(out, "let the broker trust device certificates under %s%s",
          take_list_roots(&step->roots, text, sizeof text), print_apply(step->apply));
}

static uint64_t longest_trust_clients(const struct scenario *s, const struct scenario_step *step)
{
  bool tried = step->apply != SCENARIO_APPLY_NONE && !step->unprobed;
  return print_apply_ms(s, step) + (tried ? step->broker_ms : 0);
}

/* trust-clients: {roots: [A, B], apply: restart, within: 10s, probe: yes} */
const struct step_kind step_trust_clients = {
    .name = "trust-clients",
    .arguments = {STEP_ROOTS, STEP_ARG("apply"), STEP_ARG("within"), STEP_ARG("probe")},
    .take = take_trust_clients,
    .follow = follow_trust_clients,
    .print = print_trust_clients,
    .longest_ms = longest_trust_clients,
    .foretells = STEP_ENDS_BY_APPLY,
    .needs = need_trust_clients,
    .undo = undo_trust_clients,
    .certified = true,
    .run = run_trust_clients,
};

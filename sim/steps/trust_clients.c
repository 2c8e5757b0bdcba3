/* trust-clients: whom the broker trusts devices by. The files are written, the broker is told, and
 * then it is asked: a client under every root that it should trust must get in, one under each that
 * it trusted before must not. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <unistd.h>

#include "stage/apply.h"
#include "stage/foresight.h"
#include "stage/looks.h"
#include "stage/nodes.h"
#include "stage/operation.h"
#include "stage/start_nodes.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define LOOK_WITHIN_MS 10000u /* one of them has 5 s */
#define PAUSE_MS       100u

/* Somebody under one root, and what the broker should make of him. */
struct caller {
  const char *root;
  bool restarted; /* the broker was */
  bool welcome;
  struct broker_pair files;
};

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

static enum step_outcome look(struct stage *stage, size_t node, const struct caller *caller,
                              const char *from, struct broker_seen *seen, bool *answered)
{
  const struct broker_client client = {.client_id = PKI_PROBE_NAME,
                                       .certificate_path = caller->files.certificate,
                                       .key_path = caller->files.key,
                                       .from = from};
  struct stage_operation *operation = stage_operation_new(stage);
  if (operation == NULL) return STEP_ABORTED;
  broker_try_client(stage->nodes[node].broker, &client, stage_operation_seen, operation);
  enum stage_waited waited = stage_operation_await(stage, operation, LOOK_WITHIN_MS);
  *answered = operation->ended && !operation->failed;
  *seen = operation->seen;
  if (operation->failed) snprintf(seen->why, sizeof seen->why, "%.159s", operation->error.text);
  stage_operation_free(stage, operation);
  return waited == STAGE_ABORTED ? STEP_ABORTED : STEP_DONE;
}

static enum step_outcome fail_answer(struct stage *stage, size_t node, const struct caller *caller,
                                     const char *from, const struct broker_seen *seen)
{
  const struct broker *broker = stage->nodes[node].broker;
  char late[96];
  snprintf(late, sizeof late, "%s reads its CA file at start only: use apply: restart",
           broker_name(broker));
  const char *hint =
      broker_trusts_at_start_only(broker) && !caller->restarted ? late
      : broker_is(broker, BROKER_HOOKED)
          ? "do the hooks install FLEETSIM_CLIENT_CA, all of it and nothing else, and have it "
            "read? If it is slower than that, give the step a longer 'within'"
          : "was it told?";
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the broker at %s port %u %s a client certificate under %s%s%s after %.3g s%s%s: %s",
            broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
            caller->welcome ? "does not take" : "still takes", caller->root,
            from != NULL ? " from " : "", from != NULL ? from : "",
            (double) stage->broker_ms / 1000, seen->why[0] != '\0' ? ", " : "", seen->why, hint);
  return STEP_FAILED;
}

/* Asks until the answer is the one it should be, at every look in a row. */
static enum step_outcome await_answer(struct stage *stage, size_t node, const struct caller *caller)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + stage->broker_ms;
  unsigned right = 0, others = 0, needed = stage_looks_needed(stage);
  struct broker_seen seen = {.takes = false};
  char room[STAGE_LOOK_FROM];
  const char *from;
  do {
    bool answered;
    from = stage_look_from(stage, right, room);
    others = right;
    enum step_outcome outcome = look(stage, node, caller, from, &seen, &answered);
    if (outcome != STEP_DONE) return outcome;
    right = answered && seen.takes == caller->welcome ? right + 1 : 0;
    if (right == needed) return STEP_DONE;
    if (right == 0 && !stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
    /* looks that are right are looked at to the end */
  } while (right > 0 || stage_elapsed_ms(stage) < until_ms);
  return fail_answer(stage, node, caller, others > 0 ? from : NULL, &seen);
}

static enum step_outcome try_root(struct stage *stage, const struct scenario_step *step,
                                  const char *root, bool welcome)
{
  struct caller caller = {.root = root,
                          .restarted = step->apply == SCENARIO_APPLY_RESTART,
                          .welcome = welcome,
                          .files = broker_probe_place(stage->broker)};
  const struct broker_pair *files = &caller.files;
  enum step_outcome outcome = STEP_DONE;
  char note[128];
  int written = pki_write_probe(stage->pki, root, files->certificate, files->key, &stage->error);
  if (written < 0) return stage_give_up(stage);
  if (written > 0) {
    snprintf(note, sizeof note,
             "whether the broker trusts %s was not tried: the fleet folder has no key under it",
             root);
    stage_say(stage, note);
    return STEP_DONE;
  }
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
    if (stage_is_reachable(stage, n)) outcome = await_answer(stage, n, &caller);
  (void) unlink(files->key);
  (void) unlink(files->certificate);
  return outcome;
}

static enum step_outcome try_roots(struct stage *stage, const struct scenario_step *step,
                                   const struct pki_roots *before)
{
  const struct pki_roots *now = &step->roots;
  enum step_outcome outcome = STEP_DONE;
  for (size_t r = 0; r < now->count && outcome == STEP_DONE; r++)
    outcome = try_root(stage, step, now->name[r], true);
  for (size_t r = 0; r < before->count && outcome == STEP_DONE; r++)
    if (!pki_roots_include(now, before->name[r]))
      outcome = try_root(stage, step, before->name[r], false);
  return outcome;
}

static enum step_outcome run_trust_clients(struct stage *stage, const struct scenario_step *step)
{
  struct pki_roots before = stage->client_roots;
  if (stage_write_client_ca(stage, &step->roots) != 0) return stage_give_up(stage);
  note_reload(stage, step);
  if (stage_wait_broker(stage, broker_clients_trusted, 70000) != 0) return STEP_ABORTED;
  enum step_outcome outcome = stage_broker_apply(stage, step->apply, -1);
  if (outcome != STEP_DONE || step->apply == SCENARIO_APPLY_NONE || step->unprobed) return outcome;
  return try_roots(stage, step, &before);
}

static bool undo_trust_clients(const struct stage *stage, const struct scenario_step *step,
                               struct scenario_step *inverse)
{
  *inverse = *step;
  inverse->roots = stage->client_roots;
  if (inverse->apply == SCENARIO_APPLY_NONE)
    inverse->apply = scenario_default_apply(stage->scenario, SCENARIO_APPLY_RESTART);
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
  if (step_take_roots(w, 1) != 0 || step_take_apply(w, SCENARIO_APPLY_RESTART) != 0 ||
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
    .run = run_trust_clients,
};

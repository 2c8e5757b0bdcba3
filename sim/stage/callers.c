/* Asks brokers whom they let in: somebody under each root that they should trust, and under each
 * that they trusted before and should not any more. */
#define _POSIX_C_SOURCE 200809L
#include "stage/callers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/nodes.h"
#include "stage/rounds.h"
#include "stage/wait.h"

#define PAUSE_MS  100u
#define ANSWER_MS 10000u /* until the answer is right, where the step does not say */

/* Somebody under one root, and what the broker should make of him. */
struct caller {
  const char *root;
  bool restarted; /* the broker was */
  bool welcome;
  struct broker_pair files;
};

static uint64_t within_ms(const struct stage *stage)
{
  return stage->broker_ms > 0 ? stage->broker_ms : ANSWER_MS;
}

static enum step_outcome fail_answer(struct stage *stage, size_t node, const struct caller *caller,
                                     bool some, const struct stage_seen *wrong)
{
  const struct broker *broker = stage->nodes[node].broker;
  const char *why = wrong->broker.why;
  char late[96], from[64];
  snprintf(late, sizeof late, "%s reads its CA file at start only: use apply: restart",
           broker_name(broker));
  const char *hint =
      broker_trusts_at_start_only(broker) && !caller->restarted ? late
      : broker_is(broker, BROKER_HOOKED)
          ? "do the hooks install FLEETSIM_CLIENT_CA, all of it and nothing else, and have it "
            "read? If it is slower than that, give the step a longer 'within'"
          : "was it told?";
  error_set(&stage->error, EXIT_CODE_FAIL,
            "the broker at %s port %u %s a client certificate under %s%s after %.3g s%s%s: %s",
            broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
            caller->welcome ? "does not take" : "still takes", caller->root,
            some ? stage_from(wrong->from, from) : "", (double) within_ms(stage) / 1000,
            why[0] != '\0' ? ", " : "", why, hint);
  return STEP_FAILED;
}

static bool is_right(const struct stage_seen *seen, const void *caller)
{
  return seen->answered && seen->broker.takes == ((const struct caller *) caller)->welcome;
}

/* Asks until the answer is the one it should be, at every look of a round. */
static enum step_outcome await_answer(struct stage *stage, size_t node, const struct caller *caller)
{
  const struct stage_visitor visitor = {.files = &caller->files};
  uint64_t until_ms = stage_elapsed_ms(stage) + within_ms(stage);
  struct stage_round round;
  const struct stage_seen *wrong;
  unsigned right;
  for (;;) {
    if (stage_round(stage, node, &visitor, 1, &round) != STEP_DONE) return STEP_ABORTED;
    right = stage_round_right(&round, is_right, caller, &wrong);
    if (wrong == NULL) return STEP_DONE;
    if (!stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
    if (stage_elapsed_ms(stage) >= until_ms) break;
  }
  return fail_answer(stage, node, caller, right > 0, wrong);
}

/* `only`: one broker, -1: all that are reachable. */
static enum step_outcome try_root(struct stage *stage, int only, struct caller *caller)
{
  const struct broker_pair *files = &caller->files;
  enum step_outcome outcome = STEP_DONE;
  char note[128];
  caller->files = broker_probe_place(stage->broker);
  int written =
      pki_write_probe(stage->pki, caller->root, files->certificate, files->key, &stage->error);
  if (written < 0) return stage_give_up(stage);
  if (written > 0) {
    snprintf(note, sizeof note,
             "whether the broker trusts %s was not tried: the fleet folder has no key under it",
             caller->root);
    stage_say(stage, note);
    return STEP_DONE;
  }
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
    if (stage_is_reachable(stage, n) && (only < 0 || n == (size_t) only))
      outcome = await_answer(stage, n, caller);
  (void) unlink(files->key);
  (void) unlink(files->certificate);
  return outcome;
}

static enum step_outcome try_roots(struct stage *stage, int only, const struct pki_roots *before,
                                   bool restarted)
{
  const struct pki_roots *now = &stage->client_roots;
  enum step_outcome outcome = STEP_DONE;
  for (size_t r = 0; r < now->count && outcome == STEP_DONE; r++)
    outcome =
        try_root(stage, only,
                 &(struct caller){.root = now->name[r], .restarted = restarted, .welcome = true});
  for (size_t r = 0; r < before->count && outcome == STEP_DONE; r++)
    if (!pki_roots_include(now, before->name[r]))
      outcome =
          try_root(stage, only, &(struct caller){.root = before->name[r], .restarted = restarted});
  return outcome;
}

enum step_outcome stage_callers_try(struct stage *stage, const struct pki_roots *before,
                                    bool restarted)
{
  return try_roots(stage, -1, before, restarted);
}

/* Several steps may be missed: what any of them dropped is asked about, unless the last has it
   again. */
static void add_roots(struct pki_roots *to, const struct pki_roots *from)
{
  for (size_t r = 0; r < from->count; r++) {
    if (pki_roots_include(to, from->name[r]) || to->count == PKI_ROOTS_MAX) continue;
    memcpy(to->name[to->count++], from->name[r], sizeof to->name[0]);
  }
}

void stage_callers_missed(struct stage *stage, const struct pki_roots *before)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    if (stage_is_reachable(stage, n)) continue;
    stage->nodes[n].untried = true;
    add_roots(&stage->nodes[n].trusted, before);
  }
}

enum step_outcome stage_callers_make_up(struct stage *stage, size_t node, bool restarted)
{
  struct stage_node *n = &stage->nodes[node];
  struct pki_roots before = n->trusted;
  if (!n->untried) return STEP_DONE;
  n->untried = false;
  n->trusted.count = 0;
  return try_roots(stage, (int) node, &before, restarted);
}

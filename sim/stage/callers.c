/* Asks brokers whom they let in: somebody under each root that they should trust, and under each
 * that they trusted before and should not any more. */
#define _POSIX_C_SOURCE 200809L
#include "stage/callers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/list_names.h"
#include "stage/looks.h"
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
  const char *when; /* he was asked about before; NULL: the first time */
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
      caller->when != NULL ? "it was otherwise before: does something put an older CA file back?"
      : broker_trusts_at_start_only(broker) && !caller->restarted ? late
      : broker_is(broker, BROKER_HOOKED)
          ? "do the hooks install FLEETSIM_CLIENT_CA, all of it and nothing else, and have it "
            "read? If it is slower than that, give the step a longer 'within'"
          : "was it told?";
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%s%sthe broker at %s port %u %s a client certificate under %s%s after %.3g s%s%s: %s",
            caller->when != NULL ? caller->when : "", caller->when != NULL ? " " : "",
            broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
            caller->welcome        ? "does not take"
            : caller->when != NULL ? "takes"
                                   : "still takes",
            caller->root, some ? stage_from(wrong->from, from) : "",
            (double) within_ms(stage) / 1000, why[0] != '\0' ? ", " : "", why, hint);
  return STEP_FAILED;
}

/* Without the broker's certificate nobody has refused a client for his. */
static bool is_right(const struct stage_seen *seen, const void *ctx)
{
  const struct caller *caller = ctx;
  return seen->answered && seen->broker.certificates > 0 && seen->broker.takes == caller->welcome;
}

static bool is_not_contrary(const struct stage_seen *seen, const void *caller)
{
  return !seen->answered || is_right(seen, caller);
}

static enum step_outcome say_no_answer(struct stage *stage, size_t node,
                                       const struct caller *caller)
{
  char note[256];
  const struct broker *broker = stage->nodes[node].broker;
  snprintf(note, sizeof note,
           "whether the broker at %.100s port %u trusts %s %s was not seen: no answer",
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN), caller->root,
           caller->when);
  stage_say(stage, note);
  return STEP_DONE;
}

/* Asks until the answer is the one it should be, at every look of a round. */
static enum step_outcome await_answer(struct stage *stage, size_t node, const struct caller *caller)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + within_ms(stage);
  struct stage_round round;
  const struct stage_seen *wrong;
  unsigned right;
  for (;;) {
    const struct stage_visitor visitor = {
        .node = node, .files = &caller->files, .timeout_ms = stage_look_until(stage, until_ms)};
    if (stage_round(stage, &visitor, 1, &round) != STEP_DONE) return STEP_ABORTED;
    right = stage_round_right(&round, is_right, caller, &wrong);
    if (wrong == NULL) return STEP_DONE;
    if (!stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
    if (stage_elapsed_ms(stage) >= until_ms) break;
  }
  if (caller->when != NULL) (void) stage_round_right(&round, is_not_contrary, caller, &wrong);
  if (wrong == NULL) return say_no_answer(stage, node, caller);
  return fail_answer(stage, node, caller, right > 0, wrong);
}

/* Somebody on a list is refused for that, whatever root he is under. */
static bool may_ask(void *ctx, size_t device)
{
  const struct stage *stage = ctx;
  if (stage->fleet == NULL || device >= fleet_size(stage->fleet)) return true;
  return !stage->identity[device].revoked && !fleet_facts(stage->fleet, (uint32_t) device)->revoked;
}

/* `only`: one broker, -1: all that are reachable. */
static enum step_outcome try_root(struct stage *stage, int only, struct caller *caller)
{
  const struct broker_pair *files = &caller->files;
  enum step_outcome outcome = STEP_DONE;
  char note[128];
  caller->files = broker_probe_place(stage->broker);
  int written = pki_write_probe(stage->pki, caller->root, may_ask, stage, files->certificate,
                                files->key, &stage->error);
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
                                   const struct caller *as)
{
  const struct pki_roots *now = &stage->client_roots;
  enum step_outcome outcome = STEP_DONE;
  for (size_t r = 0; r < now->count + before->count && outcome == STEP_DONE; r++) {
    struct caller caller = *as;
    caller.welcome = r < now->count;
    caller.root = caller.welcome ? now->name[r] : before->name[r - now->count];
    if (!caller.welcome && pki_roots_include(now, caller.root)) continue;
    outcome = try_root(stage, only, &caller);
  }
  return outcome;
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

/* What several steps have dropped stays dropped, unless the last has it again. */
static void note_tried(struct stage *stage, const struct pki_roots *before)
{
  struct pki_roots dropped = {.count = 0};
  const struct pki_roots *now = &stage->client_roots;
  add_roots(&stage->dropped_roots, before);
  for (size_t r = 0; r < stage->dropped_roots.count; r++)
    if (!pki_roots_include(now, stage->dropped_roots.name[r]))
      memcpy(dropped.name[dropped.count++], stage->dropped_roots.name[r], sizeof dropped.name[0]);
  stage->dropped_roots = dropped;
  stage->tried_roots = *now;
}

enum step_outcome stage_callers_try(struct stage *stage, const struct pki_roots *before,
                                    bool restarted)
{
  enum step_outcome outcome =
      try_roots(stage, -1, before, &(struct caller){.restarted = restarted});
  if (outcome == STEP_DONE) note_tried(stage, before);
  return outcome;
}

static bool are_same(const struct pki_roots *a, const struct pki_roots *b)
{
  bool same = a->count == b->count;
  for (size_t r = 0; r < a->count; r++) same = same && pki_roots_include(b, a->name[r]);
  return same;
}

enum step_outcome stage_callers_try_again(struct stage *stage, const char *when)
{
  struct pki_roots dropped = stage->dropped_roots;
  bool tried = stage->tried_roots.count > 0 && are_same(&stage->tried_roots, &stage->client_roots);
  if (!tried || stage->rolling_back || stage_list_shuts_out(stage) ||
      !scenario_broker_is(stage->scenario, BROKER_HOOKED))
    return STEP_DONE;
  return try_roots(stage, -1, &dropped, &(struct caller){.restarted = true, .when = when});
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
  return try_roots(stage, (int) node, &before, &(struct caller){.restarted = restarted});
}

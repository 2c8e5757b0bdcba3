/* Asks brokers whom they let in: somebody under each root that they should trust, and under each
 * that they trusted before and should not any more. */
#define _POSIX_C_SOURCE 200809L
#include "stage/callers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stage/looks.h"
#include "stage/nodes.h"
#include "stage/operation.h"
#include "stage/wait.h"

#define LOOK_WITHIN_MS 10000u /* one of them has 5 s */
#define PAUSE_MS       100u
#define ANSWER_MS      10000u /* until the answer is right, where the step does not say */

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

static enum step_outcome look_as_caller(struct stage *stage, size_t node,
                                        const struct caller *caller, const char *from,
                                        struct broker_seen *seen, bool *answered)
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
            (double) within_ms(stage) / 1000, seen->why[0] != '\0' ? ", " : "", seen->why, hint);
  return STEP_FAILED;
}

/* Asks until the answer is the one it should be, at every look in a row. */
static enum step_outcome await_answer(struct stage *stage, size_t node, const struct caller *caller)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + within_ms(stage);
  unsigned right = 0, others = 0, needed = stage_looks_needed(stage);
  struct broker_seen seen = {.takes = false};
  char room[STAGE_LOOK_FROM];
  const char *from;
  do {
    bool answered;
    from = stage_look_from(stage, right, room);
    others = right;
    enum step_outcome outcome = look_as_caller(stage, node, caller, from, &seen, &answered);
    if (outcome != STEP_DONE) return outcome;
    right = answered && seen.takes == caller->welcome ? right + 1 : 0;
    if (right == needed) return STEP_DONE;
    if (right == 0 && !stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
    /* looks that are right are looked at to the end */
  } while (right > 0 || stage_elapsed_ms(stage) < until_ms);
  return fail_answer(stage, node, caller, others > 0 ? from : NULL, &seen);
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

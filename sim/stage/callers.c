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
  bool only_shut_out; /* nobody else is asked about: a list keeps everybody out */
  const char *when;   /* he was asked about before; NULL: the first time */
  struct broker_pair files;
  const char *beside; /* who is not welcome: a root that is trusted, or NULL, and somebody of it */
  struct broker_pair beside_files;
};

/* What one look says, as the latest that said something. */
enum said { SAID_NOTHING, SAID_RIGHT, SAID_WRONG };
struct answers {
  enum said said[STAGE_ROUND_MAX];
  struct stage_seen wrong, silent; /* one of them */
  unsigned count, right, wrongs;
};

static uint64_t within_ms(const struct stage *stage)
{
  return stage->broker_ms > 0 ? stage->broker_ms : ANSWER_MS;
}

static enum step_outcome fail_answer(struct stage *stage, size_t node, const struct caller *caller,
                                     const struct answers *answers)
{
  const struct broker *broker = stage->nodes[node].broker;
  const struct stage_seen *wrong = &answers->wrong;
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
            caller->root, answers->right > 0 ? stage_from(wrong->from, from) : "",
            (double) within_ms(stage) / 1000, why[0] != '\0' ? ", " : "", why, hint);
  return STEP_FAILED;
}

/* Without the broker's certificate nobody has refused a client for his. One that is closed on without
 * the word may be so for another reason, as a limit of connections: not where one beside him that the
 * broker trusts gets in. */
static enum said said_by(const struct caller *caller, const struct stage_seen *seen,
                         const struct stage_seen *beside)
{
  if (!seen->answered || seen->broker.chain.count == 0) return SAID_NOTHING;
  if (seen->broker.takes || caller->welcome)
    return seen->broker.takes == caller->welcome ? SAID_RIGHT : SAID_WRONG;
  bool told = seen->broker.failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
  return told || caller->beside == NULL || (beside->answered && beside->broker.takes)
             ? SAID_RIGHT
             : SAID_NOTHING;
}

/* A look that says nothing this time has said what it said before. */
static void take_answers(const struct caller *caller, const struct stage_round round[2],
                         struct answers *out)
{
  out->right = out->wrongs = 0;
  out->count = round->count;
  for (unsigned i = 0; i < round->count; i++) {
    enum said said = said_by(caller, &round[0].look[i], &round[1].look[i]);
    if (said != SAID_NOTHING) out->said[i] = said;
    if (said == SAID_WRONG) out->wrong = round->look[i];
    if (said == SAID_NOTHING) out->silent = round->look[i];
    out->right += out->said[i] == SAID_RIGHT;
    out->wrongs += out->said[i] == SAID_WRONG;
  }
}

/* What nobody said is a note where others did, or where it was seen before. */
static enum step_outcome end_unsaid(struct stage *stage, size_t node, const struct caller *caller,
                                    const struct answers *answers)
{
  char text[512], why[300] = "no answer";
  const struct broker *broker = stage->nodes[node].broker;
  const struct broker_seen *seen = &answers->silent.broker;
  if (answers->silent.answered && seen->chain.count > 0)
    snprintf(why, sizeof why, "it is kept out (%.120s), and so is a certificate under %.40s",
             seen->why, caller->beside);
  else if (seen->why[0] != '\0')
    snprintf(why, sizeof why, "%.160s", seen->why);
  char how[64] = "not seen";
  if (answers->right > 0)
    snprintf(how, sizeof how, "seen by %u of %u looks", answers->right, answers->count);
  snprintf(text, sizeof text, "whether the broker at %.100s port %u trusts %s %s%swas %s: %s",
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN), caller->root,
           caller->when != NULL ? caller->when : "", caller->when != NULL ? " " : "", how, why);
  if (answers->right == 0 && caller->when == NULL) {
    error_set(&stage->error, EXIT_CODE_FAIL, "%s", text);
    return STEP_FAILED;
  }
  stage_say(stage, text);
  return STEP_DONE;
}

/* Asks until the answer is the one it should be, at every look of a round. */
static enum step_outcome await_answer(struct stage *stage, size_t node, const struct caller *caller)
{
  uint64_t until_ms = stage_elapsed_ms(stage) + within_ms(stage);
  struct answers answers = {.count = 0};
  struct stage_round round[2];
  for (;;) {
    uint64_t timeout_ms = stage_look_until(stage, until_ms);
    const struct stage_visitor visitor[2] = {
        {.node = node, .files = &caller->files, .timeout_ms = timeout_ms},
        {.node = node,
         .files = &caller->beside_files,
         .id = STAGE_LOOKS_MAX,
         .timeout_ms = timeout_ms}};
    if (stage_round(stage, visitor, caller->beside != NULL ? 2 : 1, round) != STEP_DONE)
      return STEP_ABORTED;
    take_answers(caller, round, &answers);
    if (answers.right == answers.count) return STEP_DONE;
    if (!stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
    if (stage_elapsed_ms(stage) >= until_ms) break;
  }
  return answers.wrongs > 0 ? fail_answer(stage, node, caller, &answers)
                            : end_unsaid(stage, node, caller, &answers);
}

/* Somebody on a list is refused for that, whatever root he is under. */
static bool may_ask(void *ctx, size_t device)
{
  const struct stage *stage = ctx;
  if (stage->fleet == NULL || device >= fleet_size(stage->fleet)) return true;
  return !stage->identity[device].revoked && !fleet_facts(stage->fleet, (uint32_t) device)->revoked;
}

/* Somebody whom the broker is to take, beside one whom it is not to. */
static int find_beside(struct stage *stage, struct caller *caller)
{
  const struct pki_roots *now = &stage->client_roots;
  caller->beside_files = broker_device_place(stage->broker, 0);
  for (size_t r = 0; r < now->count && !caller->welcome; r++) {
    int written =
        pki_write_probe(stage->pki, now->name[r], may_ask, stage, caller->beside_files.certificate,
                        caller->beside_files.key, &stage->error);
    if (written == 0) caller->beside = now->name[r];
    if (written <= 0) return written;
  }
  return 0;
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
  if (find_beside(stage, caller) != 0) return stage_give_up(stage);
  for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
    if (stage_is_reachable(stage, n) && (only < 0 || n == (size_t) only))
      outcome = await_answer(stage, n, caller);
  (void) unlink(files->key);
  (void) unlink(files->certificate);
  (void) unlink(caller->beside_files.key);
  (void) unlink(caller->beside_files.certificate);
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
    if (caller.welcome ? caller.only_shut_out : pki_roots_include(now, caller.root)) continue;
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
  if (!tried || stage->rolling_back || !scenario_broker_is(stage->scenario, BROKER_HOOKED))
    return STEP_DONE;
  const struct caller as = {
      .restarted = true, .only_shut_out = stage_list_shuts_out(stage), .when = when};
  return try_roots(stage, -1, &dropped, &as);
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

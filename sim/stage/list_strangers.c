/* A look as somebody who is on no list, nor was: that a renewed list of nobody has not come shows
 * by the one before, once that is over. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_strangers.h"

#include <unistd.h>

#include "stage/list_names.h"
#include "stage/nodes.h"
#include "stage/rounds.h"
#include "stage/wait.h"

#define AGAIN          2u
#define AGAIN_AFTER_MS 10000u

static bool is_told_expired(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  return look->answered && look->broker.failure == DEVICE_FAIL_TLS_ALERT_EXPIRED;
}

/* 0, 1: the folder can make none, or -1. */
static int write_stranger(struct stage *stage, const struct broker_pair *files)
{
  const struct pki_roots *roots = &stage->client_roots;
  for (size_t r = 0; r < roots->count; r++)
    if (pki_can_issue(stage->pki, roots->name[r]))
      return pki_write_stranger(stage->pki, roots->name[r], files->certificate, files->key,
                                &stage->error);
  return 1;
}

static bool was_taken(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  return look->answered && look->broker.takes;
}

static bool is_closed_on(const struct stage_seen *look, const void *ctx)
{
  (void) ctx;
  enum device_failure failure = look->broker.failure;
  return look->answered && look->broker.chain.count > 0 && !look->broker.takes &&
         (failure == DEVICE_FAIL_TLS_CLOSED || failure == DEVICE_FAIL_TLS_RESET);
}

/* What a round says of an address. */
static void note_round(struct stage_node *node, const struct stage_round *round)
{
  const struct stage_seen *but;
  bool told = stage_round_right(round, is_told_expired, NULL, &but) > 0;
  bool closed = stage_round_right(round, is_closed_on, NULL, &but) > 0 && but == NULL;
  if (stage_round_right(round, was_taken, NULL, &but) > 0) node->takes_others = true;
  node->shuts_mutely = !told && closed && node->takes_others;
  node->shuts_out = told || node->shuts_mutely;
}

/* At each address for which `where` holds: `looks`, 0: as many as prove something there. */
static enum step_outcome look_at(struct stage *stage, const struct broker_pair *files,
                                 const bool where[SCENARIO_NODES_MAX], unsigned looks)
{
  struct stage_visitor visitor[SCENARIO_NODES_MAX];
  struct stage_round round[SCENARIO_NODES_MAX];
  size_t count = 0;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (where[n])
      visitor[count++] = (struct stage_visitor){
          .node = n, .files = files, .looks = looks, .timeout_ms = stage_look_ms(stage)};
  if (count == 0) return STEP_DONE;
  if (stage_round(stage, visitor, count, round) != STEP_DONE) return STEP_ABORTED;
  for (size_t v = 0; v < count; v++) note_round(&stage->nodes[visitor[v].node], &round[v]);
  return STEP_DONE;
}

/* A broker that closes may have had too many clients at once: after a while one is not. */
static enum step_outcome make_sure(struct stage *stage, const struct broker_pair *files)
{
  for (unsigned again = 0; again < AGAIN; again++) {
    bool mute[SCENARIO_NODES_MAX] = {false}, any = false;
    for (size_t n = 0; n < stage->scenario->node_count; n++) {
      mute[n] = stage->nodes[n].shuts_mutely;
      any = any || mute[n];
    }
    if (!any) return STEP_DONE;
    if (!stage_pause(stage, AGAIN_AFTER_MS) || look_at(stage, files, mute, 1) != STEP_DONE)
      return STEP_ABORTED;
  }
  return STEP_DONE;
}

static bool may_look(const struct stage *stage)
{
  return stage->lists > 0 && !stage->list_untold && !stage_list_shuts_out(stage) &&
         !stage->scenario->device.no_certificate;
}

/* With the certificate of nobody's, if one can be made; `all`: at each address that answers, else where
   it is to be made sure of. */
static enum step_outcome look_as_nobody(struct stage *stage, bool all)
{
  const struct broker_pair files = broker_device_place(stage->broker, 0);
  bool where[SCENARIO_NODES_MAX] = {false};
  int made = may_look(stage) ? write_stranger(stage, &files) : 1;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    struct stage_node *node = &stage->nodes[n];
    where[n] = all && stage_is_reachable(stage, n) && !node->silent;
    node->shuts_mutely = node->shuts_mutely && made == 0;
  }
  enum step_outcome outcome = made < 0 ? stage_give_up(stage) : STEP_DONE;
  if (made == 0) outcome = look_at(stage, &files, where, 0);
  if (made == 0 && outcome == STEP_DONE) outcome = make_sure(stage, &files);
  (void) unlink(files.key);
  (void) unlink(files.certificate);
  return outcome;
}

enum step_outcome stage_list_look_as_nobody(struct stage *stage)
{
  return look_as_nobody(stage, true);
}

enum step_outcome stage_list_make_sure(struct stage *stage)
{
  return look_as_nobody(stage, false);
}

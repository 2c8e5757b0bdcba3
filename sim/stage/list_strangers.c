/* A look as somebody who is on no list, nor was: that a renewed list of nobody has not come shows
 * by the one before, once that is over. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_strangers.h"

#include <unistd.h>

#include "stage/list_names.h"
#include "stage/nodes.h"
#include "stage/rounds.h"

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

static enum step_outcome look_everywhere(struct stage *stage, const struct broker_pair *files)
{
  struct stage_visitor visitor[SCENARIO_NODES_MAX];
  struct stage_round round[SCENARIO_NODES_MAX];
  const struct stage_seen *but;
  size_t count = 0;
  for (size_t n = 0; n < stage->scenario->node_count; n++)
    if (stage_is_reachable(stage, n) && !stage->nodes[n].silent)
      visitor[count++] =
          (struct stage_visitor){.node = n, .files = files, .timeout_ms = stage_look_ms(stage)};
  if (count == 0) return STEP_DONE;
  if (stage_round(stage, visitor, count, round) != STEP_DONE) return STEP_ABORTED;
  for (size_t v = 0; v < count; v++)
    stage->nodes[visitor[v].node].shuts_out =
        stage_round_right(&round[v], is_told_expired, NULL, &but) > 0;
  return STEP_DONE;
}

enum step_outcome stage_list_look_as_nobody(struct stage *stage)
{
  const struct broker_pair files = broker_device_place(stage->broker, 0);
  if (stage->lists == 0 || stage->list_untold || stage_list_shuts_out(stage) ||
      stage->scenario->device.no_certificate)
    return STEP_DONE;
  int made = write_stranger(stage, &files);
  enum step_outcome outcome = made < 0    ? stage_give_up(stage)
                              : made == 0 ? look_everywhere(stage, &files)
                                          : STEP_DONE;
  (void) unlink(files.key);
  (void) unlink(files.certificate);
  return outcome;
}

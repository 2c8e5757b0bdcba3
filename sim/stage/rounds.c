/* Opens all looks of a round before it waits for the first: who looks one by one meets the idle
 * machine of a balancer again and again. */
#define _POSIX_C_SOURCE 200809L
#include "stage/rounds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fleet/addresses.h"
#include "stage/operation.h"

#define CLOSE_MS      5000u
#define PROBE_NUMBERS (36u * 36 * 36 - 1)

/* One round of one visitor, under way. */
struct looking {
  const struct stage_visitor *visitor;
  struct stage_round *round;
  struct stage_operation *operation[STAGE_ROUND_MAX];
  unsigned begun;
};

static const char *from_of(const struct stage *stage, const struct stage_visitor *visitor,
                           unsigned number, char room[STAGE_LOOK_FROM])
{
  room[0] = '\0';
  if (!visitor->as_device) return stage_look_from(stage, number, room);
  if (number > 0) return stage_look_from(stage, number - 1, room);
  if (stage->source_addresses == 0) return NULL;
  addresses_text(visitor->device % stage->source_addresses, room);
  return room;
}

/* To the base of 36, without zeros before it. */
static const char *digits_of(unsigned number, char out[4])
{
  unsigned at = 3;
  out[at] = '\0';
  do {
    out[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
    number /= 36;
  } while (number > 0 && at > 0);
  return &out[at];
}

void stage_probe_id(struct stage *stage, bool by_own_name, char id[STAGE_PROBE_ID])
{
  char digits[4];
  if (by_own_name) {
    snprintf(id, STAGE_PROBE_ID, "%s", PKI_PROBE_NAME);
    return;
  }
  stage->probe_number = stage->probe_number % PROBE_NUMBERS + 1;
  snprintf(id, STAGE_PROBE_ID, "%s-%.4s-%s", PKI_PROBE_NAME, stage->results.run_id,
           digits_of(stage->probe_number, digits));
}

static void begin_look(struct stage *stage, const struct looking *looking, unsigned number)
{
  char id[STAGE_PROBE_ID];
  const struct stage_visitor *visitor = looking->visitor;
  struct broker *broker = stage->nodes[looking->visitor->node].broker;
  struct stage_operation *operation = looking->operation[number];
  bool by_own_name = visitor->by_own_name && number == 0;
  const char *from = from_of(stage, visitor, number, looking->round->look[number].from);
  if (visitor->files == NULL) {
    const struct broker_look look = {visitor->listener, from, number,
                                     (uint32_t) visitor->timeout_ms};
    broker_probe(broker, &look, stage_operation_seen, operation);
    return;
  }
  const struct broker_pair *files = visitor->files;
  looking->round->look[number].by_own_name = by_own_name;
  stage_probe_id(stage, by_own_name, id);
  const struct broker_client client = {.client_id = id,
                                       .certificate_path =
                                           visitor->bare ? NULL : files->certificate,
                                       .key_path = visitor->bare ? NULL : files->key,
                                       .login = visitor->login,
                                       .ca_path = visitor->ca,
                                       .from = from,
                                       .turn = number,
                                       .timeout_ms = (uint32_t) visitor->timeout_ms};
  broker_try_client(broker, &client, stage_operation_seen, operation);
}

static enum step_outcome begin(struct stage *stage, struct looking *looking)
{
  const struct stage_visitor *visitor = looking->visitor;
  unsigned all = stage_looks_needed(stage) + visitor->as_device;
  unsigned count = visitor->looks > 0 ? visitor->looks : all;
  assert(count <= STAGE_ROUND_MAX && visitor->timeout_ms > 0);
  for (looking->begun = 0; looking->begun < count; looking->begun++) {
    looking->operation[looking->begun] = stage_operation_new(stage);
    if (looking->operation[looking->begun] == NULL) return STEP_ABORTED;
    begin_look(stage, looking, looking->begun);
  }
  return STEP_DONE;
}

static void take(const struct stage_operation *operation, struct stage_seen *seen)
{
  seen->answered = operation->ended && !operation->failed;
  seen->broker = operation->seen;
  if (operation->failed)
    snprintf(seen->broker.why, sizeof seen->broker.why, "%.159s", operation->error.text);
  if (!operation->ended) seen->broker.failure = DEVICE_FAIL_TLS_TIMEOUT;
}

static enum step_outcome end(struct stage *stage, struct looking *looking)
{
  uint64_t within_ms = looking->visitor->timeout_ms + CLOSE_MS;
  enum step_outcome outcome = STEP_DONE;
  looking->round->count = looking->begun;
  for (unsigned i = 0; i < looking->begun; i++) {
    if (stage_operation_await(stage, looking->operation[i], within_ms) == STAGE_ABORTED)
      outcome = STEP_ABORTED;
    take(looking->operation[i], &looking->round->look[i]);
    stage_operation_free(stage, looking->operation[i]);
  }
  return outcome;
}

enum step_outcome stage_round(struct stage *stage, const struct stage_visitor *visitors,
                              size_t count, struct stage_round *out)
{
  struct looking looking[STAGE_VISITORS_MAX];
  enum step_outcome outcome = STEP_DONE;
  size_t begun = 0;
  assert(count <= STAGE_VISITORS_MAX);
  for (size_t v = 0; v < count; v++) out[v].count = 0;
  for (; begun < count && outcome == STEP_DONE; begun++) {
    looking[begun] = (struct looking){.visitor = &visitors[begun], .round = &out[begun]};
    outcome = begin(stage, &looking[begun]);
  }
  for (size_t v = 0; v < begun; v++)
    if (end(stage, &looking[v]) != STEP_DONE) outcome = STEP_ABORTED;
  return outcome;
}

unsigned stage_round_right(const struct stage_round *round, stage_is_right *is, const void *ctx,
                           const struct stage_seen **but)
{
  unsigned right = 0;
  *but = NULL;
  for (unsigned i = 0; i < round->count; i++) {
    bool holds = is(&round->look[i], ctx);
    right += holds;
    if (!holds && *but == NULL) *but = &round->look[i];
  }
  return right;
}

const char *stage_from(const char *from, char out[64])
{
  out[0] = '\0';
  if (from[0] != '\0') snprintf(out, 64, " from %s", from);
  return out;
}

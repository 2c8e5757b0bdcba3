/* kick: sessions that a list leaves open are ended, some at once; each is waited for until it is
 * closed. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "stage/bystanders.h"
#include "stage/logins.h"
#include "stage/operation.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define KICKS_AT_ONCE 16u

struct kicks {
  struct stage *stage;
  const uint32_t *devices;
  uint32_t *before; /* CONNACKs of each when the kicks began */
  size_t count, begun, ended;
  bool failed;
  struct error error; /* of the first that failed */
};

static void begin_next(struct kicks *kicks);

static void on_kicked(void *ctx, const struct error *error)
{
  struct kicks *kicks = ctx;
  kicks->ended++;
  if (error != NULL && !kicks->failed) {
    kicks->failed = true;
    kicks->error = *error;
  }
  begin_next(kicks);
}

static void begin_next(struct kicks *kicks)
{
  struct stage *stage = kicks->stage;
  if (kicks->begun == kicks->count || kicks->failed || stage->aborted) return;
  uint32_t device = kicks->devices[kicks->begun++];
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  stage->identity[device].kicked = facts->connects + 1;
  struct broker_kick kick = {.client_id = names_of(stage->names, device).client_id,
                             .keep_session = !stage->scenario->device.clean_start,
                             .certificate_path = stage->operator_certificate,
                             .key_path = stage->operator_key,
                             .login = stage_operator_login(stage)};
  bool one_for_all = broker_is(stage->broker, BROKER_HOOKED);
  size_t node = one_for_all || facts->node < 0 ? 0 : (size_t) facts->node;
  broker_kick(stage->nodes[node].broker, &kick, on_kicked, kicks);
}

static size_t still_open(const struct kicks *kicks)
{
  size_t n = 0;
  for (size_t i = 0; i < kicks->count; i++) {
    const struct fleet_facts *facts = fleet_facts(kicks->stage->fleet, kicks->devices[i]);
    n += facts->online && facts->connects == kicks->before[i];
  }
  return n;
}

static bool all_kicked(struct stage *stage, void *ctx)
{
  (void) stage;
  const struct kicks *kicks = ctx;
  return kicks->ended == kicks->begun && (kicks->failed || still_open(kicks) == 0);
}

static void tell_short(struct stage *stage, size_t silent, size_t open, uint64_t within_ms)
{
  char kicks[64] = "", sessions[64] = "";
  if (silent > 0)
    snprintf(kicks, sizeof kicks, "%zu kick%s not answered", silent,
             silent == 1 ? " was" : "s were");
  if (open > 0)
    snprintf(sessions, sizeof sessions, "%zu session%s open still", open,
             open == 1 ? " is" : "s are");
  error_set(&stage->error, EXIT_CODE_FAIL, "within %.3g s %s%s%s", (double) within_ms / 1000.0,
            kicks, silent > 0 && open > 0 ? ", and " : "", sessions);
}

static enum step_outcome run_kicks(struct stage *stage, struct kicks *kicks, uint64_t within_ms)
{
  for (size_t i = 0; i < KICKS_AT_ONCE; i++) begin_next(kicks);
  enum stage_waited waited = stage_wait(stage, all_kicked, kicks, within_ms);
  size_t open = still_open(kicks), silent = kicks->begun - kicks->ended;
  kicks->count = kicks->begun; /* none begins from here on */
  if (waited == STAGE_ABORTED) return STEP_ABORTED;
  if (waited == STAGE_REACHED && !kicks->failed) return STEP_DONE;
  if (kicks->failed && broker_is(stage->broker, BROKER_HOOKED)) { /* as every hook that fails */
    stage_abort(stage, &kicks->error);
    return STEP_ABORTED;
  }
  if (kicks->failed)
    stage->error = kicks->error;
  else
    tell_short(stage, silent, open, within_ms);
  return STEP_FAILED;
}

/* Kicks that are still under way call back until the brokers are closed. */
static void release(struct stage *stage, struct kicks *kicks)
{
  void *blocks[] = {kicks->before, (void *) (uintptr_t) kicks->devices, kicks};
  bool ended = kicks->ended == kicks->begun;
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    if (ended)
      free(blocks[i]);
    else
      stage_keep(stage, blocks[i]);
  }
}

/* A list may have ended a session before: that is no failure, and no kick either. */
static void tell_absent(struct stage *stage, size_t absent, size_t count)
{
  char note[120];
  if (absent == 0) return;
  snprintf(note, sizeof note, "%zu of %zu devices to kick had no session: nobody was kicked there",
           absent, count);
  stage_say(stage, note);
}

/* Those, and nobody else. */
static enum step_outcome kick_those(struct stage *stage, struct kicks *kicks, uint64_t within_ms)
{
  struct stage_bystanders others;
  if (stage_bystanders_note(stage, kicks->devices, kicks->count, &others) != 0) return STEP_ABORTED;
  enum step_outcome outcome = run_kicks(stage, kicks, within_ms);
  if (outcome == STEP_DONE && kicks->count > 0) outcome = stage_bystanders_judge(stage, &others);
  stage_bystanders_free(&others);
  return outcome;
}

static enum step_outcome run_kick(struct stage *stage, const struct scenario_step *step)
{
  size_t count, online = 0;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  uint32_t *before = calloc(count + 1, sizeof *before);
  struct kicks *kicks = calloc(1, sizeof *kicks);
  if (before == NULL || kicks == NULL) {
    free(devices);
    free(before);
    free(kicks);
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory");
    return stage_give_up(stage);
  }
  for (size_t i = 0; i < count; i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, devices[i]);
    /* a clone may have the session that the device has lost */
    if (!facts->online && stage->clones == NULL) continue;
    before[online] = facts->connects;
    devices[online++] = devices[i];
  }
  tell_absent(stage, count - online, count);
  *kicks = (struct kicks){.stage = stage, .devices = devices, .before = before, .count = online};
  enum step_outcome outcome = kick_those(stage, kicks, step->within_ms);
  release(stage, kicks);
  return outcome;
}

static int take_kick(const struct step_take *w)
{
  return step_take_who(w, true) != 0 ? -1 : step_take_within(w);
}

static int follow_kick(const struct step_follow *f)
{
  return step_story_online(f) != 0 ? -1 : step_story_hook(f, HOOK_KICK);
}

static void print_kick(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "end the open sessions of %s at the broker", who);
}

/* kick: {WHO, within: 30s} */
const struct step_kind step_kick = {
    .name = "kick",
    .arguments = {STEP_WHO, STEP_ARG("within")},
    .take = take_kick,
    .follow = follow_kick,
    .print = print_kick,
    .longest_ms = print_within_ms,
    .foretells = STEP_ENDS_SESSIONS,
    .run = run_kick,
};

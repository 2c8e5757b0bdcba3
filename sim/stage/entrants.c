/* Looks as devices before a hook that restarts brokers, and after it: what is asked of an address
 * then is what was seen there, in the same words. */
#define _POSIX_C_SOURCE 200809L
#include "stage/entrants.h"

#include <stdio.h>
#include <stdlib.h>

#include "stage/chains.h"
#include "stage/device_looks.h"
#include "stage/device_names.h"
#include "stage/list_names.h"
#include "stage/looks.h"
#include "stage/nodes.h"
#include "stage/wait.h"

#define BACK_WITHIN_MS 20000u

static bool has(const struct stage_entrants *entrants, uint64_t issuers)
{
  for (size_t i = 0; i < entrants->count; i++)
    if (entrants->as[i].issuers == issuers) return true;
  return false;
}

static void choose(struct stage *stage, bool online, struct stage_entrants *out)
{
  unsigned trusted = stage_roots_trusted(stage);
  uint64_t passed = 0; /* issuers of devices that the broker should not trust */
  for (size_t d = 0; d < fleet_size(stage->fleet) && out->count < STAGE_ENTRANTS_MAX; d++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, d);
    if (facts->online != online || !facts->ever_online || facts->revoked ||
        stage->identity[d].revoked)
      continue;
    struct stage_stand_in stand_in = stage_stand_in(stage, d);
    if (has(out, stand_in.issuers) || stand_in.issuers == passed) continue;
    if (stage->scenario->device.no_certificate || (stage_roots_in_force(stage, d) & trusted) != 0)
      out->as[out->count++] = stand_in;
    else
      passed = stand_in.issuers;
  }
}

/* Why nobody stands for an address: of the last look there. */
struct unseen {
  bool looked, shut;
  enum device_failure failure;
};

/* All of them at every address. */
struct crowd {
  struct stage_device_look look[STAGE_ENTRANTS_MAX * SCENARIO_NODES_MAX];
  struct stage_device_look *at[STAGE_ENTRANTS_MAX * SCENARIO_NODES_MAX];
  size_t of[STAGE_ENTRANTS_MAX * SCENARIO_NODES_MAX]; /* the entrant */
  size_t count;
};

static void gather_crowd(struct stage *stage, const struct stage_entrants *entrants,
                         struct crowd *out)
{
  for (size_t i = 0; i < entrants->count; i++)
    for (size_t n = 0; n < stage->scenario->node_count; n++) {
      if (!stage_is_reachable(stage, n)) continue;
      out->look[out->count] = (struct stage_device_look){
          .node = n, .as = entrants->as[i], .timeout_ms = stage_look_ms(stage)};
      out->at[out->count] = &out->look[out->count];
      out->of[out->count++] = i;
    }
}

static enum step_outcome look_at_all(struct stage *stage, struct stage_entrants *entrants,
                                     struct unseen *unseen)
{
  struct crowd *crowd = calloc(1, sizeof *crowd);
  if (crowd == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory to look at brokers");
    return stage_give_up(stage);
  }
  gather_crowd(stage, entrants, crowd);
  enum step_outcome outcome = stage_look_as_devices(stage, crowd->at, crowd->count);
  for (size_t k = 0; k < crowd->count && outcome == STEP_DONE; k++) {
    const struct stage_entry *entry = &crowd->look[k].entry;
    size_t i = crowd->of[k], n = crowd->look[k].node;
    entrants->in[i][n] = entry->open && !entry->shut;
    entrants->by_tls[i][n] = entry->by_tls != DEVICE_FAIL_NONE;
    unseen[n] = (struct unseen){.looked = true, .shut = entry->shut, .failure = entry->failure};
  }
  free(crowd);
  return outcome;
}

static void say_not_looked_at(struct stage *stage, size_t node, const struct unseen *unseen)
{
  char text[256], where[STAGE_ADDRESS_MAX];
  const char *how = unseen->shut ? device_failure_name(unseen->failure) : "no answer";
  snprintf(text, sizeof text, "whether devices are let in again at %s was not looked at: %s",
           stage_address(stage, node, where), how);
  stage_say(stage, text);
}

static void say_where_nobody_was(struct stage *stage, const struct stage_entrants *entrants,
                                 const struct unseen *unseen)
{
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    bool in = false;
    for (size_t i = 0; i < entrants->count; i++) in = in || entrants->in[i][n];
    if (unseen[n].looked && !in) say_not_looked_at(stage, n, &unseen[n]);
  }
}

enum step_outcome stage_entrants_look(struct stage *stage, struct stage_entrants *out)
{
  struct unseen unseen[SCENARIO_NODES_MAX] = {{.looked = false}};
  *out = (struct stage_entrants){.count = 0};
  if (stage_list_will_shut_out(stage)) {
    stage_say(stage, "whether devices are let in again was not looked at: the list that was "
                     "published last is over or ends soon, or was taken unchecked");
    return STEP_DONE;
  }
  choose(stage, true, out);
  choose(stage, false, out);
  if (look_at_all(stage, out, unseen) != STEP_DONE) return STEP_ABORTED;
  say_where_nobody_was(stage, out, unseen);
  return STEP_DONE;
}

static enum step_outcome fail_return(struct stage *stage, const struct stage_stand_in *stand_in,
                                     size_t node, const struct stage_entry *entry,
                                     uint64_t after_ms)
{
  char where[STAGE_ADDRESS_MAX], from[64], name[NAMES_TEXT];
  bool named = stage->scenario->device.no_certificate;
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "the hook 'restart' has ended, and after %.0f s the broker at %s does not let in a look "
      "with the %s of device %s%s, as it did before: %s: %s. Does every machine "
      "there trust devices by the same %s as before?",
      (double) after_ms / 1000, stage_address(stage, node, where),
      named ? "name and password" : "certificate", stage_device_text(stage, stand_in->device, name),
      stage_from(entry->shut_from, from), device_failure_name(entry->failure),
      device_failure_sentence(entry->failure), named ? "list of names" : "CA file");
  return STEP_FAILED;
}

static bool is_in_as_before(const struct stage_entry *entry, bool by_tls)
{
  return entry->open && !entry->shut && (by_tls || entry->by_tls == DEVICE_FAIL_NONE);
}

static enum step_outcome await_return(struct stage *stage, const struct stage_stand_in *stand_in,
                                      size_t node, bool by_tls)
{
  uint64_t began_ms = stage_elapsed_ms(stage), after_ms, pause_ms = 0;
  uint64_t until_ms = began_ms + BACK_WITHIN_MS;
  struct stage_device_look look = {.node = node, .as = *stand_in, .looks = 1}, *const only = &look;
  struct stage_entry *entry = &look.entry;
  for (;;) {
    look.timeout_ms = stage_look_until(stage, until_ms);
    if (stage_look_as_devices(stage, &only, 1) != STEP_DONE) return STEP_ABORTED;
    bool in = is_in_as_before(entry, by_tls);
    if (in && look.looks == 0) return STEP_DONE;
    if (in) {
      look.looks = 0;
      continue;
    }
    after_ms = stage_elapsed_ms(stage) - began_ms;
    if (after_ms >= BACK_WITHIN_MS) break;
    if (!stage_pause_longer(stage, &pause_ms, until_ms)) return STEP_ABORTED;
  }
  if (!entry->shut) entry->failure = entry->open ? entry->by_tls : DEVICE_FAIL_TLS_TIMEOUT;
  return fail_return(stage, stand_in, node, entry, after_ms);
}

enum step_outcome stage_entrants_return(struct stage *stage, const struct stage_entrants *entrants)
{
  enum step_outcome outcome = STEP_DONE;
  for (size_t i = 0; i < entrants->count; i++)
    for (size_t n = 0; n < stage->scenario->node_count && outcome == STEP_DONE; n++)
      if (entrants->in[i][n] && stage_stands_in(stage, &entrants->as[i]))
        outcome = await_return(stage, &entrants->as[i], n, entrants->by_tls[i][n]);
  return outcome;
}

/* The phases are gone through once as a run would, with what the fleet knows by then: a step that
 * would come too early, lacks its hook, or speaks to a broker that is down is refused where it
 * stands. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"

/* What has happened to the fleet by the step in question. */
struct story {
  bool connected, shelved, faulted, compromised, disturbed; /* disturbed: the image server */
  /* some rollout goes on beside the steps */
  bool background;
  /* images; the factory's is not among them */
  size_t published;
  /* the last one; NULL: what the broker presents from the start */
  const struct scenario_step *present;
  unsigned storms, rollouts;
  bool down[SCENARIO_NODES_MAX + 1], frozen[SCENARIO_NODES_MAX + 1]; /* brokers */
};

static int check_revoke_broker(const struct take *t, const char *at, const struct scenario *s,
                               const struct scenario_step *step, const struct story *story)
{
  if (s->remote && story->present == NULL)
    return take_fail(t, at, "",
                     "'revoke-broker' does not know what a remote broker presents: put a 'present' "
                     "step above it");
  if (step->part == PKI_PART_CROSS &&
      (story->present == NULL || story->present->chain.cross[0] == '\0'))
    return take_fail(t, at, "revoke-broker.what",
                     "the broker presents no cross-certificate here: put a 'present' step with "
                     "'cross' above it");
  if (step->part == PKI_PART_INTERMEDIATE && story->present != NULL &&
      story->present->chain.omit_intermediate)
    return take_fail(t, at, "revoke-broker.what", "the broker presents no intermediate here");
  return 0;
}

static int check_order(const struct take *t, const char *at, const struct scenario_step *step,
                       struct story *story)
{
  switch (step->kind) {
  case STEP_CONNECT: story->connected = true; return 0;
  case STEP_MEND:
    if (story->faulted) return 0;
    return take_fail(t, at, "", "'mend' has nothing to mend: put a 'fault' step above it");
  case STEP_FAULT:
    story->faulted = true;
    if (story->connected || !step->fault.reset) return 0;
    return take_fail(t, at, "",
                     "there is no connection to reset yet: put a 'connect' step above it");
  case STEP_COMPROMISE:
    if (story->compromised)
      return take_fail(t, at, "",
                       "a run has one 'compromise': name all devices that are copied in the first");
    story->compromised = true;
    return 0;
  case STEP_PRESENT: story->present = step; return 0;
  case STEP_PUSH_TRUST:
  case STEP_PROVE:
  case STEP_RECONNECT:
  case STEP_REISSUE:
  case STEP_TRESPASS:
  case STEP_KICK:
  case STEP_DRAIN:
  case STEP_STORM:
  case STEP_SHELF:
    story->storms += step->kind == STEP_STORM;
    story->shelved = story->shelved || step->kind == STEP_SHELF;
    if (story->storms > SCENARIO_STORMS_MAX)
      return take_fail(t, at, "", "a run has at most %d storms; make two scenarios of this one",
                       SCENARIO_STORMS_MAX);
    if (story->connected) return 0;
    return take_fail(t, at, "",
                     "'%s' comes before any device is online: put a 'connect' step above it",
                     scenario_step_name(step->kind));
  case STEP_WAKE:
    if (story->shelved) return 0;
    return take_fail(t, at, "", "'wake' has nobody to wake: put a 'shelf' step above it");
  default: return 0;
  }
}

static int need_hook(const struct take *t, const char *at, const struct scenario *s,
                     const struct scenario_step *step, enum hook_kind hook)
{
  const char *key = hook_key(hook);
  if (s->hook[hook][0] != '\0') return 0;
  return take_fail(
      t, at, "",
      "'%s' needs the hook '%s' on a remote broker: add 'hooks: {%s: command or URL}' to 'broker'",
      scenario_step_name(step->kind), key, key);
}

static int need_apply(const struct take *t, const char *at, const struct scenario *s,
                      const struct scenario_step *step, enum scenario_apply apply)
{
  if (apply == SCENARIO_APPLY_RELOAD) return need_hook(t, at, s, step, HOOK_RELOAD);
  if (apply == SCENARIO_APPLY_RESTART) return need_hook(t, at, s, step, HOOK_RESTART);
  return 0;
}

static int check_remote_step(const struct take *t, const char *at, const struct scenario *s,
                             const struct scenario_step *step)
{
  switch (step->kind) {
  case STEP_PROVE:
    if (s->prove_port == 0)
      return take_fail(
          t, at, "",
          "'prove' needs a second listener: add 'prove-url: mqtts://host:8884' to 'broker'");
    if (need_hook(t, at, s, step, HOOK_PRESENT) != 0) return -1;
    return need_apply(t, at, s, step, step->apply);
  case STEP_PRESENT:
    if (need_hook(t, at, s, step, HOOK_PRESENT) != 0) return -1;
    return need_apply(t, at, s, step, step->apply);
  case STEP_TRUST_CLIENTS:
    if (need_hook(t, at, s, step, HOOK_TRUST_CLIENTS) != 0) return -1;
    return need_apply(t, at, s, step, step->apply);
  case STEP_REVOKE:
  case STEP_UNREVOKE:
  case STEP_PUBLISH_CRL:
    if (step->kind != STEP_PUBLISH_CRL && !step->publish) return 0;
    if (need_hook(t, at, s, step, HOOK_PUBLISH_CRL) != 0) return -1;
    return need_apply(t, at, s, step, step->apply);
  case STEP_KICK: return need_hook(t, at, s, step, HOOK_KICK);
  case STEP_RELOAD: return need_apply(t, at, s, step, SCENARIO_APPLY_RELOAD);
  case STEP_RESTART: return need_apply(t, at, s, step, SCENARIO_APPLY_RESTART);
  default: return 0;
  }
}

static bool is_of_nodes(const struct scenario_step *step)
{
  return step->kind >= STEP_KILL_NODE && step->kind <= STEP_START_NODE;
}

/* A broker that is down cannot be killed, one that runs cannot be started, and only a frozen one
   can be thawed. */
static int check_node_step(const struct take *t, const char *at, const struct scenario *s,
                           const struct scenario_step *step, struct story *story)
{
  const char *what = scenario_step_name(step->kind), *name = s->nodes[step->node].name;
  bool *down = &story->down[step->node], *frozen = &story->frozen[step->node];
  if (s->remote)
    return take_fail(
        t, at, "",
        "'%s' works on local brokers only: have it done elsewhere and wait for it with 'prompt'",
        what);
  if (*down && step->kind != STEP_START_NODE)
    return take_fail(t, at, "",
                     "'%s' finds broker %s down already: put 'start-broker: {node: %s}' above it",
                     what, name, name);
  if (!*down && step->kind == STEP_START_NODE)
    return take_fail(t, at, "",
                     "broker %s runs already: put 'kill-broker' or 'stop-broker' above this step",
                     name);
  if (step->kind == STEP_THAW_NODE && !*frozen)
    return take_fail(t, at, "",
                     "broker %s is not frozen: put 'freeze-broker: {node: %s}' above this step",
                     name, name);
  *down = step->kind == STEP_KILL_NODE || step->kind == STEP_STOP_NODE;
  *frozen = step->kind == STEP_FREEZE_NODE;
  return 0;
}

/* What a step does to a broker that is not there would fail in the midst of the run. */
static int check_brokers_up(const struct take *t, const char *at, const struct scenario *s,
                            const struct scenario_step *step, const struct story *story)
{
  bool one = step->kind == STEP_RELOAD || step->kind == STEP_RESTART,
       prove = step->kind == STEP_PROVE;
  if (!one && !prove) return 0;
  for (int n = 0; n < (int) s->node_count; n++) {
    bool meant = prove ? n == 0 : step->node == n;
    if (meant && (story->down[n] || story->frozen[n]))
      return take_fail(
          t, at, "", "'%s' needs broker %s, which is %s here: put '%s: {node: %s}' above it",
          scenario_step_name(step->kind), s->nodes[n].name, story->down[n] ? "down" : "frozen",
          story->down[n] ? "start-broker" : "thaw-broker", s->nodes[n].name);
  }
  return 0;
}

/* Images are published in the order of their indices. */
static int check_ota_order(const struct take *t, const char *at, const struct scenario *s,
                           const struct scenario_step *step, struct story *story)
{
  const char *what = scenario_step_name(step->kind);
  switch (step->kind) {
  case STEP_OTA_PUBLISH: story->published = step->image; return 0;
  case STEP_OTA_ROLLOUT:
  case STEP_CORRUPT:
    if (step->image > story->published)
      return take_fail(
          t, at, "", "image '%s' is published further down: put its 'ota.publish' above this '%s'",
          s->ota.images[step->image].name, what);
    story->rollouts += step->kind == STEP_OTA_ROLLOUT;
    if (story->rollouts > SCENARIO_ROLLOUTS_MAX)
      return take_fail(t, at, "", "a run has at most %d rollouts; make two scenarios of this one",
                       SCENARIO_ROLLOUTS_MAX);
    story->background = story->background || step->rollout.background;
    if (story->connected || step->kind == STEP_CORRUPT) return 0;
    return take_fail(t, at, "",
                     "'%s' comes before any device is online: put a 'connect' step above it", what);
  case STEP_OTA_PAUSE:
  case STEP_OTA_RESUME:
  case STEP_OTA_ABORT:
    if (story->background) return 0;
    return take_fail(
        t, at, "",
        "no rollout goes on here: add 'background: yes' to the 'ota.rollout' above this '%s'",
        what);
  case STEP_CDN:
    if (step->cdn.mend && !story->disturbed)
      return take_fail(
          t, at, "",
          "the image server has nothing to mend: put a 'cdn' step with a fault above this one");
    story->disturbed = true;
    return 0;
  default: return 0;
  }
}

int check_story(const struct take *t, const struct scenario *scenario)
{
  struct story story = {0};
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t i = 0; i < scenario->phases[p].step_count; i++) {
      const struct scenario_step *step = &scenario->phases[p].steps[i];
      char at[DOC_PATH_MAX];
      snprintf(at, sizeof at, "phases[%zu].do[%zu]", p, i);
      if (check_order(t, at, step, &story) != 0 ||
          check_ota_order(t, at, scenario, step, &story) != 0)
        return -1;
      if (step->kind == STEP_REVOKE_BROKER &&
          check_revoke_broker(t, at, scenario, step, &story) != 0)
        return -1;
      if (is_of_nodes(step) && check_node_step(t, at, scenario, step, &story) != 0) return -1;
      if (check_brokers_up(t, at, scenario, step, &story) != 0) return -1;
      if (scenario->remote && check_remote_step(t, at, scenario, step) != 0) return -1;
    }
  if (story.connected) return 0;
  return take_fail(t, "phases", "",
                   "no phase connects the fleet: begin with 'do: [connect: {rate: 200/s}]'");
}

/* mitm: a share of the fleet is led to a hostile server for a while. It is connected to as ever, by the
 * name as ever; nothing may be given to it. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "stage/mitm.h"
#include "stage/targets.h"
#include "steps/internal.h"

#define MITM_FOR_MS    10000u
#define MITM_WITHIN_MS 60000u

/* In step->own. */
struct mitm_step {
  struct stage_mitm_plan plan;
  uint64_t for_ms;
};
_Static_assert(sizeof(struct mitm_step) <= SCENARIO_OWN_MAX, "it has a place in the step");

static struct mitm_step own_of(const struct scenario_step *step)
{
  struct mitm_step own;
  memcpy(&own, step->own.bytes, sizeof own);
  return own;
}

static enum step_outcome refuse_count(struct stage *stage, const struct scenario_step *step,
                                      size_t count)
{
  size_t named = targets_count(stage, &step->who);
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "%zu of the %zu devices of the step are switched on, and its cases want %u: each is shown "
      "to one at least",
      count, named, own_of(step).plan.count);
  return STEP_FAILED;
}

static enum step_outcome run_mitm(struct stage *stage, const struct scenario_step *step)
{
  size_t count;
  const struct mitm_step own = own_of(step);
  uint32_t *devices = targets_of(stage, TARGETS_AWAKE, &step->who, &count);
  if (devices == NULL) return STEP_ABORTED;
  bool all = step->who.id_count == 0 || count == step->who.id_count;
  enum step_outcome outcome =
      count >= own.plan.count && all
          ? stage_mitm_show(stage, &own.plan, devices, count, own.for_ms, step->within_ms)
          : refuse_count(stage, step, count);
  free(devices);
  return outcome;
}

static int take_cases(const struct step_take *w, struct mitm_step *own)
{
  struct error error;
  struct step_list list = step_take_list(w, "cases");
  const char *one = step_take_text(w, "case"), *words[STEP_LIST_MAX];
  const char *key = one != NULL ? "case" : "cases";
  if ((one != NULL) == list.given)
    return step_take_fail(w, "",
                          "say which lie devices are told: 'case: leaf-expired', or "
                          "'cases: [..]' for several");
  for (unsigned i = 0; i < list.count; i++) words[i] = list.text[i];
  if (one != NULL) words[0] = one;
  if (stage_mitm_choose(words, one != NULL ? 1 : list.count, &w->scenario->device, &own->plan,
                        &w->out->doubted, &error) == 0)
    return 0;
  return step_take_fail(w, key, "%s", error.text);
}

static int take_mitm(const struct step_take *w)
{
  struct mitm_step own = {.for_ms = MITM_FOR_MS};
  w->out->within_ms = MITM_WITHIN_MS;
  if (step_take_who(w, true) != 0 || take_cases(w, &own) != 0 ||
      step_take_duration(w, "for", 1, STEP_WITHIN_MAX_MS, &own.for_ms) != 0 ||
      step_take_within(w) != 0)
    return -1;
  memcpy(w->out->own.bytes, &own, sizeof own);
  return 0;
}

/* The server has one certificate, which is for one name. */
static bool ask_for_one_name(const struct scenario *scenario)
{
  bool one = scenario->name_count <= 1;
  for (size_t i = 1; scenario->name_count == 0 && i < scenario->node_count; i++)
    one = one && strcmp(scenario->nodes[i].host, scenario->nodes[0].host) == 0;
  return one || scenario->server_name[0] != '\0';
}

static int follow_mitm(const struct step_follow *f)
{
  if (!ask_for_one_name(f->scenario))
    return step_story_fail(f, "", "'mitm' needs devices that ask for one and the same name");
  return step_story_online(f);
}

static int need_mitm(struct stage *stage, const struct scenario_step *step,
                     struct stage_foresight *then)
{
  (void) then;
  const struct mitm_step own = own_of(step);
  return stage_mitm_need(stage, step, &own.plan);
}

static void print_mitm(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char who[160], text[32];
  const struct mitm_step own = own_of(step);
  print_who(&step->who, who, sizeof who);
  fprintf(out, "for %s lead %s to a hostile server that shows ", print_duration(own.for_ms, text),
          who);
  stage_mitm_print(&own.plan, out);
}

static uint64_t longest_mitm(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  return own_of(step).for_ms + step->within_ms;
}

/* mitm: {WHO, case: leaf-expired, for: 10s, within: 60s}, or cases: [..] */
const struct step_kind step_mitm = {
    .name = "mitm",
    .arguments = {STEP_WHO, STEP_ARG("case"), STEP_LIST_OF("cases", 1, STAGE_MITM_CASES_MAX),
                  STEP_ARG("for"), STEP_ARG("within")},
    .take = take_mitm,
    .follow = follow_mitm,
    .print = print_mitm,
    .longest_ms = longest_mitm,
    .needs = need_mitm,
    .run = run_mitm,
};

/* One hostile server a case. Devices are cut off, as by a network that somebody took over, and led
 * there by address; what the server saw of each connection is counted and told. Only what a device
 * did once the server had said all is held for it or against it: who never came has refused nothing. */
#define _POSIX_C_SOURCE 200809L
#include "stage/mitm.h"

#include <stdlib.h>
#include <string.h>

#include "base/data.h"
#include "gauntlet/ambush.h"
#include "gauntlet/cases.h"
#include "stage/device_names.h"
#include "stage/shortfall.h"
#include "stage/wait.h"

/* --- Cases ------------------------------------------------------------------------------------ */

/* To be freed. NULL: with a sentence. */
static struct cases *load_cases(struct error *error)
{
  char path[FILES_PATH_MAX], why[256];
  if (data_path("certs/chains.txt", path, error) != 0) return NULL;
  struct cases *cases = cases_load(path, why, sizeof why);
  if (cases != NULL && data_path("certs/manners.txt", path, error) == 0 &&
      cases_add(cases, path, why, sizeof why) == 0)
    return cases;
  cases_free(cases);
  error_set(error, EXIT_CODE_SETUP, "the cases that came with the program cannot be read: %s", why);
  return NULL;
}

static int number_of(const struct cases *cases, const char *word)
{
  const struct gauntlet_case *found = cases_find(cases, word);
  for (size_t i = 0; found != NULL && i < cases->count; i++)
    if (cases->item[i] == found) return (int) i;
  return -1;
}

static int choose_case(const struct cases *cases, const char *word,
                       const struct device_profile *device, struct stage_mitm_plan *out,
                       struct error *error)
{
  char why[400];
  int number = number_of(cases, word);
  if (number < 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "there is no case '%s'; 'fleetsim gauntlet --list' names all of them", word);
  for (size_t i = 0; i < out->count; i++)
    if (out->number[i] == number)
      return error_set(error, EXIT_CODE_USAGE, "the case '%s' is there twice", word);
  uint8_t tls =
      ambush_fits(cases, cases->item[number], device->tls_min, device->tls_max, why, sizeof why);
  if (tls == 0) return error_set(error, EXIT_CODE_USAGE, "%s", why);
  out->tls[out->count] = tls;
  out->number[out->count++] = (uint16_t) number;
  return 0;
}

int stage_mitm_choose(const char *const *words, size_t count, const struct device_profile *device,
                      struct stage_mitm_plan *out, bool *doubted, struct error *error)
{
  struct cases *cases = load_cases(error);
  int status = cases != NULL ? 0 : -1;
  *out = (struct stage_mitm_plan){.count = 0};
  for (size_t i = 0; i < count && i < STAGE_MITM_CASES_MAX && status == 0; i++) {
    status = choose_case(cases, words[i], device, out, error);
    if (status == 0) *doubted |= cases->item[out->number[i]]->clients == CASE_REFUSE;
  }
  cases_free(cases);
  return status;
}

void stage_mitm_print(const struct stage_mitm_plan *plan, FILE *out)
{
  struct error error;
  struct cases *cases = load_cases(&error);
  for (size_t i = 0; cases != NULL && i < plan->count; i++)
    fprintf(out, "%s'%s'",
            i == 0                 ? ""
            : i + 1 == plan->count ? " and "
                                   : ", ",
            cases->item[plan->number[i]]->name);
  cases_free(cases);
}

void stage_mitm_forget(struct stage *stage)
{
  cases_free(stage->cases);
  stage->cases = NULL;
}

/* --- One step under way ----------------------------------------------------------------------- */

struct guest {
  unsigned connections;
  bool shown, believed; /* it has made up its mind; to the server's liking */
};

struct site {
  struct mitm *mitm;
  size_t number; /* the n-th device of every `plan->count` is led here */
  const struct gauntlet_case *c;
  struct ambush *ambush;
};

struct mitm {
  struct stage *stage;
  const struct stage_mitm_plan *plan;
  const uint32_t *devices;
  size_t count;
  struct guest *guests; /* as devices */
  char last[240];       /* what was seen of the latest one that has shown nothing */
  struct site sites[STAGE_MITM_CASES_MAX];
};

static void note_believer(const struct site *site, uint32_t device, const char *why)
{
  struct stage *stage = site->mitm->stage;
  bool doubted = site->c->clients == CASE_REFUSE;
  metrics_add(stage->metrics, doubted ? METRIC_MITM_BELIEVED : METRIC_MITM_ACCEPTED, 1);
  if (!doubted || stage->believer.any) return;
  stage->believer.any = true;
  stage->believer.device = device;
  snprintf(stage->believer.of, sizeof stage->believer.of, "%s", site->c->name);
  snprintf(stage->believer.why, sizeof stage->believer.why, "%s", why);
}

static void count_outcome(const struct site *site, size_t at, const struct ambush_outcome *outcome)
{
  static const enum metric metrics[] = {[AMBUSH_REFUSED] = METRIC_MITM_REFUSED,
                                        [AMBUSH_UNSERVED] = METRIC_MITM_UNSERVED,
                                        [AMBUSH_UNCLEAR] = METRIC_MITM_UNCLEAR};
  struct mitm *mitm = site->mitm;
  struct guest *guest = &mitm->guests[at];
  bool believed = outcome->result == AMBUSH_BELIEVED;
  guest->connections++;
  metrics_add(mitm->stage->metrics, METRIC_MITM_ATTEMPTS, 1);
  if (!believed) metrics_add(mitm->stage->metrics, metrics[outcome->result], 1);
  if (believed && !guest->believed) note_believer(site, mitm->devices[at], outcome->why);
  guest->believed |= believed;
  guest->shown |= believed || outcome->result == AMBUSH_REFUSED;
  if (!guest->shown)
    snprintf(mitm->last, sizeof mitm->last, "'%s': %s", site->c->name, outcome->why);
}

static void on_mitm_outcome(void *ctx, const struct ambush_outcome *outcome)
{
  static const char *const words[] = {[AMBUSH_REFUSED] = "refused",
                                      [AMBUSH_BELIEVED] = "believed",
                                      [AMBUSH_UNSERVED] = "unserved",
                                      [AMBUSH_UNCLEAR] = "unclear"};
  const struct site *site = ctx;
  struct stage *stage = site->mitm->stage;
  size_t at = outcome->guest * site->mitm->plan->count + site->number;
  count_outcome(site, at, outcome);
  events_emit(stage->events,
              &(struct event){.kind = EVENT_MITM,
                              .t_s = stage_event_s(stage),
                              .device = fleet_facts(stage->fleet, site->mitm->devices[at])->id,
                              .mitm = {site->c->id, words[outcome->result], outcome->why}});
}

/* --- Servers ---------------------------------------------------------------------------------- */

/* All that devices ask for leads to the first name's place: the step's `follow` holds that. */
static const char *asked_name(const struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  return scenario->name_count > 0 ? scenario->names[0].name : broker_host(stage->nodes[0].broker);
}

static int have_cases(struct stage *stage)
{
  if (stage->cases == NULL) stage->cases = load_cases(&stage->error);
  return stage->cases != NULL ? 0 : -1;
}

static int open_sites(struct mitm *mitm)
{
  struct stage *stage = mitm->stage;
  size_t n = mitm->plan->count, first = 0;
  if (have_cases(stage) != 0) return -1;
  for (size_t i = 0; i < n; i++) {
    struct site *site = &mitm->sites[i];
    *site = (struct site){mitm, i, stage->cases->item[mitm->plan->number[i]], NULL};
    const struct ambush_setting setting = {.loop = world_loop(stage->world),
                                           .cases = stage->cases,
                                           .c = site->c,
                                           .pki = stage->pki,
                                           .root = stage->presented[BROKER_MAIN].root,
                                           .host = asked_name(stage),
                                           .now_unix_s = world_unix_s(stage->world),
                                           .tls = mitm->plan->tls[i],
                                           .first_guest = first,
                                           .guests = (mitm->count - i + n - 1) / n,
                                           .outcome = on_mitm_outcome,
                                           .ctx = site};
    if (ambush_open(&setting, &site->ambush, &stage->error) != 0) return -1;
    first += setting.guests;
  }
  return 0;
}

/* What the broker presents by then. */
static const char *root_by(const struct scenario *scenario, const struct scenario_step *step)
{
  const char *root = scenario->broker_root;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *before = &scenario->phases[p].steps[s];
      if (before == step) return root;
      if (strcmp(scenario_step_name(before), "present") == 0) root = before->chain.root;
    }
  return root;
}

int stage_mitm_need(struct stage *stage, const struct scenario_step *step,
                    const struct stage_mitm_plan *plan)
{
  struct error error;
  const char *root = root_by(stage->scenario, step);
  if (have_cases(stage) != 0) return -1;
  for (size_t i = 0; i < plan->count; i++) {
    const struct ambush_setting setting = {.cases = stage->cases,
                                           .c = stage->cases->item[plan->number[i]],
                                           .pki = stage->pki,
                                           .root = root,
                                           .host = stage->cases->defaults.host,
                                           .now_unix_s = world_unix_s(stage->world),
                                           .tls = plan->tls[i]};
    if (ambush_try(&setting, &error) != 0)
      return error_set(&stage->error, EXIT_CODE_USAGE, "%s:%d:%d: %s (root '%s')",
                       stage->scenario->file, step->line, step->column, error.text, root);
  }
  return 0;
}

static void close_sites(struct mitm *mitm)
{
  for (size_t i = 0; i < mitm->plan->count; i++)
    if (mitm->sites[i].ambush != NULL) ambush_close(mitm->sites[i].ambush);
}

/* --- Devices ---------------------------------------------------------------------------------- */

/* The failure of that name, as cases write it: "accept" is none. */
static void foretell_end(const char *name, struct failure_set *set)
{
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    if (strcmp(device_failure_name((enum device_failure) f), name) == 0)
      failure_set_add(set, (enum device_failure) f);
}

static int lead_there(struct mitm *mitm)
{
  struct stage *stage = mitm->stage;
  for (size_t i = 0; i < mitm->count; i++) {
    const struct site *site = &mitm->sites[i % mitm->plan->count];
    struct fleet_diversion diversion = {.foretold = fleet_network_failures()};
    foretell_end(site->c->expect, &diversion.foretold);
    foretell_end(site->c->expect12, &diversion.foretold);
    ambush_address(site->ambush, i / mitm->plan->count, &diversion.to, &diversion.from);
    if (fleet_divert(stage->fleet, mitm->devices[i], &diversion, &stage->error) != 0) return -1;
  }
  return 0;
}

/* -1: aborted, or stage->error has it. */
static int lie(struct mitm *mitm, uint64_t for_ms)
{
  struct stage *stage = mitm->stage;
  if (open_sites(mitm) != 0 || lead_there(mitm) != 0) return -1;
  return stage_pause(stage, for_ms) ? 0 : -1;
}

static size_t guest_of(const struct mitm *mitm, uint32_t device)
{
  size_t at = 0;
  while (mitm->devices[at] != device) at++;
  return at;
}

static bool has_shown(struct stage *stage, uint32_t device, void *ctx)
{
  const struct mitm *mitm = ctx;
  (void) stage;
  return mitm->guests[guest_of(mitm, device)].shown;
}

static bool is_home(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return fleet_facts(stage->fleet, device)->online;
}

static bool are_home(struct stage *stage, void *ctx)
{
  const struct mitm *mitm = ctx;
  bool back = true;
  for (size_t i = 0; i < mitm->count && back; i++) back = is_home(stage, mitm->devices[i], NULL);
  return back;
}

static enum step_outcome judge_shown(struct mitm *mitm, uint64_t for_ms)
{
  struct stage *stage = mitm->stage;
  size_t mute = 0, absent = 0;
  for (size_t i = 0; i < mitm->count; i++) {
    mute += !mitm->guests[i].shown;
    absent += mitm->guests[i].connections == 0;
  }
  if (mute == 0) return STEP_DONE;
  error_set(
      &stage->error, EXIT_CODE_FAIL,
      "%zu of %zu devices have not shown within %.3g s what they make of a hostile server: %zu "
      "never came%s%s",
      mute, mitm->count, (double) for_ms / 1000.0, absent,
      mitm->last[0] != '\0' ? "; one was shown " : "", mitm->last);
  shortfall_name(stage, mitm->devices, mitm->count, has_shown, mitm);
  return STEP_FAILED;
}

static enum step_outcome bring_home(struct mitm *mitm, uint64_t within_ms)
{
  struct stage *stage = mitm->stage;
  switch (stage_wait(stage, are_home, mitm, within_ms)) {
  case STAGE_REACHED: return STEP_DONE;
  case STAGE_ABORTED: return STEP_ABORTED;
  case STAGE_TIMED_OUT: break;
  }
  error_set(&stage->error, EXIT_CODE_FAIL,
            "some of %zu devices that met a hostile server are not back after %.3g s", mitm->count,
            (double) within_ms / 1000.0);
  shortfall_name(stage, mitm->devices, mitm->count, is_home, NULL);
  return STEP_FAILED;
}

enum step_outcome stage_mitm_show(struct stage *stage, const struct stage_mitm_plan *plan,
                                  const uint32_t *devices, size_t count, uint64_t for_ms,
                                  uint64_t within_ms)
{
  struct mitm mitm = {.stage = stage, .plan = plan, .devices = devices, .count = count};
  mitm.guests = calloc(count + 1, sizeof *mitm.guests);
  if (mitm.guests == NULL) {
    error_set(&stage->error, EXIT_CODE_INTERNAL, "out of memory for %zu devices", count);
    return stage_give_up(stage);
  }
  int status = lie(&mitm, for_ms);
  fleet_lead_back(stage->fleet, devices, count);
  close_sites(&mitm);
  enum step_outcome outcome = status == 0 ? bring_home(&mitm, within_ms) : stage_give_up(stage);
  if (outcome == STEP_DONE) outcome = judge_shown(&mitm, for_ms);
  free(mitm.guests);
  return outcome;
}

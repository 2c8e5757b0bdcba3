/* Who fell short of what a step says, and who of them has done it late. A step hands over its
 * devices and the question that it asked of each; the judge asks how many of those left a quantity
 * counts. It fails for want of memory alone. */
#define _POSIX_C_SOURCE 200809L
#include "stage/shortfall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/device_names.h"
#include "stage/quantities.h"

/* Devices in a sentence, and in its event: as many as the results have of a failure. */
enum { NAMED_MAX = 3, TOLD_MAX = METRICS_FIRST_DEVICES };

static int fail(struct stage *stage)
{
  struct error error;
  error_set(&error, EXIT_CODE_INTERNAL, "out of memory for the devices that fell short");
  return stage_abort(stage, &error);
}

int shortfall_begin(struct stage *stage)
{
  size_t n = fleet_size(stage->fleet);
  if (stage->before == NULL) stage->before = calloc(n + 1, sizeof *stage->before);
  if (stage->before == NULL) return fail(stage);
  for (size_t i = 0; i < n; i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, i);
    stage->before[i] = (struct stage_before){facts->phase_refusals, facts->wanted, facts->online};
  }
  fleet_begin_step(stage->fleet);
  stage->began_us = fleet_clock_us(stage->fleet);
  return 0;
}

/* What it was refused for earlier in the phase counts while it is its latest word: it has had no
   session since. */
static uint32_t refused_in_step(const struct stage *stage, uint32_t index)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, index);
  int last = (int) facts->last_failure - DEVICE_FAIL_TLS_FIRST;
  bool of_tls = last >= 0 && facts->last_failure <= DEVICE_FAIL_TLS_LAST;
  uint32_t latest = of_tls && !facts->online ? UINT32_C(1) << last : 0;
  uint32_t before = stage->before != NULL ? stage->before[index].refused : 0;
  return facts->phase_refusals & (~before | latest);
}

/* A power cut is over when the device is back: it may have fallen short for something else then. */
static uint16_t counted_in(const struct stage *stage, uint32_t index)
{
  uint16_t counted = fleet_facts(stage->fleet, index)->step_counted;
  if (!fleet_power_cut_lasts(stage->fleet, index)) counted &= (uint16_t) ~FLEET_IN_OTA_POWER_CUTS;
  return counted;
}

static void add(struct stage *stage, struct shortfall *shortfall, uint32_t index)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, index);
  shortfall->device[shortfall->count++] =
      (struct shortfall_device){.index = index,
                                .connects = facts->connects,
                                .pushed = stage->identity[index].pushed,
                                .stayed = facts->online,
                                .refused = refused_in_step(stage, index),
                                .failures = facts->step_failures,
                                .counted = counted_in(stage, index)};
}

/* "00000001, 0000000a and 3 more" */
static void name_missing(struct stage *stage, size_t missing, const uint32_t *devices)
{
  char few[(NAMES_TEXT + 2) * NAMED_MAX], all[(NAMES_TEXT + 1) * TOLD_MAX], more[40] = "";
  char name[NAMES_TEXT];
  size_t told = missing < TOLD_MAX ? missing : TOLD_MAX;
  size_t named = missing < NAMED_MAX ? missing : NAMED_MAX, few_size = 0, size = 0;
  for (size_t i = 0; i < named; i++)
    few_size += (size_t) snprintf(few + few_size, sizeof few - few_size, "%s%s", i > 0 ? ", " : "",
                                  stage_device_text(stage, devices[i], name));
  for (size_t i = 0; i < told; i++)
    size += (size_t) snprintf(all + size, sizeof all - size, "%s%s", i > 0 ? " " : "",
                              stage_device_text(stage, devices[i], name));
  if (missing > named) snprintf(more, sizeof more, " and %zu more", missing - named);
  size_t end = strlen(stage->error.text);
  snprintf(stage->error.text + end, sizeof stage->error.text - end, "; missing: %s%s", few, more);
  stage_emit(stage,
             (struct event){.kind = EVENT_SHORT, .fell_short = {missing, all, stage->error.text}});
}

void shortfall_name(struct stage *stage, const uint32_t *devices, size_t count,
                    shortfall_done *done, void *ctx)
{
  uint32_t first[TOLD_MAX];
  size_t missing = 0;
  for (size_t i = 0; i < count; i++) {
    if (done(stage, devices[i], ctx)) continue;
    if (missing < TOLD_MAX) first[missing] = devices[i];
    missing++;
  }
  if (missing > 0) name_missing(stage, missing, first);
}

static struct shortfall *make(size_t meant, size_t fell_short)
{
  struct shortfall *shortfall =
      calloc(1, sizeof *shortfall + fell_short * sizeof *shortfall->device);
  uint32_t *list = malloc((meant + 1) * sizeof *list);
  if (shortfall != NULL && list != NULL) {
    shortfall->meant = list;
    return shortfall;
  }
  free(shortfall);
  free(list);
  return NULL;
}

void shortfall_free(struct shortfall *shortfall)
{
  if (shortfall != NULL) free(shortfall->meant);
  free(shortfall);
}

enum step_outcome shortfall_of(struct stage *stage, const uint32_t *devices, size_t count,
                               shortfall_done *done, void *ctx)
{
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += !done(stage, devices[i], ctx);
  struct shortfall *shortfall = make(count, n);
  if (shortfall == NULL) return fail(stage), STEP_ABORTED;
  const struct recovery *outage = fleet_deepest_outage(stage->fleet);
  shortfall->outage = outage->happened && outage->began_us >= stage->began_us;
  shortfall_name(stage, devices, count, done, ctx);
  shortfall->why = stage->error;
  shortfall->bundle_version = stage->bundle_version;
  for (size_t i = 0; i < count; i++) {
    shortfall->meant[shortfall->meant_count++] = devices[i];
    if (shortfall->count < n && !done(stage, devices[i], ctx)) add(stage, shortfall, devices[i]);
  }
  shortfall_free(stage->fell_short);
  stage->fell_short = shortfall;
  return STEP_SHORT;
}

void shortfall_look(struct stage *stage, struct shortfall *shortfall)
{
  const struct step_kind *kind = shortfall->step->kind;
  for (size_t i = 0; i < shortfall->count && !shortfall->over; i++) {
    struct shortfall_device *device = &shortfall->device[i];
    device->refused |= refused_in_step(stage, device->index);
    /* in the step's own file */
    device->late = device->late || (kind->is_late != NULL && kind->is_late(stage, shortfall, i));
  }
}

/* Who came late is no longer missed where it is counted who has done it. Who never went cannot come
   back. */
static bool is_made_up(const struct shortfall_device *device, int effect)
{
  switch (effect) {
  case STEP_DOERS:
  case STEP_ADDS: return device->late;
  case STEP_PRESENT:
  case STEP_MISSING: return device->late && !device->stayed;
  default: return false;
  }
}

/* Counters of what goes wrong, and what shows that a device is in it. All that a step can name is
   here but `failures` and `trespass.undecided`. */
static const struct {
  const char *name;
  enum fleet_counted bit;
} counters[] = {
    {"connect.failed", FLEET_IN_CONNECT_FAILED}, {"revoke.refusals", FLEET_IN_REVOKE_REFUSALS},
    {"revoke.accepts", FLEET_IN_REVOKE_ACCEPTS}, {"revoke.collateral", FLEET_IN_REVOKE_COLLATERAL},
    {"trust.refused", FLEET_IN_TRUST_REFUSED},   {"certificate.refused", FLEET_IN_CERT_REFUSED},
    {"ota.refused", FLEET_IN_OTA_REFUSED},       {"ota.rolled_back", FLEET_IN_OTA_ROLLED_BACK},
    {"ota.power_cuts", FLEET_IN_OTA_POWER_CUTS},
};

static bool has_failed(const struct shortfall_device *device, const char *name)
{
  for (int f = 1; f < DEVICE_FAIL_COUNT; f++)
    if (strcmp(device_failure_name((enum device_failure) f), name) == 0)
      return failure_set_has(&device->failures, (enum device_failure) f);
  return false;
}

/* Whether a plain counter has counted this device while the step was under way. One of which nothing
   shows that excuses nobody: its sum may be of others. */
static bool has_counted(const struct shortfall_device *device, const struct expr *expr)
{
  if (strcmp(expr->name, "failures") == 0) return has_failed(device, expr->argument);
  /* that a device has such attempts is why it fell short */
  if (strcmp(expr->name, "trespass.undecided") == 0) return true;
  for (size_t c = 0; c < sizeof counters / sizeof *counters; c++)
    if (strcmp(counters[c].name, expr->name) == 0) return (device->counted & counters[c].bit) != 0;
  return false;
}

static bool counts(const struct stage *stage, const struct shortfall_device *device,
                   const struct scenario_judge_of *of)
{
  if (of->effect == STEP_COUNTS) return has_counted(device, of->expr);
  if (of->effect == STEP_REACHED && !stage_counts_devices(of->expr))
    return device->spared != SHORTFALL_UNTOLD;
  return stage_counts(stage, device->index, device->refused, of->expr);
}

/* Of those that fell short, by themselves or spared; who has done it late is in neither. */
static void sum_up(const struct stage *stage, const struct shortfall *shortfall,
                   const struct scenario_judge_of *of, bool spared, struct scenario_missed *missed)
{
  for (size_t i = 0; i < shortfall->count; i++) {
    const struct shortfall_device *device = &shortfall->device[i];
    if (is_made_up(device, of->effect) || spared != (device->spared != SHORTFALL_MEANT)) continue;
    missed->devices++;
    missed->counted += counts(stage, device, of);
    missed->left += stage_has_left(stage, device->index, of->expr);
  }
}

/* Whom the step has spared since others had failed: who says how many failed, or how many were
   spared for it, need not say the other. */
static struct scenario_missed either(const struct scenario_missed *failed,
                                     const struct scenario_missed *spared)
{
  bool of_spared = failed->counted == 0 && spared->counted > 0;
  struct scenario_missed missed = of_spared || failed->devices == 0 ? *spared : *failed;
  missed.besides = of_spared ? failed->counted : spared->counted;
  return missed;
}

static struct scenario_missed both(const struct scenario_missed *failed,
                                   const struct scenario_missed *spared)
{
  return (struct scenario_missed){.devices = failed->devices + spared->devices,
                                  .counted = failed->counted + spared->counted,
                                  .left = failed->left + spared->left};
}

/* Of all that the step was for, who fell short as well. */
static double count_meant(const struct stage *stage, const struct shortfall *shortfall,
                          const struct expr *expr)
{
  double n = 0;
  for (size_t i = 0; i < shortfall->meant_count; i++)
    n += stage_counts(stage, shortfall->meant[i], 0, expr);
  return n;
}

struct scenario_missed shortfall_missed(const struct stage *stage,
                                        const struct shortfall *shortfall,
                                        const struct scenario_judge_of *of)
{
  struct scenario_missed failed = {.devices = 0}, spared = {.devices = 0};
  sum_up(stage, shortfall, of, false, &failed);
  sum_up(stage, shortfall, of, true, &spared);
  bool others = of->effect == STEP_OTHERS || of->effect == STEP_COUNTS;
  struct scenario_missed missed = others ? either(&failed, &spared) : both(&failed, &spared);
  if (of->effect == STEP_ADDS) missed.counted = shortfall->counted;
  if (of->effect == STEP_DOERS)
    missed.done = count_meant(stage, shortfall, of->expr) - missed.counted;
  missed.outage = shortfall->outage;
  return missed;
}

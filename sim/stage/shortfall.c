/* Who fell short of what a step says, and who of them has done it late. A step hands over its
 * devices and the question that it asked of each; the judge asks how many of those left a quantity
 * counts. It fails for want of memory alone. */
#define _POSIX_C_SOURCE 200809L
#include "stage/shortfall.h"

#include <stdlib.h>
#include <string.h>

#include "stage/quantities.h"

static int fail(struct stage *stage)
{
  struct error error;
  error_set(&error, EXIT_CODE_INTERNAL, "out of memory for the devices that fell short");
  return stage_abort(stage, &error);
}

int shortfall_begin(struct stage *stage)
{
  size_t n = fleet_size(stage->fleet);
  if (stage->refused_before == NULL)
    stage->refused_before = calloc(n + 1, sizeof *stage->refused_before);
  if (stage->refused_before == NULL) return fail(stage);
  for (size_t i = 0; i < n; i++)
    stage->refused_before[i] = fleet_facts(stage->fleet, i)->phase_refusals;
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
  uint32_t before = stage->refused_before != NULL ? stage->refused_before[index] : 0;
  return facts->phase_refusals & (~before | latest);
}

static void add(struct stage *stage, struct shortfall *shortfall, uint32_t index)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, index);
  shortfall->device[shortfall->count++] =
      (struct shortfall_device){.index = index,
                                .connects = facts->connects,
                                .pushed = stage->identity[index].pushed,
                                .stayed = facts->online,
                                .refused = refused_in_step(stage, index)};
}

enum step_outcome shortfall_of(struct stage *stage, const uint32_t *devices, size_t count,
                               shortfall_done *done, void *ctx)
{
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += !done(stage, devices[i], ctx);
  struct shortfall *shortfall = calloc(1, sizeof *shortfall + n * sizeof *shortfall->device);
  if (shortfall == NULL) return fail(stage), STEP_ABORTED;
  shortfall->why = stage->error;
  shortfall->bundle_version = stage->bundle_version;
  for (size_t i = 0; i < count && shortfall->count < n; i++)
    if (!done(stage, devices[i], ctx)) add(stage, shortfall, devices[i]);
  free(stage->fell_short);
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

/* Whether a plain counter can have counted this device while the step was under way. Of most there is
   one message a device, and nothing is known but the sum. */
static bool may_count(const struct stage *stage, const struct shortfall_device *device,
                      const struct expr *expr)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device->index);
  bool failed = device->refused != 0 || facts->proof != DEVICE_FAIL_NONE ||
                facts->last_failure != DEVICE_FAIL_NONE;
  if (strcmp(expr->name, "connect.failed") == 0) return failed;
  if (strcmp(expr->name, "revoke.refusals") == 0)
    return facts->revoked && /* by the list; and some broker has said so */
           (device->refused != 0 || device_failure_is_refusal(facts->last_failure));
  if (strcmp(expr->name, "failures") != 0) return true;
  for (int f = DEVICE_FAIL_TLS_FIRST; f <= DEVICE_FAIL_TLS_LAST; f++)
    if (strcmp(device_failure_name((enum device_failure) f), expr->argument) == 0 &&
        (device->refused & UINT32_C(1) << (f - DEVICE_FAIL_TLS_FIRST)) != 0)
      return true;
  return strcmp(device_failure_name(facts->last_failure), expr->argument) == 0 ||
         strcmp(device_failure_name(facts->proof), expr->argument) == 0;
}

struct scenario_missed shortfall_missed(const struct stage *stage,
                                        const struct shortfall *shortfall,
                                        const struct scenario_judge_of *of)
{
  struct scenario_missed missed = {.counted = 0};
  for (size_t i = 0; i < shortfall->count; i++) {
    const struct shortfall_device *device = &shortfall->device[i];
    if (is_made_up(device, of->effect)) continue;
    missed.devices++;
    missed.counted += of->effect == STEP_COUNTS
                          ? may_count(stage, device, of->expr)
                          : stage_counts(stage, device->index, device->refused, of->expr);
  }
  if (of->effect == STEP_ADDS) missed.counted = shortfall->counted;
  return missed;
}

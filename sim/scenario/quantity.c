/* The quantities that gates and expectations may name, beside metrics, with the kind of argument
 * that each takes. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "fleetsim/failure.h"
#include "scenario/scenario.h"

enum argument { NEVER, ROOT, REASON, FAILURE, NODE, IMAGE, STATUS };

static const struct quantity {
  const char *name;
  enum argument argument;
  bool may_be_bare;
} quantities[] = {
    {"online", NEVER, true},      {"awake", NEVER, true},       {"shelved", NEVER, true},
    {"all", NEVER, true},         {"trusting", ROOT, false},    {"proven", ROOT, false},
    {"identified", ROOT, false},  {"refused", REASON, true},    {"revoked", NEVER, true},
    {"reconnected", NEVER, true}, {"failures", FAILURE, false}, {"on", NODE, false},
    {"updated", IMAGE, false},    {"touched", IMAGE, false},    {"ota", STATUS, false},
    {"reported", STATUS, false},
};

static bool is_root(const struct pki_roots *roots, const char *name)
{
  for (size_t i = 0; i < roots->count; i++)
    if (strcmp(roots->name[i], name) == 0) return true;
  return false;
}

static bool is_failure(const char *prefix, const char *name)
{
  char whole[96];
  snprintf(whole, sizeof whole, "%s%s", prefix, name);
  for (int i = DEVICE_FAIL_NONE + 1; i < DEVICE_FAIL_COUNT; i++)
    if (strcmp(device_failure_name((enum device_failure) i), whole) == 0) return true;
  return false;
}

int scenario_find_node(const struct scenario *scenario, const char *name)
{
  for (size_t n = 0; n < scenario->node_count + scenario->has_false; n++)
    if (strcmp(scenario->nodes[n].name, name) == 0) return (int) n;
  return -1;
}

int scenario_find_image(const struct scenario *scenario, const char *name)
{
  for (size_t i = 0; i < scenario->ota.image_count; i++)
    if (strcmp(scenario->ota.images[i].name, name) == 0) return (int) i;
  return -1;
}

static bool fits(enum argument kind, const char *argument, const struct scenario *scenario)
{
  switch (kind) {
  case ROOT: return is_root(&scenario->roots, argument);
  case REASON: return is_failure("connect.tls.", argument);
  case FAILURE: return is_failure("", argument);
  case NODE: return scenario_find_node(scenario, argument) >= 0;
  case IMAGE: return scenario_find_image(scenario, argument) >= 0;
  case STATUS: return scenario->ota.on && device_ota_status_find(argument, strlen(argument)) >= 0;
  case NEVER: break;
  }
  return false;
}

bool scenario_is_time(const char *name)
{
  size_t size = strlen(name);
  if (size > 6 && strcmp(name + size - 6, ".count") == 0) return false; /* how many there were */
  return strstr(name, "_ms.") != NULL || (size > 3 && strcmp(name + size - 3, "_ms") == 0);
}

int scenario_quantity_known(const char *name, const char *argument, const struct scenario *scenario)
{
  for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++) {
    const struct quantity *q = &quantities[i];
    if (strcmp(q->name, name) != 0) continue;
    bool known = argument[0] == '\0' ? q->may_be_bare : fits(q->argument, argument, scenario);
    return known ? 0 : SCENARIO_BAD_ARGUMENT;
  }
  return SCENARIO_BAD_NAME;
}

static bool any_named(const struct expr *exprs, size_t count, const char *name)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(exprs[i].name, name) == 0) return true;
  return false;
}

bool scenario_names(const struct scenario *scenario, const char *name)
{
  bool named = any_named(scenario->expect, scenario->expect_count, name) ||
               any_named(&scenario->brake_when, scenario->has_brake, name);
  for (size_t p = 0; p < scenario->phase_count; p++) {
    const struct scenario_phase *phase = &scenario->phases[p];
    named = named || any_named(&phase->until, phase->has_until, name) ||
            any_named(phase->expect, phase->expect_count, name);
  }
  return named;
}

/* The quantities that gates and expectations may name, beside metrics, with the kind of argument
 * that each takes. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "fleetsim/failure.h"
#include "scenario/quantity.h"
#include "scenario/scenario.h"

/* clang-format off */
#define X(symbol, name, argument, bare, counts, whole, line) {name, #argument, line, QUANTITY_##argument, bare},
static const struct {
  const char *name, *argument_name, *line;
  enum quantity_argument argument;
  bool may_be_bare;
} quantities[QUANTITY_COUNT] = {QUANTITIES(X)};
#undef X
/* clang-format on */

int quantity_find(const char *name)
{
  for (int q = 0; q < QUANTITY_COUNT; q++)
    if (strcmp(quantities[q].name, name) == 0) return q;
  return -1;
}

enum quantity_argument quantity_argument(enum quantity quantity)
{
  return quantities[quantity].argument;
}

const char *quantity_name(enum quantity quantity)
{
  return quantities[quantity].name;
}

const char *quantity_line(enum quantity quantity)
{
  return quantities[quantity].line;
}

const char *quantity_argument_name(enum quantity quantity)
{
  return quantities[quantity].argument_name;
}

const char *quantity_list(char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (int q = 0; q < QUANTITY_COUNT && used < size; q++) {
    bool bare = quantities[q].argument == QUANTITY_NOTHING;
    used += (size_t) snprintf(out + used, size - used, "%s%s%s%s%s", q > 0 ? ", " : "",
                              quantities[q].name, bare ? "" : "(",
                              bare ? "" : quantities[q].argument_name, bare ? "" : ")");
  }
  return out;
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

static bool fits(enum quantity_argument kind, const char *argument, const struct scenario *scenario)
{
  switch (kind) {
  case QUANTITY_ROOT: return pki_roots_include(&scenario->roots, argument);
  case QUANTITY_REASON: return is_failure("connect.tls.", argument);
  case QUANTITY_NAME: return is_failure("", argument);
  case QUANTITY_NODE: return scenario_find_node(scenario, argument) >= 0;
  case QUANTITY_IMAGE: return scenario_find_image(scenario, argument) >= 0;
  case QUANTITY_STATUS:
    return scenario->ota.on && device_ota_status_find(argument, strlen(argument)) >= 0;
  case QUANTITY_NOTHING: break;
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
  int q = quantity_find(name);
  if (q < 0) return SCENARIO_BAD_NAME;
  bool known = argument[0] == '\0' ? quantities[q].may_be_bare
                                   : fits(quantities[q].argument, argument, scenario);
  return known ? 0 : SCENARIO_BAD_ARGUMENT;
}

static bool any_named(const struct expr *exprs, size_t count, const char *name)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(exprs[i].name, name) == 0) return true;
  return false;
}

/* expr_eval calls it. */
static int none_of(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  (void) ctx, (void) name, (void) argument;
  *out = (struct expr_quantity){.unit = EXPR_NUMBER};
  return 0;
}

bool scenario_wants_some(const struct scenario *scenario, const char *name)
{
  char observed[64];
  bool wants = false;
  for (size_t i = 0; i < scenario->expect_count; i++) {
    const struct expr *expr = &scenario->expect[i];
    wants = wants || (strcmp(expr->name, name) == 0 &&
                      !expr_eval(expr, none_of, NULL, observed, sizeof observed));
  }
  return wants;
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

/* What a document of results says against its own verdict: looked at by who writes one and by who reads one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/results_json.h"

static bool holds(const json_t *check)
{
  return json_is_true(json_object_get(check, "pass"));
}

static const json_t *first_failed(const json_t *checks)
{
  for (size_t i = 0; i < json_array_size(checks); i++)
    if (!holds(json_array_get(checks, i))) return json_array_get(checks, i);
  return NULL;
}

static const json_t *failed_check(const json_t *tree)
{
  const json_t *phases = json_object_get(tree, "phases");
  for (size_t p = 0; p < json_array_size(phases); p++) {
    const json_t *phase = json_array_get(phases, p), *gate = json_object_get(phase, "gate");
    if (json_is_object(gate) && !holds(gate)) return gate;
    const json_t *failed = first_failed(json_object_get(phase, "expectations"));
    if (failed != NULL) return failed;
  }
  return first_failed(json_object_get(tree, "expectations"));
}

/* The parts without which nobody can tell whether the verdict is right. */
static bool lacks_a_part(const json_t *tree)
{
  return !json_is_array(json_object_get(tree, "phases")) || !json_is_array(json_object_get(tree, "expectations")) ||
         !json_is_object(json_object_get(tree, "metrics"));
}

static bool adds_up(const json_t *accounting, char *why, size_t size)
{
  if (!json_is_object(accounting)) return true;
  double attempts = results_json_number(accounting, "attempts"), ok = results_json_number(accounting, "ok"),
         failed = results_json_number(accounting, "failed"), open = results_json_number(accounting, "open");
  snprintf(why, size, "of %.0f attempts %.0f are ok, %.0f failed and %.0f open, which does not add up", attempts, ok,
           failed, open);
  return json_is_true(json_object_get(accounting, "closed")) && fabs(attempts - ok - failed - open) < 0.5;
}

/* More than was sent cannot have been delivered: then messages of somebody else were counted. */
static bool messages_add_up(const json_t *metrics, char *why, size_t size)
{
  double sent = results_json_number(json_object_get(metrics, "telemetry.sent"), "value"),
         delivered = results_json_number(json_object_get(metrics, "telemetry.delivered"), "value");
  snprintf(why, size, "%.0f messages were sent and %.0f delivered, which does not add up", sent, delivered);
  return delivered <= sent;
}

bool results_json_contradicted(const json_t *tree, char *why, size_t size)
{
  const json_t *code = json_object_get(tree, "exit_code");
  bool pass = strcmp(results_json_text(tree, "verdict"), "pass") == 0;
  if (!json_is_integer(code) || json_integer_value(code) < 0 || json_integer_value(code) > 255 ||
      pass != (json_integer_value(code) == EXIT_CODE_PASS)) {
    snprintf(why, size, "verdict and exit code %d do not fit", (int) json_integer_value(code));
    return true;
  }
  if (!pass) return false;
  const json_t *failed = failed_check(tree);
  if (failed != NULL) {
    snprintf(why, size, "the run was to pass although \"%s\" failed", results_json_text(failed, "expr"));
    return true;
  }
  if (lacks_a_part(tree)) {
    snprintf(why, size, "the run was to pass, and phases, expectations or metrics are missing");
    return true;
  }
  return !adds_up(json_object_get(tree, "accounting"), why, size) ||
         !messages_add_up(json_object_get(tree, "metrics"), why, size);
}

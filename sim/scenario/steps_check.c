/* Telemetry, and one step: its one key is its kind, which takes the arguments. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/step_kind.h"
#include "scenario/units.h"

#define WITHIN_MS    30000u
#define EVERY_MIN_MS 10u
#define EVERY_MAX_MS 86400000u

int check_telemetry(const struct take *t, const char *at, const struct raw_telemetry *raw,
                    struct scenario_telemetry *out)
{
  uint64_t bytes = out->bytes, qos = out->qos;
  char why[200];
  if (take_duration(t, at, "every", raw->every, EVERY_MIN_MS, EVERY_MAX_MS, &out->every_ms) != 0)
    return -1;
  if (raw->bytes != NULL && units_bytes(raw->bytes, &bytes, why, sizeof why) != 0)
    return take_fail(t, at, "bytes", "%s", why);
  if (bytes < PAYLOAD_MIN || bytes > PAYLOAD_MAX)
    return take_fail(t, at, "bytes",
                     "'%.40s' is out of range: a telemetry message has %u to %u bytes", raw->bytes,
                     PAYLOAD_MIN, PAYLOAD_MAX);
  if (take_number(t, at, "qos", raw->qos, 0, 2, &qos) != 0 ||
      check_payload(t, at, raw, &out->payload) != 0)
    return -1;
  out->on = true;
  out->bytes = (uint32_t) bytes;
  out->qos = (uint8_t) qos;
  return 0;
}

const char *scenario_step_name(const struct scenario_step *step)
{
  return step->kind->name;
}

/* The kind of a step is the one key it has. */
static int find_kind(const struct take *t, const char *at, const yaml_node_t *node,
                     const struct step_kind **kind)
{
  size_t found = (size_t) (node->data.mapping.pairs.top - node->data.mapping.pairs.start);
  if (found != 1)
    return take_fail(
        t, at, "",
        "a step has exactly one key, this one has %zu: write each step as its own '- ' entry",
        found);
  const struct step_kind *const *kinds = t->kinds;
  while (doc_value(t->doc, node, (*kinds)->name, NULL) == NULL)
    kinds++; /* raw_check_keys knew it */
  *kind = *kinds;
  return 0;
}

int check_step(const struct take *t, const char *at, const yaml_node_t *node,
               const struct scenario *scenario, struct scenario_step *out)
{
  char below[DOC_PATH_MAX];
  *out = (struct scenario_step){.rate = STEP_RATE_PER_S,
                                .who = {.share = 1},
                                .within_ms = WITHIN_MS,
                                .broker_ms = scenario_broker_ms(scenario),
                                .waves = {.count = 1, .share = {1.0}}};
  if (find_kind(t, at, node, &out->kind) != 0 || check_certified(t, at, scenario, out->kind) != 0 ||
      check_operated(t, at, scenario, out->kind) != 0)
    return -1;
  snprintf(below, sizeof below, "%.100s.%s", at, out->kind->name);
  out->line = doc_line(t->doc, at);
  out->column = doc_column(t->doc, at);
  const struct step_take take = {.t = t,
                                 .at = below,
                                 .args = doc_value(t->doc, node, out->kind->name, NULL),
                                 .scenario = scenario,
                                 .out = out};
  /* in sim/steps, as all that a kind points to */
  return out->kind->take != NULL ? out->kind->take(&take) : 0;
}

/* --- What steps declare ----------------------------------------------------------------------- */

static int declare_step(const struct take *t, const char *at, const yaml_node_t *node,
                        struct scenario *out)
{
  char below[DOC_PATH_MAX];
  for (const struct step_kind *const *kind = t->kinds; *kind != NULL; kind++) {
    const yaml_node_t *args = doc_value(t->doc, node, (*kind)->name, NULL);
    if (args == NULL || (*kind)->declare == NULL) continue;
    snprintf(below, sizeof below, "%.100s.%s", at, (*kind)->name);
    const struct step_take take = {.t = t, .at = below, .args = args, .scenario = out};
    if ((*kind)->declare(&take, out) != 0) return -1;
  }
  return 0;
}

static size_t entries_of(const yaml_node_t *sequence)
{
  if (sequence == NULL) return 0;
  return (size_t) (sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

int check_declared(const struct take *t, struct scenario *out)
{
  char at[DOC_PATH_MAX];
  size_t phases = entries_of(doc_find(t->doc, "phases", NULL, NULL));
  for (size_t p = 0; p < phases; p++) {
    snprintf(at, sizeof at, "phases[%zu].do", p);
    const yaml_node_t *steps = doc_find(t->doc, at, NULL, NULL);
    for (size_t i = 0; i < entries_of(steps); i++) {
      snprintf(at, sizeof at, "phases[%zu].do[%zu]", p, i);
      if (declare_step(t, at, doc_node(t->doc, steps->data.sequence.items.start[i]), out) != 0)
        return -1;
    }
  }
  return 0;
}

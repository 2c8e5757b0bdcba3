/* What a document of results says against its own verdict: looked at by who writes one and by who
   reads one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The parts without which nobody can tell whether the verdict is right: a run that passes has some
   of each. */
static bool lacks_a_part(const json_t *tree)
{
  const json_t *phases = json_object_get(tree, "phases"),
               *checks = json_object_get(tree, "expectations");
  if (!json_is_array(phases) || json_array_size(phases) == 0 || !json_is_array(checks) ||
      json_array_size(checks) == 0)
    return true;
  for (size_t p = 0; p < json_array_size(phases); p++) {
    const json_t *phase = json_array_get(phases, p), *gate = json_object_get(phase, "gate");
    if (!json_is_array(json_object_get(phase, "expectations")) ||
        !(json_is_object(gate) || json_is_null(gate)))
      return true;
  }
  return json_object_size(json_object_get(tree, "metrics")) == 0 ||
         !json_is_object(json_object_get(tree, "accounting"));
}

/* A number that every run counts; an older fleetsim did not count all of them. */
static bool counted(const json_t *object, const char *key, double *value, char *why, size_t size)
{
  const json_t *member = json_object_get(object, key),
               *number = json_is_object(member) ? json_object_get(member, "value") : member;
  *value = json_number_value(number);
  if (json_is_number(number) && *value >= 0) return true;
  snprintf(why, size,
           "the run was to pass, and %s is missing or no number (an older fleetsim did not write "
           "all of them)",
           key);
  return false;
}

static bool adds_up(const json_t *tree, char *why, size_t size)
{
  static const char *const keys[] = {"attempts", "ok", "failed", "open"};
  static const char *const metrics[] = {"connect.attempts", "connect.ok", "connect.failed",
                                        "connect.open"};
  const json_t *accounting = json_object_get(tree, "accounting");
  double n[4], measured;
  for (size_t k = 0; k < 4; k++)
    if (!counted(accounting, keys[k], &n[k], why, size)) return false;
  snprintf(why, size,
           "of %.0f attempts %.0f are ok, %.0f failed and %.0f open, which does not add up", n[0],
           n[1], n[2], n[3]);
  if (!json_is_true(json_object_get(accounting, "closed")) ||
      fabs(n[0] - n[1] - n[2] - n[3]) >= 0.5)
    return false;
  for (size_t k = 0; k < 4; k++) {
    if (!counted(json_object_get(tree, "metrics"), metrics[k], &measured, why, size)) return false;
    snprintf(why, size, "%s is %.0f, and accounting says %.0f", metrics[k], measured, n[k]);
    if (fabs(measured - n[k]) >= 0.5) return false;
  }
  return true;
}

/* Of what nobody but the back office could know nobody knows, where there was none. */
static bool claims_fit(const json_t *tree, char *why, size_t size)
{
  const char *name;
  const json_t *metric, *telemetry = json_object_get(tree, "telemetry");
  if (!results_json_unheard(tree)) return true;
  json_object_foreach(json_object_get(tree, "metrics"), name, metric)
  {
    snprintf(why, size, "%s cannot be known without a back office, and has a value", name);
    if (metrics_need_operator(name) && !json_is_null(json_object_get(metric, "value")))
      return false;
  }
  snprintf(why, size, "the run has no back office, and is to know which messages arrived");
  return json_is_false(json_object_get(telemetry, "numbered"));
}

/* Without numbers every message is acknowledged, refused or neither, some of these of revoked
 * devices; and nobody knows of more. */
static bool answers_add_up(const json_t *metrics, char *why, size_t size)
{
  double sent, acked, refused, declined, unacked;
  const char *name;
  const json_t *metric;
  json_object_foreach((json_t *) metrics, name, metric)
  {
    snprintf(why, size, "%s cannot be known of messages without a number, and has a value", name);
    if (metrics_need_numbers(name) && !json_is_null(json_object_get(metric, "value"))) return false;
  }
  if (!counted(metrics, "telemetry.sent", &sent, why, size) ||
      !counted(metrics, "telemetry.acked", &acked, why, size) ||
      !counted(metrics, "telemetry.refused", &refused, why, size) ||
      !counted(metrics, "telemetry.declined", &declined, why, size) ||
      !counted(metrics, "telemetry.unacked", &unacked, why, size))
    return false;
  snprintf(why, size,
           "%.0f messages were sent and %.0f acknowledged, %.0f refused and %.0f neither, which "
           "does not add up",
           sent, acked, refused - declined, unacked);
  return sent - acked - (refused - declined) - unacked > -0.5;
}

/* The books of stage/books.c: every message is delivered, lost, or not awaited. */
static bool messages_add_up(const json_t *tree, char *why, size_t size)
{
  const json_t *metrics = json_object_get(tree, "metrics");
  if (json_is_false(json_object_get(json_object_get(tree, "telemetry"), "numbered")))
    return answers_add_up(metrics, why, size);
  double sent, delivered, lost, unawaited;
  if (!counted(metrics, "telemetry.sent", &sent, why, size) ||
      !counted(metrics, "telemetry.delivered", &delivered, why, size) ||
      !counted(metrics, "telemetry.lost", &lost, why, size) ||
      !counted(metrics, "telemetry.unawaited", &unawaited, why, size))
    return false;
  snprintf(why, size,
           "%.0f messages were sent and %.0f delivered, %.0f lost and %.0f not awaited, which does "
           "not add up",
           sent, delivered, lost, unawaited);
  return fabs(sent - delivered - lost - unawaited) < 0.5;
}

/* "NAME OP NUMBER", with what may follow: "NAME(X) >= 99.9% of online within 60s". */
enum unit { UNIT_NONE, UNIT_PERCENT, UNIT_PER_DEVICE, UNIT_DURATION };
struct plain {
  char name[64], op[3]; /* the name without its argument */
  double wanted;        /* of a duration: milliseconds; of a percentage: of devices, once known */
  double less;          /* "100% - 2" */
  enum unit unit;
};

/* Reads "%" or a unit of time, or neither; how many characters that were. */
static size_t take_unit(const char *text, struct plain *out)
{
  static const struct {
    const char *name;
    double ms;
  } times[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
  size_t size = strspn(text, "%abcdefghijklmnopqrstuvwxyz");
  out->unit = UNIT_NONE;
  if (size == 1 && *text == '%') out->unit = UNIT_PERCENT;
  for (size_t t = 0; t < sizeof times / sizeof *times; t++) {
    if (size != strlen(times[t].name) || strncmp(text, times[t].name, size) != 0) continue;
    out->unit = UNIT_DURATION;
    out->wanted *= times[t].ms;
  }
  return out->unit == UNIT_NONE ? 0 : size;
}

/* "- 2" after a percentage, "per device" after a number. */
static void take_tail(const char *text, struct plain *out)
{
  text += strspn(text, " \t");
  out->less = out->unit == UNIT_PERCENT && *text == '-' ? strtod(text + 1, NULL) : 0;
  if (out->unit == UNIT_NONE && strncmp(text, "per", 3) == 0) out->unit = UNIT_PER_DEVICE;
}

static bool is_plain(const json_t *check, struct plain *out)
{
  const char *expr = results_json_text(check, "expr"), *at = expr + strspn(expr, " \t");
  size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789._");
  if (size == 0 || size >= sizeof out->name) return false;
  snprintf(out->name, sizeof out->name, "%.*s", (int) size, at);
  at += size;
  if (*at == '(') at = strchr(at, ')') != NULL ? strchr(at, ')') + 1 : at;
  at += strspn(at, " \t");
  size = strspn(at, "=!<>");
  if (size == 0 || size >= sizeof out->op) return false;
  snprintf(out->op, sizeof out->op, "%.*s", (int) size, at);
  at += size;
  char *end;
  out->wanted = strtod(at, &end);
  if (end == at || strchr(" \t", end[size = take_unit(end, out)]) == NULL) return false;
  take_tail(end + size, out);
  return true;
}

static bool compares(const struct plain *plain, double seen)
{
  /* that of the expression itself */
  double slack = 1e-9 * fmax(1, fmax(fabs(seen), fabs(plain->wanted)));
  bool equal = fabs(seen - plain->wanted) <= slack, less = !equal && seen < plain->wanted;
  if (plain->op[0] == '!') return !equal;
  if (equal) return plain->op[1] == '=';
  return (plain->op[0] == '<' && less) || (plain->op[0] == '>' && !less);
}

/* "3 of 12 (25%)", "1.5 per device (18 of 12)": what is wanted becomes a number of devices, too. */
static bool take_of(const char *text, struct plain *plain, double *seen)
{
  bool each = plain->unit == UNIT_PER_DEVICE,
       equals = plain->op[1] == '=' && plain->op[0] != '<' && plain->op[0] != '>';
  const char *at = each ? strstr(text, " per device (") : text;
  char *end, *after;
  if (at == NULL) return false;
  if (each) at += strlen(" per device (");
  *seen = strtod(at, &end);
  if (end == at || strncmp(end, " of ", 4) != 0) return false;
  double whole = strtod(end + 4, &after);
  if (after == end + 4 || !(whole > 0) || strncmp(after, each ? ")" : " (", each ? 1 : 2) != 0)
    return false;
  plain->wanted *= each ? whole : whole / 100;
  if (equals && !each) plain->wanted = ceil(plain->wanted - 1e-6);
  plain->wanted -= plain->less;
  return true;
}

/* What was seen, as scenario/expr.c writes it: a part, as above, or "3", "77 s", "5.2 ms"; implied
 * expectations may go on after a semicolon. False: it is none of these, which no check that holds
 * has seen. */
static bool take_observed(const char *text, struct plain *plain, double *seen, double *slack)
{
  char *end;
  *seen = strtod(text, &end);
  *slack = 0;
  if (end == text || !isfinite(*seen)) return false;
  struct plain unit = {.wanted = *seen};
  if (plain->unit == UNIT_PERCENT || plain->unit == UNIT_PER_DEVICE)
    return take_of(text, plain, seen);
  end += strspn(end, " ");
  end += take_unit(end, &unit);
  bool time = unit.unit == UNIT_DURATION;
  if (time) *seen = unit.wanted;
  *slack = time ? 1e-3 : 1e-5;
  return unit.unit != UNIT_PERCENT && (*end == '\0' || *end == ';');
}

/* Times are rounded to four digits, numbers to six: what is as near as that proves nothing. Of what
   has no value only that it is another one can hold. */
static bool observed_fits(const json_t *check, char *why, size_t size)
{
  struct plain plain;
  double seen, slack;
  const char *observed = results_json_text(check, "observed");
  if (!is_plain(check, &plain)) return true;
  snprintf(why, size, "\"%.120s\" is to hold, and \"%.80s\" was observed",
           results_json_text(check, "expr"), observed);
  if (!take_observed(observed, &plain, &seen, &slack))
    return plain.op[0] == '!' && strcmp(observed, "no value") == 0;
  bool near = slack > 0 && fabs(seen - plain.wanted) <= slack * fmax(1, fabs(plain.wanted));
  return near || compares(&plain, seen);
}

/* Of the whole run, and no longer counted while the devices say goodbye: what was judged is what is
   written. */
static const struct {
  const char *name;
  bool zero; /* implied for every run: where it is not 0, an expectation allows it */
} settled[] = {
    {"devices.lost", true},          {"devices.unproven", false},
    {"trespass.delivered", true},    {"operator.dropped", true},
    {"telemetry.sent", false},       {"telemetry.delivered", false},
    {"telemetry.lost", false},       {"telemetry.unheard", false},
    {"telemetry.lost_acked", false}, {"telemetry.unawaited", false},
    {"ota.bricked", false},          {"ota.disagree", false},
    {"ota.unfinished", false},       {"telemetry.unaccounted", false},
    {"telemetry.unacked", false},
};

static bool names(const json_t *check, const char *name)
{
  const char *expr = results_json_text(check, "expr");
  size_t size = strlen(name), blank = strspn(expr, " \t");
  return strncmp(expr + blank, name, size) == 0 && strchr(" \t=!<>", expr[blank + size]) != NULL;
}

static bool metric_fits(const json_t *tree, size_t s, char *why, size_t size)
{
  const json_t *checks = json_object_get(tree, "expectations");
  const json_t *metric =
      json_object_get(json_object_get(json_object_get(tree, "metrics"), settled[s].name), "value");
  double seen = json_number_value(metric);
  bool named = false;
  for (size_t c = 0; c < json_array_size(checks); c++) {
    const json_t *check = json_array_get(checks, c);
    struct plain plain;
    if (!names(check, settled[s].name)) continue;
    named = true;
    snprintf(why, size, "\"%.120s\" is to hold, and %s is %s%.0f among the metrics",
             results_json_text(check, "expr"), settled[s].name,
             json_is_number(metric) ? "" : "no number: ", seen);
    if (is_plain(check, &plain) && plain.unit != UNIT_PERCENT && plain.unit != UNIT_PER_DEVICE &&
        (!json_is_number(metric) || !compares(&plain, seen)))
      return false;
  }
  snprintf(why, size, "%s is %.0f, and no expectation allows it", settled[s].name, seen);
  return named || !settled[s].zero || seen == 0;
}

static bool checks_fit(const json_t *tree, char *why, size_t size)
{
  const json_t *phases = json_object_get(tree, "phases"),
               *checks = json_object_get(tree, "expectations");
  for (size_t c = 0; c < json_array_size(checks); c++)
    if (!observed_fits(json_array_get(checks, c), why, size)) return false;
  for (size_t p = 0; p < json_array_size(phases); p++) {
    const json_t *phase = json_array_get(phases, p), *own = json_object_get(phase, "expectations");
    const json_t *gate = json_object_get(phase, "gate");
    if (json_is_object(gate) && !observed_fits(gate, why, size)) return false;
    for (size_t c = 0; c < json_array_size(own); c++)
      if (!observed_fits(json_array_get(own, c), why, size)) return false;
  }
  for (size_t s = 0; s < sizeof settled / sizeof *settled; s++)
    if (!metric_fits(tree, s, why, size)) return false;
  return true;
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
    snprintf(why, size, "the run was to pass although \"%s\" failed",
             results_json_text(failed, "expr"));
    return true;
  }
  if (lacks_a_part(tree)) {
    snprintf(why, size,
             "the run was to pass, and phases, expectations, metrics or accounting are missing or "
             "empty");
    return true;
  }
  return !adds_up(tree, why, size) || !claims_fit(tree, why, size) ||
         !messages_add_up(tree, why, size) || !results_series_fit(tree, why, size) ||
         !checks_fit(tree, why, size);
}

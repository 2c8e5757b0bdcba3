/* Two reports of a gauntlet side by side, as of two builds of one firmware: trials are paired by case and
 * TLS version, and each pair is judged by itself. A trial that no longer comes to the point is
 * unclear, not mended. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/report_compare.h"

#include <stdlib.h>
#include <string.h>

#include "gauntlet/report_rows.h"
#include "gauntlet/reports.h"

#define SLOWER_TIMES 2.0
#define SLOWER_MS    500.0

static const char *const state_words[REPORT_STATE_COUNT] = {
#define X(symbol, word) word,
    REPORT_STATES(X)
#undef X
};

const char *report_compare_word(enum report_state state)
{
  return state_words[state];
}

/* --- A pair of trials ------------------------------------------------------------------------- */

int report_compare_rank(const json_t *trial)
{
  static const enum verdict ranks[] = {VERDICT_PASS, VERDICT_WARN, VERDICT_FAIL};
  for (int r = 0; r < 3; r++)
    if (report_json_says(trial, "verdict", verdict_word(ranks[r]))) return r;
  return -1;
}

/* Of two that show nothing, why they do not is no change of the client's. */
static enum report_state judge_verdicts(const json_t *a, const json_t *b, char *change, size_t size)
{
  int was = report_compare_rank(a), is = report_compare_rank(b);
  bool offered = !report_json_says(b, "verdict", verdict_word(VERDICT_NOT_OFFERED));
  if (was < 0 && is < 0) return REPORT_SAME;
  const char *word = is == 2    ? "newly failed"
                     : is > was ? is == 1 && was == 0 ? "newly warned of" : "shown now"
                     : is < 0   ? offered ? "not shown any more" : "not offered any more"
                     : was == 2 ? "mended"
                                : "passed now";
  snprintf(change, size, "%s", word);
  if (is == 2) return REPORT_WORSE;
  if (was < 0) return REPORT_CHANGED;
  if (is < 0) return REPORT_UNCLEAR;
  return is > was ? REPORT_WORSE : REPORT_BETTER;
}

static const json_t *seen_of(const json_t *trial, const char *key)
{
  return json_object_get(json_object_get(trial, "seen"), key);
}

/* "no alert" or "alert 48". */
static const char *alert_text(const json_t *trial, char out[32])
{
  const json_t *alert = seen_of(trial, "alert");
  if (json_is_object(alert))
    snprintf(out, 32, "alert %.0f", report_json_number(alert, "number"));
  else
    snprintf(out, 32, "no alert");
  return out;
}

static bool moved_in_time(const json_t *a, const json_t *b)
{
  const json_t *was = report_gave_up(a), *is = report_gave_up(b);
  double from = json_number_value(was), to = json_number_value(is);
  double low = from < to ? from : to, high = from < to ? to : from;
  return json_is_number(was) && json_is_number(is) && high - low > SLOWER_MS &&
         high > SLOWER_TIMES * low;
}

enum report_state report_compare_trials(const json_t *a, const json_t *b, char *change, size_t size)
{
  char was[32], is[32];
  change[0] = '\0';
  if (!report_json_says(a, "verdict", report_json_text(b, "verdict")))
    return judge_verdicts(a, b, change, size);
  if (!report_json_says(a, "conduct", report_json_text(b, "conduct")))
    snprintf(change, size, "%.40s, was %.40s", report_json_text(b, "conduct"),
             report_json_text(a, "conduct"));
  else if (strcmp(alert_text(a, was), alert_text(b, is)) != 0)
    snprintf(change, size, "%s, was %s", is, was);
  else if (moved_in_time(a, b))
    snprintf(change, size, "gives up after %s, was %s", report_ms_text(report_gave_up(b), is),
             report_ms_text(report_gave_up(a), was));
  return change[0] != '\0' ? REPORT_CHANGED : REPORT_SAME;
}

/* --- All pairs -------------------------------------------------------------------------------- */

/* "another-name, TLS 1.3", which is one trial of a report. */
static void trial_name(const json_t *trials, size_t at, char out[160])
{
  const json_t *trial = json_array_get(trials, at);
  const char *tls = report_json_text(trial, "tls");
  unsigned nth = report_nth(trials, at);
  int used = snprintf(out, 160, "%.110s%s%.8s", report_json_text(trial, "case"),
                      tls[0] != '\0' ? ", TLS " : "", tls);
  if (nth > 1) snprintf(out + used, 160 - (size_t) used, " (%u)", nth);
}

/* Trials by their names; borrowed from the tree. NULL: no memory. */
static json_t *named_trials(const json_t *tree)
{
  char name[160];
  json_t *named = json_object();
  const json_t *trials = json_object_get(tree, "trials");
  for (size_t i = 0; i < json_array_size(trials); i++) {
    trial_name(trials, i, name);
    named = report_json_with(named, name, json_incref(json_array_get(trials, i)));
  }
  return named;
}

/* What another version's file may lack is null. */
static json_t *shared_member(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);
  return value != NULL ? json_incref(value) : json_null();
}

static json_t *side_of_trial(const json_t *trial)
{
  const json_t *seen = json_object_get(trial, "seen");
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "verdict", shared_member(trial, "verdict"),
                   "conduct", shared_member(trial, "conduct"), "why", shared_member(trial, "why"),
                   "alert", shared_member(seen, "alert"), "gave_up_ms",
                   shared_member(seen, "gave_up_ms"));
}

static json_t *pair_json(const json_t *tree_b, const json_t *a, const json_t *b,
                         enum report_state state, const char *change)
{
  const char *id = report_json_text(b, "case"), *tls = report_json_text(b, "tls");
  const json_t *about = json_object_get(json_object_get(tree_b, "cases"), id);
  return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "case", report_json_string(id),
                   "name", report_json_string(report_json_text(about, "name")), "tls",
                   tls[0] != '\0' ? report_json_string(tls) : json_null(), "severity",
                   report_json_string(report_json_text(about, "severity")), "state",
                   state_words[state], "change", report_json_string(change), "a", side_of_trial(a),
                   "b", side_of_trial(b));
}

static json_t *pairs_of(const json_t *tree_b, const json_t *named_a, const json_t *named_b)
{
  json_t *pairs = json_array(), *b;
  const char *name;
  json_object_foreach((json_t *) named_b, name, b)
  {
    char change[128];
    const json_t *a = json_object_get(named_a, name);
    if (a == NULL) continue;
    enum report_state state = report_compare_trials(a, b, change, sizeof change);
    if (state != REPORT_SAME)
      pairs = report_json_and(pairs, pair_json(tree_b, a, b, state, change));
  }
  return pairs;
}

/* --- The tree --------------------------------------------------------------------------------- */

static json_t *side_json(const json_t *tree, const char *folder)
{
  static const char *const keys[] = {"client",   "target",   "command",    "started",
                                     "verdict",  "score",    "message",    "lies",
                                     "versions", "protocol", "interrupted"};
  json_t *side = report_json_with(json_object(), "folder", report_json_string(folder));
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    side = report_json_with(side, keys[k], shared_member(tree, keys[k]));
  return side;
}

static json_int_t count_state(const json_t *list, enum report_state state)
{
  json_int_t count = 0;
  for (size_t i = 0; i < json_array_size(list); i++)
    count += report_json_says(json_array_get(list, i), "state", state_words[state]);
  return count;
}

/* Of trials, of facts, and of what stands out, together. */
static json_t *counts_json(const json_t *const lists[], size_t count)
{
  json_t *counts = json_object();
  for (enum report_state s = 0; s < REPORT_SAME; s++) {
    json_int_t sum = 0;
    for (size_t l = 0; l < count; l++) sum += count_state(lists[l], s);
    counts = report_json_with(counts, state_words[s], json_integer(sum));
  }
  return counts;
}

static enum report_state worst_of_counts(const json_t *counts)
{
  static const enum report_state order[] = {REPORT_WORSE, REPORT_UNCLEAR, REPORT_BETTER,
                                            REPORT_CHANGED};
  for (size_t s = 0; s < sizeof order / sizeof *order; s++)
    if (report_json_number(counts, state_words[order[s]]) > 0) return order[s];
  return REPORT_SAME;
}

/* With which of the two it ends well or not: what only B has failed is no less grave for that A was
 * not asked. */
static json_t *outcome_json(const json_t *counts, json_t *alarm)
{
  enum report_state state = worst_of_counts(counts);
  bool failed = state == REPORT_WORSE || json_is_string(alarm);
  return json_pack("{s:s, s:s, s:i, s:o}", "schema", REPORT_COMPARISON_SCHEMA, "verdict",
                   state_words[state], "exit_code", failed ? EXIT_CODE_FAIL : EXIT_CODE_PASS,
                   "alarm", alarm);
}

static bool add_parts(json_t *tree, json_t *parts)
{
  bool whole = parts != NULL && json_object_update(tree, parts) == 0;
  json_decref(parts);
  return whole;
}

json_t *report_compare(const json_t *tree_a, const char *a, const json_t *tree_b, const char *b)
{
  json_t *named_a = named_trials(tree_a), *named_b = named_trials(tree_b);
  bool named = named_a != NULL && named_b != NULL;
  json_t *pairs = pairs_of(tree_b, named_a, named_b),
         *facts = report_compare_hellos(tree_a, tree_b),
         *findings = report_compare_findings(tree_a, tree_b),
         *only = named ? report_compare_only(tree_a, named_a, tree_b, named_b) : NULL;
  enum { LISTS = 4 };
  const json_t *const lists[LISTS] = {pairs, facts, findings, only};
  json_t *counts = counts_json(lists, LISTS),
         *tree = outcome_json(counts, report_compare_alarm(only));
  json_t *parts =
      json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "counts", counts, "a",
                side_json(tree_a, a), "b", side_json(tree_b, b), "unlike",
                named ? report_compare_unlike(tree_a, named_a, tree_b, named_b) : NULL, "warnings",
                report_compare_warnings(tree_a, tree_b), "trials", pairs, "hello", facts,
                "stands_out", findings, "only_in_a", report_compare_only_names(only, "a"),
                "only_in_b", report_compare_only_names(only, "b"), "only", only);
  bool whole = add_parts(tree, parts);
  json_decref(named_a);
  json_decref(named_b);
  if (whole) return tree;
  json_decref(tree);
  return NULL;
}

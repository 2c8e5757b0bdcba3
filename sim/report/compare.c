/* The comparison as a tree, from the figures of two sets of runs: each figure judged by itself
 * (shift.h), then the whole by its worst one. */
#define _POSIX_C_SOURCE 200809L
#include "report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/comparison.h"
#include "report/results_json.h"
#include "report/shift.h"

/* More of each is worse. */
static const struct compared {
  const char *metric, *part; /* part: of a histogram */
  bool seconds;              /* the series has it second by second */
  bool modelled;             /* from what was counted: this machine's speed is not in it */
} figures[] = {
    {"handshake.device_ms", "p50", false, true},
    {"handshake.wall_ms", "p50", true, false},
    {"handshake.wall_ms", "p99", true, false},
    {"handshake.host_cpu_us", "p50", false, false},
    {"connect.total_ms", "p50", false, false},
    {"connect.total_ms", "p99", false, false},
    {"reconnect.total_ms", "p50", false, false},
    {"reconnect.total_ms", "p99", false, false},
    {"telemetry.latency_ms", "p50", true, false},
    {"telemetry.latency_ms", "p99", true, false},
    {"recover.all_ms", NULL, false, false},
    {"ota.download_ms", "p50", false, false},
    {"ota.apply_ms", "p50", false, false},
    {"devices.lost", NULL, false, false},
    {"telemetry.lost", NULL, false, false},
    {"telemetry.duplicated", NULL, false, false},
    {"connect.failed", NULL, false, false},
    {"handshake.wasted", NULL, false, false},
    {"process.cpu_s", NULL, false, false},
    {"process.rss_per_device_bytes", NULL, false, false},
};

/* Figures of one side; room for all. */
struct numbers {
  double *at;
  size_t count;
};

static void add_number(struct numbers *numbers, const json_t *value)
{
  if (json_is_number(value)) numbers->at[numbers->count++] = json_number_value(value);
}

/* Of nothing there is no percentile. */
static const json_t *value_in(const json_t *run, const struct compared *figure)
{
  const json_t *metric = json_object_get(json_object_get(run, "metrics"), figure->metric);
  if (figure->part == NULL) return json_object_get(metric, "value");
  return results_json_number(metric, "count") > 0 ? json_object_get(metric, figure->part) : NULL;
}

static const json_t *seconds_in(const json_t *run, const struct compared *figure)
{
  char name[80];
  const json_t *columns = json_object_get(json_object_get(run, "series"), "columns");
  snprintf(name, sizeof name, "%s.%s", figure->metric, figure->part);
  return figure->seconds ? json_object_get(columns, name) : NULL;
}

static int gather(const struct comparison_set *set, const struct compared *figure,
                  struct numbers *runs, struct numbers *seconds)
{
  size_t count = json_array_size(set->runs), points = 0;
  for (size_t r = 0; r < count; r++)
    points += json_array_size(seconds_in(json_array_get(set->runs, r), figure));
  runs->at = malloc((count + 1) * sizeof *runs->at);
  seconds->at = malloc((points + 1) * sizeof *seconds->at);
  if (runs->at == NULL || seconds->at == NULL) return -1;
  for (size_t r = 0; r < count; r++) {
    const json_t *run = json_array_get(set->runs, r), *column = seconds_in(run, figure);
    add_number(runs, value_in(run, figure));
    for (size_t p = 0; p < json_array_size(column); p++)
      add_number(seconds, json_array_get(column, p));
  }
  return 0;
}

static json_t *number_or_null(double number)
{
  return isfinite(number) ? json_real(number) : json_null();
}

static json_t *numbers_json(const struct numbers *numbers)
{
  json_t *array = json_array();
  for (size_t n = 0; n < numbers->count; n++)
    array = results_json_and(array, json_real(numbers->at[n]));
  return array;
}

static json_t *row_of(const char *name, const struct numbers *a, const struct numbers *b,
                      const struct shift *shift)
{
  static const char *const by[] = {"nothing", "runs", "seconds", "model"};
  return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "name",
                   results_json_string(name), "state", shift_word(shift->state), "a",
                   number_or_null(shift->a), "b", number_or_null(shift->b), "change",
                   number_or_null(shift->change), "p", number_or_null(shift->p), "by",
                   by[shift->by], "runs_a", numbers_json(a), "runs_b", numbers_json(b));
}

/* Where one side never had it, that is all that can be said. */
static struct shift one_sided(const struct numbers *a)
{
  return (struct shift){.a = a->count > 0 ? a->at[0] : (double) NAN,
                        .b = NAN,
                        .change = NAN,
                        .p = NAN,
                        .state = SHIFT_UNCLEAR};
}

static bool all_zero(const struct numbers *numbers)
{
  for (size_t n = 0; n < numbers->count; n++)
    if (numbers->at[n] != 0) return false;
  return true;
}

/* NULL with `*none`: no run has it. */
static json_t *judge_figure(const struct compared *figure, const struct comparison_set *a,
                            const struct comparison_set *b, double threshold, bool *none)
{
  struct numbers runs_a = {0}, runs_b = {0}, seconds_a = {0}, seconds_b = {0};
  json_t *row = NULL;
  char name[80];
  snprintf(name, sizeof name, "%s%s%s", figure->metric, figure->part != NULL ? "." : "",
           figure->part != NULL ? figure->part : "");
  bool read =
      gather(a, figure, &runs_a, &seconds_a) == 0 && gather(b, figure, &runs_b, &seconds_b) == 0;
  *none = read && all_zero(&runs_a) && all_zero(&runs_b);
  if (read && !*none) {
    struct shift shift;
    const struct shift_side left = {runs_a.at, runs_a.count, seconds_a.at, seconds_a.count},
                            right = {runs_b.at, runs_b.count, seconds_b.at, seconds_b.count};
    if (runs_a.count > 0 && runs_b.count > 0)
      shift_judge(&left, &right, &(struct shift_rule){threshold, false, figure->modelled}, &shift);
    else {
      shift = one_sided(&runs_a);
      if (runs_b.count > 0) shift.b = runs_b.at[0];
    }
    row = row_of(name, &runs_a, &runs_b, &shift);
  }
  free(runs_a.at);
  free(runs_b.at);
  free(seconds_a.at);
  free(seconds_b.at);
  return row;
}

/* --- Verdicts --------------------------------------------------------------------------------- */

static double failed_in(const struct comparison_set *set)
{
  double failed = 0;
  for (size_t r = 0; r < json_array_size(set->runs); r++)
    failed += strcmp(results_json_text(json_array_get(set->runs, r), "verdict"), "pass") != 0;
  return failed;
}

/* A verdict is no figure: one run that fails where none did is worse, however many they are. */
static json_t *judge_verdicts(const struct comparison_set *a, const struct comparison_set *b)
{
  double failed_a = failed_in(a), failed_b = failed_in(b);
  struct shift shift = {.a = failed_a, .b = failed_b, .change = NAN, .p = NAN};
  struct numbers left = {&failed_a, 1}, right = {&failed_b, 1};
  double share_a = failed_a / (double) json_array_size(a->runs),
         share_b = failed_b / (double) json_array_size(b->runs);
  if (share_a != share_b) shift.state = SHIFT_UNCLEAR;
  if (failed_a == 0 && failed_b > 0) shift.state = SHIFT_WORSE;
  if (failed_a > 0 && failed_b == 0) shift.state = SHIFT_BETTER;
  return row_of("runs that failed", &left, &right, &shift);
}

static json_t *judge_all(const struct comparison_set *a, const struct comparison_set *b,
                         double threshold)
{
  json_t *rows = results_json_and(json_array(), judge_verdicts(a, b));
  for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
    bool none;
    json_t *row = judge_figure(&figures[f], a, b, threshold, &none);
    if (!none) rows = results_json_and(rows, row);
  }
  return rows;
}

static size_t count_state(const json_t *rows, enum shift_state state)
{
  size_t count = 0;
  for (size_t r = 0; r < json_array_size(rows); r++)
    count += strcmp(results_json_text(json_array_get(rows, r), "state"), shift_word(state)) == 0;
  return count;
}

static const char *verdict_of_rows(const json_t *rows)
{
  static const enum shift_state by_weight[] = {SHIFT_WORSE, SHIFT_BETTER, SHIFT_UNCLEAR};
  for (size_t s = 0; s < sizeof by_weight / sizeof *by_weight; s++)
    if (count_state(rows, by_weight[s]) > 0) return shift_word(by_weight[s]);
  return shift_word(SHIFT_SAME);
}

static bool alarms(const json_t *rows, enum compare_alarm alarm)
{
  return count_state(rows, SHIFT_WORSE) > 0 ||
         (alarm == COMPARE_ALARM_MOVED && count_state(rows, SHIFT_BETTER) > 0) ||
         (alarm == COMPARE_ALARM_UNCLEAR && count_state(rows, SHIFT_UNCLEAR) > 0);
}

/* --- The tree --------------------------------------------------------------------------------- */

static json_t *set_json(const struct comparison_set *set)
{
  json_t *runs = json_array();
  for (size_t r = 0; r < json_array_size(set->runs); r++) {
    const json_t *run = json_array_get(set->runs, r);
    runs = results_json_and(
        runs, json_pack("{s:O, s:o, s:o, s:o}", "folder", json_array_get(set->folders, r), "run_id",
                        results_json_string(results_json_text(run, "run_id")), "started",
                        results_json_string(results_json_text(run, "started")), "verdict",
                        results_json_string(results_json_text(run, "verdict"))));
  }
  return json_pack("{s:o, s:o}", "folder", results_json_string(set->folder), "runs", runs);
}

static json_t *tree_of(const struct compare_options *options, const struct comparison_set *a,
                       const struct comparison_set *b, const json_t *unlike)
{
  json_t *rows = judge_all(a, b, options->threshold), *versions = comparison_unlike(a, b, true),
         *paused = comparison_paused(a, b);
  const json_t *scenario = json_object_get(json_array_get(b->runs, 0), "scenario");
  if (rows == NULL || versions == NULL || paused == NULL) {
    json_decref(rows);
    json_decref(versions);
    json_decref(paused);
    return NULL;
  }
  return json_pack("{s:s, s:s, s:i, s:o, s:f, s:o, s:o, s:O, s:o, s:o, s:o}", "schema",
                   COMPARISON_SCHEMA, "verdict", verdict_of_rows(rows), "exit_code",
                   alarms(rows, options->alarm) ? EXIT_CODE_FAIL : EXIT_CODE_PASS, "scenario",
                   results_json_string(results_json_text(scenario, "name")), "threshold",
                   options->threshold, "a", set_json(a), "b", set_json(b), "unlike", unlike,
                   "versions", versions, "paused", paused, "figures", rows);
}

static int refuse_unlike(const json_t *unlike, struct error *error)
{
  char all[600] = "";
  for (size_t u = 0; u < json_array_size(unlike); u++) {
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", u > 0 ? "; " : "",
             json_string_value(json_array_get(unlike, u)));
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "these runs are not alike, so that what moved would say nothing: %s; --anyway "
                   "compares them all the same",
                   all);
}

static int tell_comparison(const struct compare_options *options, const json_t *tree, FILE *out,
                           bool colour, struct error *error)
{
  if (options->json) {
    if (json_dumpf(tree, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0)
      return error_set(error, EXIT_CODE_INTERNAL, "not enough memory for the comparison");
    fputc('\n', out);
  } else
    comparison_print(tree, out, colour);
  if (options->summary != NULL && comparison_markdown(tree, options->summary, error) != 0)
    return -1;
  return (int) json_integer_value(json_object_get(tree, "exit_code"));
}

static int compare_sets(const struct compare_options *options, const struct comparison_set *a,
                        const struct comparison_set *b, FILE *out, bool colour, struct error *error)
{
  json_t *unlike = comparison_unlike(a, b, false);
  int code = 0;
  if (json_array_size(unlike) > 0 && !options->anyway) code = refuse_unlike(unlike, error);
  json_t *tree = code == 0 && unlike != NULL ? tree_of(options, a, b, unlike) : NULL;
  if (code == 0 && tree == NULL)
    code = error_set(error, EXIT_CODE_INTERNAL, "not enough memory for the comparison");
  if (code == 0) code = tell_comparison(options, tree, out, colour, error);
  json_decref(tree);
  json_decref(unlike);
  return code;
}

int compare_folders(const struct compare_options *options, FILE *out, bool colour,
                    struct error *error)
{
  struct comparison_set a = {0}, b = {0};
  int code = comparison_read(options->a, &a, error);
  if (code == 0) code = comparison_read(options->b, &b, error);
  if (code == 0) code = compare_sets(options, &a, &b, out, colour, error);
  comparison_release(&a);
  comparison_release(&b);
  return code;
}

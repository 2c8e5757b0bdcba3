/* The run over time in results.json, and how its times are spread: "series" and "distributions". */
#include <math.h>

#include "report/results_json.h"

#define ROUND_TO 1000.0 /* milliseconds are told to a microsecond */

static json_t *value_or_null(double value)
{
  if (!isfinite(value)) return json_null();
  if (value == floor(value)) return json_integer((json_int_t) value);
  return json_real(round(value * ROUND_TO) / ROUND_TO);
}

static json_t *column_of(const struct series *series, size_t column)
{
  json_t *array = json_array();
  for (size_t p = 0; p < series_points(series); p++)
    array = results_json_and(array, value_or_null(series_value(series, column, p)));
  return array;
}

/* NULL with `*never` where it has not happened. */
static json_t *counts_of(const struct series *series, enum device_failure failure, bool *never)
{
  json_t *array = json_array();
  *never = true;
  for (size_t p = 0; p < series_points(series); p++) {
    double count = series_failures(series, failure, p);
    *never = *never && !(count > 0);
    array = results_json_and(array, value_or_null(count));
  }
  return array;
}

static json_t *all_failures(const struct series *series)
{
  json_t *object = json_object();
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    bool never;
    json_t *counts = counts_of(series, f, &never);
    if (never && counts != NULL)
      json_decref(counts);
    else
      object = results_json_with(object, device_failure_name(f), counts);
  }
  return object;
}

json_t *results_series_json(const struct series *series)
{
  if (series == NULL) return json_null();
  json_t *columns = json_object();
  for (size_t c = 0; c < series_columns(series); c++)
    columns = results_json_with(columns, series_name(series, c), column_of(series, c));
  return json_pack("{s:o, s:o, s:o, s:o}", "step_s", value_or_null(series_step_s(series)), "end_s",
                   value_or_null(series_end_s(series)), "columns", columns, "failures",
                   all_failures(series));
}

/* From the first bucket that holds something to the last one. */
static json_t *distribution_of(const struct metrics *metrics, enum metric histogram)
{
  uint64_t counts[BUCKETS];
  metrics_buckets(metrics, histogram, counts);
  unsigned first = 0, last = BUCKETS;
  while (first < BUCKETS && counts[first] == 0) first++;
  while (last > first && counts[last - 1] == 0) last--;
  json_t *le = json_array(), *count = json_array();
  for (unsigned b = first; b < last; b++) {
    le = results_json_and(le, json_real(buckets_le_us(b) / 1000));
    count = results_json_and(count, json_integer((json_int_t) counts[b]));
  }
  return json_pack("{s:o, s:o}", "le", le, "count", count);
}

json_t *results_distributions_json(const struct metrics *metrics)
{
  static const enum metric told[] = {METRIC_HANDSHAKE_WALL, METRIC_HANDSHAKE_DEVICE,
                                     METRIC_RECONNECT_TOTAL, METRIC_TELEMETRY_LATENCY};
  json_t *object = json_object();
  for (size_t t = 0; metrics != NULL && t < sizeof told / sizeof *told; t++)
    object = results_json_with(object, metric_name(told[t]), distribution_of(metrics, told[t]));
  return object;
}

/* --- What the series says against the metrics ------------------------------------------------- */

static bool adds_up_to(const json_t *values, double wanted)
{
  double sum = 0;
  for (size_t p = 0; p < json_array_size(values); p++)
    sum += json_number_value(json_array_get(values, p));
  return fabs(sum - wanted) < 0.5;
}

static bool is_column(const json_t *values, size_t points)
{
  if (!json_is_array(values) || json_array_size(values) != points) return false;
  for (size_t p = 0; p < points; p++) {
    const json_t *value = json_array_get(values, p);
    if (!json_is_number(value) && !json_is_null(value)) return false;
  }
  return true;
}

static bool are_columns(const json_t *object, size_t points, char *why, size_t size)
{
  const char *name;
  const json_t *values;
  json_object_foreach((json_t *) object, name, values)
  {
    snprintf(why, size, "%.80s of the series is no column of %zu numbers", name, points);
    if (!is_column(values, points)) return false;
  }
  return true;
}

static bool failures_fit(const json_t *tree, const json_t *series, char *why, size_t size)
{
  const char *name;
  const json_t *values, *failures = json_object_get(tree, "failures");
  json_object_foreach(json_object_get(series, "failures"), name, values)
  {
    double count = results_json_number(json_object_get(failures, name), "count");
    snprintf(why, size, "%.80s happened %.0f times, and the series does not add up to that", name,
             count);
    if (!adds_up_to(values, count)) return false;
  }
  return true;
}

bool results_series_fit(const json_t *tree, char *why, size_t size)
{
  static const char *const counted[] = {"connect.ok", "connect.failed", "telemetry.sent",
                                        "telemetry.acked"};
  const json_t *series = json_object_get(tree, "series"),
               *columns = json_object_get(series, "columns");
  if (!json_is_object(series)) return true; /* an older fleetsim wrote none */
  size_t points = json_array_size(json_object_get(columns, "online"));
  snprintf(why, size, "the series has %zu points, and at most %u are written", points,
           SERIES_POINTS_MAX);
  if (points == 0 || points > SERIES_POINTS_MAX) return false;
  if (!are_columns(columns, points, why, size) ||
      !are_columns(json_object_get(series, "failures"), points, why, size))
    return false;
  for (size_t c = 0; c < sizeof counted / sizeof *counted; c++) {
    const json_t *metric = json_object_get(json_object_get(tree, "metrics"), counted[c]);
    double value = results_json_number(metric, "value");
    snprintf(why, size, "%s is %.0f, and the series does not add up to that", counted[c], value);
    if (!adds_up_to(json_object_get(columns, counted[c]), value)) return false;
  }
  return failures_fit(tree, series, why, size);
}

/* What is measured already, once more as text: counters, gauges and histograms of the metrics, then
 * the failures, then how far the run is. Every fourth bucket of a histogram is told, which is one
 * an octave: the others are in it. */
#define _POSIX_C_SOURCE 200809L
#include "report/prometheus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX       "fleetsim_"
#define FIRST_BUCKET 27u /* 128 us */
#define EVERY_BUCKET 4u

/* --- Names and units -------------------------------------------------------------------------- */

/* A unit at the end of our names, as Prometheus wants it written, and how many make one of its. */
static const struct unit {
  const char *ours, *theirs;
  double per_base;
} units[] = {{"_per_s", "_per_second", 1},
             {"_ms", "_seconds", 1e3},
             {"_us", "_seconds", 1e6},
             {"_s", "_seconds", 1},
             {".bytes_in", "_in_bytes", 1},
             {".bytes_out", "_out_bytes", 1},
             {"", "", 1}};

static const struct unit *unit_of(const char *name)
{
  size_t size = strlen(name);
  for (const struct unit *unit = units;; unit++) {
    size_t tail = strlen(unit->ours);
    if (tail <= size && strcmp(name + size - tail, unit->ours) == 0) return unit;
  }
}

void prometheus_name(enum metric metric, char out[PROMETHEUS_NAME_MAX])
{
  const char *name = metric_name(metric);
  const struct unit *unit = unit_of(name);
  snprintf(out, PROMETHEUS_NAME_MAX, PREFIX "%.*s%s%s", (int) (strlen(name) - strlen(unit->ours)),
           name, unit->theirs, metric_kind(metric) == METRIC_KIND_COUNTER ? "_total" : "");
  for (char *c = out; *c != '\0'; c++)
    if (*c == '.') *c = '_';
}

/* --- Text ------------------------------------------------------------------------------------- */

/* Texts of HELP, and of labels, where a quote is escaped too. */
static void put_quoted(FILE *out, const char *text, bool label)
{
  for (; *text != '\0'; text++) {
    if (*text == '\\' || (label && *text == '"')) putc('\\', out);
    if (*text == '\n')
      fputs("\\n", out);
    else
      putc(*text, out);
  }
}

static void put_family(FILE *out, const char *name, const char *type, const char *help)
{
  fprintf(out, "# HELP %s ", name);
  put_quoted(out, help, false);
  fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void put_gauge(FILE *out, const char *name, const char *help, double value)
{
  put_family(out, name, "gauge", help);
  fprintf(out, "%s %.15g\n", name, value);
}

/* One whose only value is 1, with a text that says what for. */
static void put_info(FILE *out, const char *name, const char *help, const char *label,
                     const char *text)
{
  put_family(out, name, "gauge", help);
  fprintf(out, "%s{%s=\"", name, label);
  put_quoted(out, text, true);
  fputs("\"} 1\n", out);
}

/* --- The metrics ------------------------------------------------------------------------------ */

static void put_histogram(FILE *out, const char *name, const struct metrics *metrics, enum metric m)
{
  uint64_t counts[BUCKETS], count = 0;
  metrics_buckets(metrics, m, counts);
  for (unsigned b = 0; b < BUCKETS; b++) {
    count += counts[b];
    if (b >= FIRST_BUCKET && (b - FIRST_BUCKET) % EVERY_BUCKET == 0 && b + 1 < BUCKETS)
      fprintf(out, "%s_bucket{le=\"%g\"} %llu\n", name, buckets_le_us(b) / 1e6,
              (unsigned long long) count);
  }
  fprintf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n", name,
          (unsigned long long) count, name, metrics_sum_us(metrics, m) / 1e6, name,
          (unsigned long long) count);
}

/* What the fleet counts at any time; the metric is as of the last look. */
static double value_now(const struct onlooker_view *view, enum metric m)
{
  bool now = !view->ended && view->phase > 0;
  if (now && m == METRIC_FLEET_ONLINE) return (double) view->online;
  if (now && m == METRIC_FLEET_SHELVED) return (double) view->shelved;
  if (now && m == METRIC_CONNECT_OPEN) return (double) view->attempts_open;
  if (!view->ended && !metrics_has_value(view->results->metrics, m)) return NAN;
  return metrics_value(view->results->metrics, m) / unit_of(metric_name(m))->per_base;
}

static void put_metric(FILE *out, const struct onlooker_view *view, enum metric m)
{
  static const char *const types[] = {[METRIC_KIND_COUNTER] = "counter",
                                      [METRIC_KIND_GAUGE] = "gauge",
                                      [METRIC_KIND_HISTOGRAM] = "histogram"};
  char name[PROMETHEUS_NAME_MAX];
  bool histogram = metric_kind(m) == METRIC_KIND_HISTOGRAM;
  double value = histogram ? 0 : value_now(view, m);
  prometheus_name(m, name);
  put_family(out, name, types[metric_kind(m)], metric_line(m));
  if (histogram)
    put_histogram(out, name, view->results->metrics, m);
  else if (!isnan(value))
    fprintf(out, "%s %.15g\n", name, value);
}

static void put_failures(FILE *out, const struct metrics *metrics)
{
  static const char name[] = PREFIX "failures_total";
  put_family(out, name, "counter",
             "failures of attempts and sessions by name; foretold: the scenario expects them");
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    const struct metrics_failure *entry = metrics_failure(metrics, f);
    fprintf(out, "%s{failure=\"%s\",foretold=\"true\"} %llu\n", name, device_failure_name(f),
            (unsigned long long) entry->expected);
    fprintf(out, "%s{failure=\"%s\",foretold=\"false\"} %llu\n", name, device_failure_name(f),
            (unsigned long long) (entry->count - entry->expected));
  }
}

/* --- The run ---------------------------------------------------------------------------------- */

static void put_state(FILE *out, const struct onlooker_view *view)
{
  const struct results *results = view->results;
  put_family(out, PREFIX "run_info", "gauge", "which run this is");
  fprintf(out, PREFIX "run_info{run_id=\"%s\",version=\"", results->run_id);
  put_quoted(out, results->version_fleetsim, true);
  fputs("\",scenario=\"", out);
  put_quoted(out, results->scenario_name, true);
  fputs("\"} 1\n", out);
  put_gauge(out, PREFIX "devices", "devices in the fleet", (double) results->devices);
  put_gauge(out, PREFIX "devices_wanted", "devices that the plan wants online now",
            (double) view->wanted);
  put_gauge(out, PREFIX "run_seconds", "since the run began", view->now_s);
  put_gauge(out, PREFIX "run_limit_seconds", "limits.run of the scenario", view->limit_s);
  put_gauge(out, PREFIX "phases", "phases of the scenario", (double) view->phase_count);
  put_gauge(out, PREFIX "phase",
            "number of the phase under way, from 1; 0 before the first, one more than there are "
            "after the last",
            (double) view->phase);
  if (view->phase_name[0] != '\0')
    put_info(out, PREFIX "phase_info", "name of the phase under way", "phase", view->phase_name);
  if (view->gate != NULL)
    put_info(out, PREFIX "gate_info", "gate that is waited for", "gate", view->gate);
  put_gauge(out, PREFIX "gate_waiting_seconds", "for so long it has been; 0: for none",
            view->gate != NULL ? view->gate_s : 0);
  put_gauge(out, PREFIX "paused", "1: the run was paused by hand, and waits", view->paused);
  if (view->ended)
    put_info(out, PREFIX "verdict_info", "the run has ended with it", "verdict", results->verdict);
}

char *prometheus_text(const struct onlooker_view *view, size_t *size)
{
  char *text = NULL;
  FILE *out = open_memstream(&text, size);
  if (out == NULL) return NULL;
  put_state(out, view);
  for (enum metric m = 0; view->results->metrics != NULL && m < METRIC_COUNT; m++)
    put_metric(out, view, m);
  if (view->results->metrics != NULL) put_failures(out, view->results->metrics);
  bool whole = !ferror(out);
  if (fclose(out) == 0 && whole) return text;
  free(text);
  return NULL;
}

/* One table from the list in the header, an array of numbers and a histogram each where it is one.
 * All memory is taken at the start: counting cannot fail. Names are looked up only by those who
 * read. */
#include "report/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <hdr/hdr_histogram.h>

#define HIGHEST_US (3600ll * 1000 * 1000)
#define DIGITS     3

struct metrics {
  double value[METRIC_COUNT]; /* counters and gauges; a double counts exactly to 2^53 */
  bool was_set[METRIC_COUNT]; /* of gauges */
  struct hdr_histogram *histogram[METRIC_COUNT];
  struct metrics_failure failure[DEVICE_FAIL_COUNT];
  unsigned phase;
  const char *watched_name; /* metrics_watch; NULL: nothing */
  enum metric watched;
  double before;                /* its value at the last look */
  struct hdr_histogram *recent; /* of a histogram: what came since */
};

static const struct {
  const char *name;
  enum metric_kind kind;
  enum metric_merge merge;
  const char *line;
} table[METRIC_COUNT] = {
#define X(symbol, name, kind, merge, line) \
  [METRIC_##symbol] = {name, METRIC_KIND_##kind, METRIC_MERGE_##merge, line},
    METRICS(X)
#undef X
};

const char *metric_name(enum metric metric)
{
  assert(metric < METRIC_COUNT);
  return table[metric].name;
}

enum metric_kind metric_kind(enum metric metric)
{
  assert(metric < METRIC_COUNT);
  return table[metric].kind;
}

enum metric_merge metric_merge(enum metric metric)
{
  assert(metric < METRIC_COUNT);
  return table[metric].merge;
}

const char *metric_line(enum metric metric)
{
  assert(metric < METRIC_COUNT);
  return table[metric].line;
}

/* All histograms at once: untouched pages cost nothing, and recording can then no longer fail. */
struct metrics *metrics_create(void)
{
  struct metrics *metrics = calloc(1, sizeof *metrics);
  if (metrics == NULL) return NULL;
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    if (table[m].kind != METRIC_KIND_HISTOGRAM) continue;
    if (hdr_init(1, HIGHEST_US, DIGITS, &metrics->histogram[m]) != 0) {
      metrics_destroy(metrics);
      return NULL;
    }
  }
  return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
  if (metrics == NULL) return;
  for (enum metric m = 0; m < METRIC_COUNT; m++) hdr_close(metrics->histogram[m]);
  hdr_close(metrics->recent);
  free(metrics);
}

void metrics_add(struct metrics *metrics, enum metric counter, uint64_t n)
{
  assert(metric_kind(counter) == METRIC_KIND_COUNTER);
  metrics->value[counter] += (double) n;
}

void metrics_take_back(struct metrics *metrics, enum metric counter, uint64_t n)
{
  assert(metric_kind(counter) == METRIC_KIND_COUNTER && metrics->value[counter] >= (double) n);
  metrics->value[counter] -= (double) n;
}

void metrics_set(struct metrics *metrics, enum metric gauge, double value)
{
  assert(metric_kind(gauge) == METRIC_KIND_GAUGE);
  metrics->value[gauge] = value;
  metrics->was_set[gauge] = true;
}

void metrics_record_us(struct metrics *metrics, enum metric histogram, uint64_t us)
{
  assert(metric_kind(histogram) == METRIC_KIND_HISTOGRAM);
  int64_t value = us > HIGHEST_US ? HIGHEST_US : (int64_t) us;
  hdr_record_value(metrics->histogram[histogram], value);
  if (metrics->recent != NULL && metrics->watched == histogram)
    hdr_record_value(metrics->recent, value);
}

static void remember_device(uint32_t devices[METRICS_FIRST_DEVICES], size_t *count, uint32_t device)
{
  for (size_t i = 0; i < *count; i++)
    if (devices[i] == device) return;
  if (*count < METRICS_FIRST_DEVICES) devices[(*count)++] = device;
}

void metrics_fail(struct metrics *metrics, enum device_failure failure, uint32_t device,
                  bool expected, const char *detail)
{
  assert(failure > DEVICE_FAIL_NONE && failure < DEVICE_FAIL_COUNT);
  struct metrics_failure *entry = &metrics->failure[failure];
  if (entry->count == 0) entry->first_phase = metrics->phase;
  if (!expected && entry->count == entry->expected) entry->unexpected_first_phase = metrics->phase;
  if (entry->count == 0 && detail != NULL) strncat(entry->detail, detail, sizeof entry->detail - 1);
  if (!expected && entry->count == entry->expected && detail != NULL)
    strncat(entry->unexpected_detail, detail, sizeof entry->unexpected_detail - 1);
  entry->count++;
  remember_device(entry->first_devices, &entry->first_count, device);
  if (expected)
    entry->expected++;
  else
    remember_device(entry->unexpected_devices, &entry->unexpected_count, device);
}

void metrics_set_phase(struct metrics *metrics, unsigned phase)
{
  metrics->phase = phase;
}

double metrics_value(const struct metrics *metrics, enum metric metric)
{
  if (metric_kind(metric) == METRIC_KIND_HISTOGRAM)
    return (double) metrics->histogram[metric]->total_count;
  return metrics->value[metric];
}

/* stage_close_books sets them. */
static bool is_of_the_end(enum metric metric)
{
  switch (metric) {
  case METRIC_TELEMETRY_LOST:
  case METRIC_TELEMETRY_LOST_ACKED:
  case METRIC_TELEMETRY_UNHEARD:
  case METRIC_TELEMETRY_UNAWAITED:
  case METRIC_TELEMETRY_UNACCOUNTED:
  case METRIC_TELEMETRY_UNACKED: return true;
  default: return false;
  }
}

bool metrics_has_value(const struct metrics *metrics, enum metric metric)
{
  return metric_kind(metric) == METRIC_KIND_GAUGE ? metrics->was_set[metric]
                                                  : !is_of_the_end(metric);
}

static double us_per_unit(enum metric metric)
{
  const char *name = metric_name(metric);
  size_t size = strlen(name);
  return size > 3 && strcmp(name + size - 3, "_ms") == 0 ? 1000.0 : 1.0;
}

/* A bucket's upper end can lie above the highest value in it; no percentile is more than the
   maximum that was seen. */
static double percentile(const struct hdr_histogram *histogram, double percent, double unit)
{
  int64_t us = hdr_value_at_percentile(histogram, percent);
  return (double) (us < histogram->max_value ? us : histogram->max_value) / unit;
}

static void stats_of(const struct hdr_histogram *h, double unit, struct metrics_stats *out)
{
  *out = (struct metrics_stats){0};
  if (h->total_count == 0) return;
  out->count = (uint64_t) h->total_count;
  out->min = (double) hdr_min(h) / unit;
  out->mean = hdr_mean(h) / unit;
  out->p50 = percentile(h, 50.0, unit);
  out->p90 = percentile(h, 90.0, unit);
  out->p99 = percentile(h, 99.0, unit);
  out->p99_9 = percentile(h, 99.9, unit);
  out->max = (double) h->max_value / unit;
}

void metrics_stats(const struct metrics *metrics, enum metric histogram, struct metrics_stats *out)
{
  assert(metric_kind(histogram) == METRIC_KIND_HISTOGRAM);
  stats_of(metrics->histogram[histogram], us_per_unit(histogram), out);
}

double metrics_sum_us(const struct metrics *metrics, enum metric histogram)
{
  assert(metric_kind(histogram) == METRIC_KIND_HISTOGRAM);
  const struct hdr_histogram *from = metrics->histogram[histogram];
  return from->total_count > 0 ? hdr_mean(from) * (double) from->total_count : 0;
}

void metrics_buckets(const struct metrics *metrics, enum metric histogram, uint64_t out[BUCKETS])
{
  assert(metric_kind(histogram) == METRIC_KIND_HISTOGRAM);
  const struct hdr_histogram *from = metrics->histogram[histogram];
  int64_t left = from->total_count;
  unsigned bucket = 0;
  double le_us = buckets_le_us(bucket);
  memset(out, 0, BUCKETS * sizeof *out);
  for (int32_t i = 0; left > 0 && i < from->counts_len; i++) {
    if (from->counts[i] == 0) continue;
    while (bucket + 1 < BUCKETS && (double) hdr_value_at_index(from, i) > le_us)
      le_us = buckets_le_us(++bucket);
    out[bucket] += (uint64_t) from->counts[i];
    left -= from->counts[i];
  }
}

const struct metrics_failure *metrics_failure(const struct metrics *metrics,
                                              enum device_failure failure)
{
  assert(failure < DEVICE_FAIL_COUNT);
  return &metrics->failure[failure];
}

static int pick(const struct metrics_stats *stats, const char *name, double *value)
{
  const struct {
    const char *name;
    double value;
  } statistics[] = {{"count", (double) stats->count},
                    {"min", stats->min},
                    {"mean", stats->mean},
                    {"p50", stats->p50},
                    {"p90", stats->p90},
                    {"p99", stats->p99},
                    {"p99_9", stats->p99_9},
                    {"max", stats->max}};
  for (size_t i = 0; i < sizeof statistics / sizeof *statistics; i++) {
    if (strcmp(statistics[i].name, name) != 0) continue;
    *value = statistics[i].value;
    return 0;
  }
  return -1;
}

/* The metric that `name` begins with; what follows its dot, or "" when nothing does, is
   `*statistic`. */
static enum metric metric_of(const char *name, const char **statistic)
{
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    size_t size = strlen(table[m].name);
    if (strncmp(name, table[m].name, size) != 0 || (name[size] != '\0' && name[size] != '.'))
      continue;
    *statistic = name[size] == '.' ? name + size + 1 : "";
    if ((name[size] == '.') == (table[m].kind == METRIC_KIND_HISTOGRAM)) return m;
  }
  return METRIC_COUNT;
}

int metrics_find(const struct metrics *metrics, const char *name, double *value)
{
  const char *statistic;
  enum metric metric = metric_of(name, &statistic);
  if (metric == METRIC_COUNT) return -1;
  if (table[metric].kind != METRIC_KIND_HISTOGRAM) {
    *value = metrics->value[metric];
    return 0;
  }
  struct metrics_stats stats;
  metrics_stats(metrics, metric, &stats);
  if (pick(&stats, statistic, value) != 0) return -1;
  if (stats.count == 0 && strcmp(statistic, "count") != 0) *value = NAN;
  return 0;
}

bool metrics_known(const char *name)
{
  const char *statistic;
  enum metric metric = metric_of(name, &statistic);
  if (metric == METRIC_COUNT) return false;
  if (table[metric].kind != METRIC_KIND_HISTOGRAM) return true;
  return pick(&(struct metrics_stats){0}, statistic, &(double){0}) == 0;
}

static bool needs_numbers(enum metric metric)
{
  switch (metric) {
  case METRIC_TELEMETRY_DELIVERED:
  case METRIC_TELEMETRY_LOST:
  case METRIC_TELEMETRY_LOST_ACKED:
  case METRIC_TELEMETRY_UNHEARD:
  case METRIC_TELEMETRY_UNAWAITED:
  case METRIC_TELEMETRY_AT_RISK:
  case METRIC_TELEMETRY_DUPLICATED:
  case METRIC_TELEMETRY_FOREIGN:
  case METRIC_TELEMETRY_ALTERED:
  case METRIC_COMPROMISE_DELIVERED: return true;
  default: return false;
  }
}

bool metrics_need_numbers(const char *name)
{
  const char *statistic;
  return needs_numbers(metric_of(name, &statistic));
}

static bool needs_operator(enum metric metric)
{
  switch (metric) {
  case METRIC_TELEMETRY_UNNUMBERED:
  case METRIC_TELEMETRY_LATENCY:
  case METRIC_MQTT_WILLS:
  case METRIC_OPERATOR_ONLINE:
  case METRIC_OPERATOR_LOSSES:
  case METRIC_OPERATOR_UNFORETOLD:
  case METRIC_OPERATOR_AWAY:
  case METRIC_OPERATOR_DROPPED:
  case METRIC_OPERATOR_FOREIGN:
  case METRIC_TRUST_VERSION:
  case METRIC_OTA_DISAGREE:
  case METRIC_OTA_UNFINISHED: return true;
  default: return needs_numbers(metric);
  }
}

bool metrics_need_operator(const char *name)
{
  const char *statistic;
  return needs_operator(metric_of(name, &statistic));
}

/* A histogram of nothing has no value anyway. */
static void lack(struct metrics *metrics, bool (*is_meant)(enum metric))
{
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    if (!is_meant(m) || table[m].kind == METRIC_KIND_HISTOGRAM) continue;
    metrics->value[m] = NAN;
    metrics->was_set[m] = true;
  }
}

void metrics_lack_numbers(struct metrics *metrics)
{
  lack(metrics, needs_numbers);
}

void metrics_lack_operator(struct metrics *metrics)
{
  lack(metrics, needs_operator);
}

bool metrics_are_of_the_end(const char *name)
{
  const char *statistic;
  return is_of_the_end(metric_of(name, &statistic));
}

/* --- Merging ---------------------------------------------------------------------------------- */

static double greatest(double a, double b)
{
  return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

static void merge_value(struct metrics *into, const struct metrics *part, enum metric m)
{
  double mine = into->value[m], other = part->value[m];
  bool first = table[m].kind == METRIC_KIND_GAUGE && !into->was_set[m];
  if (table[m].kind == METRIC_KIND_GAUGE && !part->was_set[m]) return;
  into->was_set[m] = part->was_set[m];
  switch (table[m].merge) {
  case METRIC_MERGE_SUM: into->value[m] = mine + other; break;
  case METRIC_MERGE_MAX: into->value[m] = first ? other : greatest(mine, other); break;
  case METRIC_MERGE_MIN: into->value[m] = first ? other : fmin(mine, other); break;
  case METRIC_MERGE_EACH: assert(!"a rule for histograms"); break;
  }
}

/* hdr_add would give each value of a bucket its lower end, and so lose minimum and maximum. */
static void merge_histogram(struct hdr_histogram *into, const struct hdr_histogram *part)
{
  assert(into->counts_len == part->counts_len);
  if (part->total_count == 0) return;
  for (int32_t b = 0; b < part->counts_len; b++)
    if (part->counts[b] != 0) into->counts[b] += part->counts[b];
  into->total_count += part->total_count;
  if (part->min_value < into->min_value) into->min_value = part->min_value;
  if (part->max_value > into->max_value) into->max_value = part->max_value;
}

static void merge_devices(uint32_t devices[METRICS_FIRST_DEVICES], size_t *count,
                          const uint32_t *others, size_t other_count)
{
  for (size_t i = 0; i < other_count; i++) remember_device(devices, count, others[i]);
}

static void merge_first(unsigned *into, uint64_t count, unsigned part, uint64_t part_count)
{
  if (count == 0 || (part_count > 0 && part < *into)) *into = part;
}

static void merge_failure(struct metrics_failure *into, const struct metrics_failure *part)
{
  merge_first(&into->first_phase, into->count, part->first_phase, part->count);
  merge_first(&into->unexpected_first_phase, into->count - into->expected,
              part->unexpected_first_phase, part->count - part->expected);
  if (into->count == 0) memcpy(into->detail, part->detail, sizeof into->detail);
  if (into->count == into->expected)
    memcpy(into->unexpected_detail, part->unexpected_detail, sizeof into->unexpected_detail);
  into->count += part->count;
  into->expected += part->expected;
  merge_devices(into->first_devices, &into->first_count, part->first_devices, part->first_count);
  merge_devices(into->unexpected_devices, &into->unexpected_count, part->unexpected_devices,
                part->unexpected_count);
}

void metrics_merge(struct metrics *into, const struct metrics *part)
{
  assert(into != part);
  for (enum metric m = 0; m < METRIC_COUNT; m++) {
    if (table[m].kind == METRIC_KIND_HISTOGRAM)
      merge_histogram(into->histogram[m], part->histogram[m]);
    else
      merge_value(into, part, m);
  }
  for (size_t f = 0; f < DEVICE_FAIL_COUNT; f++)
    merge_failure(&into->failure[f], &part->failure[f]);
}

/* --- The watch -------------------------------------------------------------------------------- */

int metrics_watch(struct metrics *metrics, const char *name)
{
  const char *statistic;
  struct hdr_histogram *recent = NULL;
  enum metric metric = metric_of(name, &statistic);
  if (!metrics_known(name)) return -1;
  if (table[metric].kind == METRIC_KIND_HISTOGRAM && hdr_init(1, HIGHEST_US, DIGITS, &recent) != 0)
    return -1;
  hdr_close(metrics->recent);
  metrics->recent = recent;
  metrics->watched = metric;
  metrics->watched_name = name;
  metrics->before = 0;
  metrics_look(metrics);
  return 0;
}

double metrics_recent(const struct metrics *metrics)
{
  const char *statistic;
  struct metrics_stats stats;
  double value = NAN;
  if (metrics->watched_name == NULL) return NAN;
  if (metrics->recent == NULL) return metrics->value[metrics->watched] - metrics->before;
  metric_of(metrics->watched_name, &statistic);
  stats_of(metrics->recent, us_per_unit(metrics->watched), &stats);
  pick(&stats, statistic, &value);
  return stats.count == 0 && strcmp(statistic, "count") != 0 ? NAN : value;
}

void metrics_look(struct metrics *metrics)
{
  if (metrics->recent != NULL)
    hdr_reset(metrics->recent);
  else if (metrics->watched_name != NULL && table[metrics->watched].kind == METRIC_KIND_COUNTER)
    metrics->before = metrics->value[metrics->watched];
}

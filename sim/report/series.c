/* What the metrics have more than at the last step's end is this step's: counts and buckets are
 * subtracted, never percentiles. */
#include "report/series.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/buckets.h"

#define FIRST_STEP_MS 1000u
#define NO_VALUE      UINT32_MAX

/* Each is the sum of one or two counters. */
static const struct {
  const char *name;
  enum metric of, and;
} counters[] = {
    {"connect.ok", METRIC_CONNECT_OK, METRIC_COUNT},
    {"connect.failed", METRIC_CONNECT_FAILED, METRIC_COUNT},
    {"handshake.count", METRIC_HANDSHAKE_FULL, METRIC_HANDSHAKE_RESUMED},
    {"telemetry.sent", METRIC_TELEMETRY_SENT, METRIC_COUNT},
    {"telemetry.acked", METRIC_TELEMETRY_ACKED, METRIC_COUNT},
};
#define COUNTERS (sizeof counters / sizeof *counters)

enum histogram { WALL, DEVICE, LATENCY, HISTOGRAMS };
static const enum metric histograms[HISTOGRAMS] = {METRIC_HANDSHAKE_WALL, METRIC_HANDSHAKE_DEVICE,
                                                   METRIC_TELEMETRY_LATENCY};

static const struct {
  const char *name;
  enum histogram of;
  double part;
} percentiles[] = {
    {"handshake.wall_ms.p50", WALL, 0.5},        {"handshake.wall_ms.p90", WALL, 0.9},
    {"handshake.wall_ms.p99", WALL, 0.99},       {"handshake.device_ms.p50", DEVICE, 0.5},
    {"handshake.device_ms.p99", DEVICE, 0.99},   {"telemetry.latency_ms.p50", LATENCY, 0.5},
    {"telemetry.latency_ms.p99", LATENCY, 0.99},
};
#define PERCENTILES (sizeof percentiles / sizeof *percentiles)

enum { ONLINE, ONLINE_MIN, OWN }; /* the columns before the counters */

struct point {
  bool seen; /* there was a beat in it */
  uint32_t online, online_min;
  double counter[COUNTERS]; /* below 0 where metrics_take_back took more than came */
  uint32_t bucket[HISTOGRAMS][BUCKETS];
  uint32_t failures[DEVICE_FAIL_COUNT];
  uint32_t gauge[SERIES_GAUGES_MAX];
};

/* The metrics at the end of the last point. */
struct totals {
  double counter[COUNTERS];
  uint64_t bucket[HISTOGRAMS][BUCKETS];
  uint64_t failures[DEVICE_FAIL_COUNT];
};

struct series {
  struct point points[SERIES_POINTS_MAX];
  size_t count;
  uint64_t step_ms, end_ms;
  bool ended;
  struct totals before;
  uint32_t online, online_min; /* now, and since the last point */
  size_t gauge_count;
  uint32_t gauge[SERIES_GAUGES_MAX]; /* now */
  char name[SERIES_GAUGES_MAX][SERIES_NAME_MAX];
  /* of the whole run, once it has ended: no percentile is above it */
  double highest_us[HISTOGRAMS];
};

size_t series_bytes(void)
{
  return sizeof(struct series);
}

struct series *series_create(void)
{
  struct series *series = malloc(sizeof *series);
  if (series == NULL) return NULL;
  memset(series, 0xff, sizeof *series); /* pages that are used: the fleet's are counted after it */
  memset(series, 0, sizeof *series);
  series->step_ms = FIRST_STEP_MS;
  return series;
}

void series_destroy(struct series *series)
{
  free(series);
}

static uint32_t devices_of(size_t devices)
{
  assert(devices < NO_VALUE);
  return (uint32_t) devices;
}

int series_gauge(struct series *series, const char *name)
{
  if (series->gauge_count == SERIES_GAUGES_MAX) return -1;
  size_t gauge = series->gauge_count++;
  snprintf(series->name[gauge], sizeof series->name[gauge], "%s", name);
  series->gauge[gauge] = NO_VALUE;
  for (size_t p = 0; p < series->count; p++) series->points[p].gauge[gauge] = NO_VALUE;
  return (int) gauge;
}

void series_set(struct series *series, int gauge, size_t devices)
{
  assert(gauge >= 0 && (size_t) gauge < series->gauge_count);
  series->gauge[gauge] = devices_of(devices);
}

void series_set_online(struct series *series, size_t devices)
{
  series->online = devices_of(devices);
  if (series->online < series->online_min) series->online_min = series->online;
}

/* --- Points ----------------------------------------------------------------------------------- */

static void take_counters(struct series *series, const struct metrics *metrics, struct point *point)
{
  for (size_t c = 0; c < COUNTERS; c++) {
    double now = metrics_value(metrics, counters[c].of);
    if (counters[c].and != METRIC_COUNT) now += metrics_value(metrics, counters[c].and);
    point->counter[c] = now - series->before.counter[c];
    series->before.counter[c] = now;
  }
  for (enum device_failure f = 0; f < DEVICE_FAIL_COUNT; f++) {
    uint64_t now = metrics_failure(metrics, f)->count;
    point->failures[f] = (uint32_t) (now - series->before.failures[f]);
    series->before.failures[f] = now;
  }
}

static void take_buckets(struct series *series, const struct metrics *metrics, struct point *point)
{
  for (size_t h = 0; h < HISTOGRAMS; h++) {
    uint64_t now[BUCKETS];
    metrics_buckets(metrics, histograms[h], now);
    for (unsigned b = 0; b < BUCKETS; b++)
      point->bucket[h][b] = (uint32_t) (now[b] - series->before.bucket[h][b]);
    memcpy(series->before.bucket[h], now, sizeof now);
  }
}

static uint32_t later(uint32_t first, uint32_t second)
{
  return second != NO_VALUE ? second : first;
}

/* One point of the two steps after each other. */
static void join(struct point *first, const struct point *second)
{
  if (second->seen) {
    if (!first->seen || second->online_min < first->online_min)
      first->online_min = second->online_min;
    first->online = second->online;
  }
  first->seen = first->seen || second->seen;
  for (size_t c = 0; c < COUNTERS; c++) first->counter[c] += second->counter[c];
  for (size_t h = 0; h < HISTOGRAMS; h++)
    for (unsigned b = 0; b < BUCKETS; b++) first->bucket[h][b] += second->bucket[h][b];
  for (size_t f = 0; f < DEVICE_FAIL_COUNT; f++) first->failures[f] += second->failures[f];
  for (size_t g = 0; g < SERIES_GAUGES_MAX; g++)
    first->gauge[g] = later(first->gauge[g], second->gauge[g]);
}

static struct point *add_point(struct series *series)
{
  assert(series->count < SERIES_POINTS_MAX);
  struct point *point = &series->points[series->count++];
  *point = (struct point){.seen = false};
  for (size_t g = 0; g < SERIES_GAUGES_MAX; g++) point->gauge[g] = NO_VALUE;
  return point;
}

/* Two steps become one: their ends are those of every second one. */
static void make_room(struct series *series)
{
  if (series->count < SERIES_POINTS_MAX) return;
  for (size_t p = 0; p < SERIES_POINTS_MAX / 2; p++) {
    struct point first = series->points[2 * p];
    join(&first, &series->points[2 * p + 1]);
    series->points[p] = first;
  }
  series->count = SERIES_POINTS_MAX / 2;
  series->step_ms *= 2;
}

static void close_point(struct series *series, const struct metrics *metrics)
{
  struct point *point = add_point(series);
  point->seen = true;
  point->online = series->online;
  point->online_min = series->online_min;
  memcpy(point->gauge, series->gauge, series->gauge_count * sizeof series->gauge[0]);
  take_counters(series, metrics, point);
  take_buckets(series, metrics, point);
  series->online_min = series->online;
  series->end_ms = series->count * series->step_ms;
}

void series_look(struct series *series, const struct metrics *metrics, uint64_t now_ms)
{
  assert(now_ms >= series->end_ms);
  if (series->ended || now_ms / series->step_ms == series->count) return;
  close_point(series, metrics);
  make_room(series);
  while (now_ms / series->step_ms > series->count) {
    add_point(series);
    series->end_ms = series->count * series->step_ms;
    make_room(series);
  }
}

void series_end(struct series *series, const struct metrics *metrics, uint64_t now_ms)
{
  series_look(series, metrics, now_ms);
  if (!series->ended) close_point(series, metrics);
  for (size_t h = 0; h < HISTOGRAMS && !series->ended; h++) {
    struct metrics_stats stats;
    metrics_stats(metrics, histograms[h], &stats);
    series->highest_us[h] = stats.max * 1000;
  }
  series->ended = true;
  series->end_ms = now_ms;
}

/* --- Reading ---------------------------------------------------------------------------------- */

size_t series_points(const struct series *series)
{
  return series->count;
}

double series_step_s(const struct series *series)
{
  return (double) series->step_ms / 1000;
}

double series_end_s(const struct series *series)
{
  return (double) series->end_ms / 1000;
}

_Static_assert(OWN + COUNTERS + PERCENTILES <= SERIES_COLUMNS_MAX - SERIES_GAUGES_MAX,
               "room for the columns that are no gauges");

size_t series_columns(const struct series *series)
{
  return OWN + COUNTERS + PERCENTILES + series->gauge_count;
}

const char *series_name(const struct series *series, size_t column)
{
  assert(column < series_columns(series));
  if (column < OWN) return column == ONLINE ? "online" : "online.min";
  column -= OWN;
  if (column < COUNTERS) return counters[column].name;
  column -= COUNTERS;
  return column < PERCENTILES ? percentiles[column].name : series->name[column - PERCENTILES];
}

static double percentile_of(const struct series *series, const struct point *point, size_t which)
{
  enum histogram of = percentiles[which].of;
  double us = buckets_part_us(point->bucket[of], percentiles[which].part);
  double highest_us = series->ended ? series->highest_us[of] : us;
  return (us > highest_us ? highest_us : us) / 1000;
}

double series_value(const struct series *series, size_t column, size_t point)
{
  assert(column < series_columns(series) && point < series->count);
  const struct point *at = &series->points[point];
  if (!at->seen) return NAN;
  if (column < OWN) return column == ONLINE ? at->online : at->online_min;
  column -= OWN;
  if (column < COUNTERS) return at->counter[column];
  column -= COUNTERS;
  if (column < PERCENTILES) return percentile_of(series, at, column);
  uint32_t devices = at->gauge[column - PERCENTILES];
  return devices == NO_VALUE ? NAN : (double) devices;
}

double series_failures(const struct series *series, enum device_failure failure, size_t point)
{
  assert(failure < DEVICE_FAIL_COUNT && point < series->count);
  const struct point *at = &series->points[point];
  return at->seen ? (double) at->failures[failure] : NAN;
}

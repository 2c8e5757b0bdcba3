/* A run second by second: what the metrics and the fleet's counts are at its beats, kept as one point
 * per step. Nothing is measured here. A step is a second; when SERIES_POINTS_MAX of them are there,
 * two become one, and so on: memory is taken once.
 *
 * Columns are numbers of things of that step (connect.ok), percentiles of them, from buckets.h
 * (handshake.wall_ms.p99), or counts of devices as they stand at its end (online, trusting.A), and
 * online.min, the lowest of the step. A step without a beat, as the process stood still, has no
 * values: what happened in it is in the step before.
 */
#ifndef FLEETSIM_SERIES_H
#define FLEETSIM_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/failure.h"
#include "report/metrics.h"

#define SERIES_POINTS_MAX 600u
#define SERIES_GAUGES_MAX 64u
#define SERIES_NAME_MAX   64u

struct series;

/* NULL: no memory. All of it is in use at once, series_bytes of it. */
struct series *series_create(void);
void series_destroy(struct series *series);
size_t series_bytes(void);

/* One more column, of devices counted by whoever calls series_set; no value until then. Returns its
   number for that; -1: there are SERIES_GAUGES_MAX of them. */
int series_gauge(struct series *series, const char *name);
void series_set(struct series *series, int gauge, size_t devices);

/* So many devices are online now. */
void series_set_online(struct series *series, size_t devices);

/* Call at every beat, `now_ms` after the run began, which never goes back. */
void series_look(struct series *series, const struct metrics *metrics, uint64_t now_ms);

/* The run has ended: its last step may be shorter than the others. Nothing comes after it. */
void series_end(struct series *series, const struct metrics *metrics, uint64_t now_ms);

/* --- Reading ---------------------------------------------------------------------------------- */

size_t series_points(const struct series *series);
double series_step_s(const struct series *series);
double series_end_s(const struct series *series); /* of the last point */

/* How many there are, and may be. */
#define SERIES_COLUMNS_MAX (SERIES_GAUGES_MAX + 16u)
size_t series_columns(const struct series *series);
const char *series_name(const struct series *series, size_t column);
/* NAN: there is none. */
double series_value(const struct series *series, size_t column, size_t point);

/* How often it happened in this step; NAN as above. */
double series_failures(const struct series *series, enum device_failure failure, size_t point);

#endif

/* A run as Prometheus reads it: text format 0.0.4, base units, one family per metric of METRICS, one
 * of all failures, and what the run is at. Names follow from those of results.json:
 * `telemetry.sent` is fleetsim_telemetry_sent_total, `handshake.wall_ms` the histogram
 * fleetsim_handshake_wall_seconds. What has no value (so far) has no sample.
 */
#ifndef FLEETSIM_PROMETHEUS_H
#define FLEETSIM_PROMETHEUS_H

#include "report/onlooker.h"

#define PROMETHEUS_TYPE     "text/plain; version=0.0.4; charset=utf-8"
#define PROMETHEUS_NAME_MAX 96u

/* The family's name of a metric. */
void prometheus_name(enum metric metric, char out[PROMETHEUS_NAME_MAX]);

/* malloc'd; NULL: no memory. */
char *prometheus_text(const struct onlooker_view *view, size_t *size);

#endif

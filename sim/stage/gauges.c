/* The gauges of a run: what stands as it is now, of fleet, clones, brokers and updates. */
#define _POSIX_C_SOURCE 200809L
#include "stage/gauges.h"

#include <math.h>

#include "stage/books.h"
#include "stage/clones.h"
#include "stage/firmware.h"
#include "stage/heard.h"
#include "stage/list_looks.h"
#include "stage/list_names.h"
#include "stage/nodes.h"
#include "stage/quantities.h"
#include "stage/tokens.h"
#include "world/world.h"

/* What never came back has no time: no comparison holds for it. */
static void recovery_gauges(struct stage *stage)
{
  static const enum metric gauges[RECOVERY_MARKS] = {METRIC_RECOVER_P50, METRIC_RECOVER_P90,
                                                     METRIC_RECOVER_P99, METRIC_RECOVER_ALL};
  const struct recovery *outage = fleet_deepest_outage(stage->fleet);
  metrics_set(stage->metrics, METRIC_RECOVER_MISSING, (double) outage->missing);
  metrics_set(stage->metrics, METRIC_RECOVER_ONLINE,
              outage->happened ? (double) outage->online : NAN);
  metrics_set(stage->metrics, METRIC_RECOVER_PEAK, outage->begun.peak);
  metrics_set(stage->metrics, METRIC_RECOVER_WASTED, (double) outage->wasted.total);
  metrics_set(stage->metrics, METRIC_RECOVER_WASTED_PEAK, outage->wasted.peak);
  for (int mark = 0; mark < RECOVERY_MARKS; mark++) {
    bool known = outage->happened && outage->back_us[mark] != RECOVERY_NEVER;
    metrics_set(stage->metrics, gauges[mark],
                known ? (double) outage->back_us[mark] / 1000.0 : NAN);
  }
}

void stage_measure_process(struct stage *stage)
{
  struct world_usage usage;
  world_usage(stage->world, &usage);
  double growth = (double) usage.peak_bytes - (double) stage->rss_before;
  metrics_set(stage->metrics, METRIC_PROCESS_CPU, usage.cpu_s);
  metrics_set(stage->metrics, METRIC_PROCESS_RSS, (double) usage.peak_bytes);
  metrics_set(stage->metrics, METRIC_PROCESS_RSS_DEVICE,
              growth > 0 ? growth / (double) stage->scenario->devices : 0);
}

/* That nobody was let in proves nothing where nobody was kept out. */
void stage_measure_revoked(struct stage *stage, bool last)
{
  char text[480];
  fleet_measure_revoked(stage->fleet, last);
  if (metrics_value(stage->metrics, METRIC_REVOKE_UNREFUSED) <= 0 &&
      stage_list_unproven(stage, text, sizeof text) != NULL)
    metrics_set(stage->metrics, METRIC_REVOKE_UNREFUSED, NAN);
}

void stage_gauges(struct stage *stage)
{
  size_t lost = 0, unproven = 0;
  uint32_t version = UINT32_MAX;
  struct fleet_census census;
  fleet_census(stage->fleet, &census);
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, i);
    lost += stage_is_lost(facts);
    unproven += facts->online && !fleet_is_proven(stage->fleet, i);
    if (facts->wanted && stage->acked_version[i] < version) version = stage->acked_version[i];
  }
  struct metrics *metrics = stage->metrics;
  metrics_set(metrics, METRIC_FLEET_ONLINE, (double) census.online);
  metrics_set(metrics, METRIC_FLEET_SHELVED, (double) census.shelved);
  metrics_set(metrics, METRIC_CONNECT_OPEN, (double) census.attempts_open);
  metrics_set(metrics, METRIC_DEVICES_LOST, (double) lost);
  metrics_set(metrics, METRIC_DEVICES_UNPROVEN, (double) unproven);
  if (!stage->scenario->operator.none)
    metrics_set(metrics, METRIC_TRUST_VERSION, version == UINT32_MAX ? 0 : version);
  stage_measure_revoked(stage, false);
  stage_measure_clones(stage);
  stage_measure_tokens(stage);
  metrics_set(metrics, METRIC_BROKER_TIMEOUTS, (double) stage_timed_out(stage));
  stage_ota_gauges(stage);
  recovery_gauges(stage);
  stage_count_tally(stage);
  stage_office_gauges(stage);
  stage_measure_process(stage);
}

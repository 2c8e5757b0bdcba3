/* What an outage costs: when it begins and ends, and how many handshakes it takes. */
#include "fleet/outage.h"

#include "fleet/population.h"

void outage_count_change(struct fleet *fleet)
{
  if (!fleet->outage.happened) return;
  recovery_update(&fleet->outage, population_clock_us(fleet), fleet->online, fleet->wanted);
}

void outage_count_lost(struct fleet *fleet)
{
  bool first = fleet->complete && fleet->online + 1 == fleet->wanted;
  if (first && !recovery_is_under_way(&fleet->outage)) {
    if (fleet->outage.missing >= fleet->deepest.missing) fleet->deepest = fleet->outage;
    recovery_begin(&fleet->outage, population_clock_us(fleet));
  }
  outage_count_change(fleet);
}

void outage_count_begun(struct fleet *fleet)
{
  uint64_t now_us = population_clock_us(fleet);
  recovery_surge_add(&fleet->begun, now_us);
  if (recovery_is_under_way(&fleet->outage)) recovery_surge_add(&fleet->outage.begun, now_us);
  metrics_add(fleet->config.metrics, METRIC_HANDSHAKE_BEGUN, 1);
  metrics_set(fleet->config.metrics, METRIC_HANDSHAKE_PEAK, fleet->begun.peak);
}

void outage_count_wasted(struct fleet *fleet)
{
  uint64_t now_us = population_clock_us(fleet);
  recovery_surge_add(&fleet->wasted, now_us);
  if (recovery_is_under_way(&fleet->outage)) recovery_surge_add(&fleet->outage.wasted, now_us);
  metrics_add(fleet->config.metrics, METRIC_HANDSHAKE_WASTED, 1);
  metrics_set(fleet->config.metrics, METRIC_HANDSHAKE_WASTED_PEAK, fleet->wasted.peak);
}

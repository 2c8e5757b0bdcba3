/* Reconnect policies per device, breaking connections off, and what an outage costs. */
#include <assert.h>
#include <string.h>

#include "fleet/member.h"

static bool is_same(const struct backoff_policy *a, const struct backoff_policy *b)
{
  return a->kind == b->kind && a->base_ms == b->base_ms && a->cap_ms == b->cap_ms;
}

/* A place in the table that no device refers to; FLEET_POLICIES_MAX: there is none. */
static size_t find_unused(const struct fleet *fleet)
{
  bool used[FLEET_POLICIES_MAX] = {false};
  size_t p = 0;
  for (size_t i = 0; i < fleet->config.device_count; i++) used[fleet->members[i].policy] = true;
  while (p < FLEET_POLICIES_MAX && used[p]) p++;
  return p;
}

static size_t find_policy(struct fleet *fleet, const struct backoff_policy *policy)
{
  for (size_t p = 0; p < fleet->policy_count; p++)
    if (is_same(&fleet->policies[p], policy)) return p;
  size_t place =
      fleet->policy_count < FLEET_POLICIES_MAX ? fleet->policy_count++ : find_unused(fleet);
  if (place < FLEET_POLICIES_MAX) fleet->policies[place] = *policy;
  return place;
}

int fleet_set_reconnect(struct fleet *fleet, const uint32_t *devices, size_t count,
                        const struct backoff_policy *policy)
{
  size_t place = find_policy(fleet, policy);
  if (place >= FLEET_POLICIES_MAX) return -1;
  for (size_t i = 0; i < count; i++) fleet->members[devices[i]].policy = (uint8_t) place;
  return 0;
}

void fleet_cut(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    if (m->link != MEMBER_DIALLING && m->link != MEMBER_UP) continue;
    member_hang_up(m);
    member_feed(
        m, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_RESET});
  }
}

void fleet_recall(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  fleet_redial(fleet, devices, count, rate, false);
  for (size_t i = 0; i < count; i++)
    if (fleet->members[devices[i]].link == MEMBER_DIALLING)
      member_stop(&fleet->members[devices[i]]);
}

/* --- Outages ---------------------------------------------------------------------------------- */

void member_count_change(struct fleet *fleet)
{
  if (!fleet->outage.happened) return;
  recovery_update(&fleet->outage, fleet_clock_us(fleet), fleet->online, fleet->wanted);
}

void member_count_lost(struct fleet *fleet)
{
  bool first = fleet->complete && fleet->online + 1 == fleet->wanted;
  if (first && !recovery_is_under_way(&fleet->outage)) {
    if (fleet->outage.missing >= fleet->deepest.missing) fleet->deepest = fleet->outage;
    recovery_begin(&fleet->outage, fleet_clock_us(fleet));
  }
  member_count_change(fleet);
}

void fleet_close_outage(struct fleet *fleet)
{
  fleet->outage.closed = fleet->outage.happened;
}

const struct recovery *fleet_outage(const struct fleet *fleet)
{
  return &fleet->outage;
}

const struct recovery *fleet_deepest_outage(const struct fleet *fleet)
{
  return fleet->outage.missing >= fleet->deepest.missing ? &fleet->outage : &fleet->deepest;
}

void member_count_begun(struct fleet *fleet)
{
  uint64_t now_us = fleet_clock_us(fleet);
  surge_add(&fleet->begun, now_us);
  if (recovery_is_under_way(&fleet->outage)) surge_add(&fleet->outage.begun, now_us);
  metrics_add(fleet->config.metrics, METRIC_HANDSHAKE_BEGUN, 1);
  metrics_set(fleet->config.metrics, METRIC_HANDSHAKE_PEAK, fleet->begun.peak);
}

void member_count_wasted(struct fleet *fleet)
{
  uint64_t now_us = fleet_clock_us(fleet);
  surge_add(&fleet->wasted, now_us);
  if (recovery_is_under_way(&fleet->outage)) surge_add(&fleet->outage.wasted, now_us);
  metrics_add(fleet->config.metrics, METRIC_HANDSHAKE_WASTED, 1);
  metrics_set(fleet->config.metrics, METRIC_HANDSHAKE_WASTED_PEAK, fleet->wasted.peak);
}

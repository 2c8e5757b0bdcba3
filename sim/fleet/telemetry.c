/* Telemetry at planned times. A message belongs to the plan's moment, not to the moment it could be sent. */
#include <assert.h>
#include <string.h>

#include "base/random.h"
#include "fleet/member.h"

#define BACKLOG_MAX (16u * 1024u)

static void put_u64(uint8_t *out, uint64_t value)
{
  for (int i = 7; i >= 0; i--, value >>= 8) out[i] = (uint8_t) value;
}

void member_stagger_telemetry(struct member *m)
{
  const struct fleet_telemetry *t = &m->fleet->telemetry;
  if (!t->on || m->link == MEMBER_OFF || m->shelving) {
    m->telemetry_at_ms = DEVICE_NEVER;
    return;
  }
  m->telemetry_at_ms = backend_now_ms(m->fleet->config.backend) + random_next(&m->random) % t->every_ms;
}

/* The message of that planned moment; true when the device took it. */
static bool send_message(struct member *m, uint64_t planned_ms, uint32_t bytes, uint8_t qos)
{
  struct fleet *fleet = m->fleet;
  put_u64(fleet->message, m->facts.telemetry_sent + 1);
  put_u64(fleet->message + 8, planned_ms * 1000 - fleet->origin_us);
  memset(fleet->message + 16, 'x', bytes - 16);
  struct device_event event = {
      .kind = DEVICE_PUBLISH,
      .publish = {
          .topic = "telemetry", .payload = fleet->message, .size = bytes, .tag = MEMBER_TAG_TELEMETRY, .qos = qos}};
  /* counted first: QoS 0 is acknowledged inside the step */
  m->facts.telemetry_sent++;
  member_feed(m, &event);
  if (m->accepted)
    metrics_add(fleet->config.metrics, METRIC_TELEMETRY_SENT, 1);
  else
    m->facts.telemetry_sent--;
  return m->accepted;
}

void member_send_telemetry(struct member *m)
{
  const struct fleet_telemetry *t = &m->fleet->telemetry;
  uint64_t planned_ms = m->telemetry_at_ms;
  m->telemetry_at_ms += t->every_ms;
  if (!send_message(m, planned_ms, t->bytes, t->qos))
    metrics_add(m->fleet->config.metrics, METRIC_TELEMETRY_SKIPPED, 1);
}

bool fleet_publish(struct fleet *fleet, size_t index, uint32_t bytes, uint8_t qos)
{
  assert(index < fleet->config.device_count && bytes >= 16 && bytes <= sizeof fleet->message);
  struct member *m = &fleet->members[index];
  if (m->link != MEMBER_UP || member_backlog(m) > BACKLOG_MAX) return false;
  return send_message(m, backend_now_ms(fleet->config.backend), bytes, qos);
}

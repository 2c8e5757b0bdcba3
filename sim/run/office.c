/* What the operator heard becomes the run's knowledge: who acknowledged which bundle, whose
   certificate is in force. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "run/ota.h"

static bool is_in_force(uint8_t code)
{
  return code == DEVICE_UPDATE_COMMITTED || code == DEVICE_UPDATE_SAME;
}

/* An acknowledgement names the bundle that it answers. One of an earlier run, or a clone's word for
 * a bundle that its device has not had, opens no gate. */
static void on_trust_ack(struct run *run, const struct office_event *event)
{
  if (event->index == SIZE_MAX || !is_in_force(event->code) || run->fleet == NULL) return;
  const struct fleet_facts *facts = fleet_facts(run->fleet, event->index);
  uint32_t sent = event->version <= run->bundle_version ? run->bundle_crc[event->version] : 0;
  bool had = facts->trust_of == event->of || facts->trust_version > event->version;
  if (event->of == 0 || event->of != sent || !had) {
    metrics_add(run->metrics, METRIC_OPERATOR_FOREIGN, 1);
    return;
  }
  if (event->version > run->acked_version[event->index])
    run->acked_version[event->index] = event->version;
}

static void on_identity_ack(struct run *run, const struct office_event *event)
{
  if (event->index == SIZE_MAX || !is_in_force(event->code)) return;
  struct run_identity *identity = &run->identity[event->index];
  /* the word may be of an earlier certificate, or of an earlier run: what the device holds tells */
  identity->acked =
      identity->pushed != 0 && run_chain_in_force(run, event->index) == identity->pushed;
}

static void on_message(struct run *run, const struct office_event *event)
{
  const char *suffix = strrchr(event->topic, '/');
  bool status = suffix != NULL && strcmp(suffix, "/status") == 0;
  if (status && event->index != SIZE_MAX && strcmp(event->text, "offline") == 0)
    metrics_add(run->metrics, METRIC_MQTT_WILLS, 1);
  if (strcmp(event->text, "trespass") == 0) metrics_add(run->metrics, METRIC_TRESPASS_DELIVERED, 1);
}

/* What the back office does not hear, nobody else tells: when it is away is told, and why. */
static void tell(struct run *run, const char *state, const char *why)
{
  if (run->events == NULL) return;
  run_emit(run, (struct event){.kind = EVENT_OFFICE, .office = {state, why}});
}

static void on_connected(struct run *run)
{
  run->office_online = true;
  if (run->office_lost_at_ms != 0)
    run->office_away_ms += uv_now(&run->loop) - run->office_lost_at_ms;
  run->office_lost_at_ms = 0;
  run->office_gave_up = false;
  run->office_told = 0;
  tell(run, "connected", "");
}

static void on_lost(struct run *run, const char *why)
{
  run->office_online = false;
  run->office_losses++;
  run->office_lost_at_ms = uv_now(&run->loop);
  run->office_surprised =
      run->office_surprised || (run->foretold >> DEVICE_FAIL_SESSION_CLOSED & 1u) == 0;
  snprintf(run->office_said, sizeof run->office_said, "%s", why);
  metrics_add(run->metrics, METRIC_OPERATOR_LOSSES, 1);
  tell(run, "lost", why);
}

/* It tries again every second: a failure is told once in an absence, and again when it is known
   better. */
static void on_failed(struct run *run)
{
  struct office_failure failure;
  office_failure(run->office, &failure);
  run->office_gave_up = failure.final;
  snprintf(run->office_said, sizeof run->office_said, "%s", failure.text);
  if (run->office_told == 1 + (int) failure.failure) return;
  run->office_told = 1 + (int) failure.failure;
  tell(run, "failed", failure.text);
}

void run_office_gauges(struct run *run)
{
  uint64_t now_ms = uv_now(&run->loop), since_ms = run->office_lost_at_ms;
  uint64_t away_ms = run->office_away_ms + (since_ms != 0 ? now_ms - since_ms : 0);
  metrics_set(run->metrics, METRIC_OPERATOR_AWAY, (double) away_ms / 1000);
  metrics_set(run->metrics, METRIC_OPERATOR_ONLINE, run->office_online);
}

static void on_event(struct run *run, const struct office_event *event)
{
  switch (event->kind) {
  case OFFICE_CONNECTED: on_connected(run); break;
  case OFFICE_LOST: on_lost(run, event->text); break;
  case OFFICE_FAILED: on_failed(run); break;
  case OFFICE_TRUST_ACK: on_trust_ack(run, event); break;
  case OFFICE_IDENTITY_ACK: on_identity_ack(run, event); break;
  case OFFICE_OTA_STATUS: run_ota_heard(run, event); break;
  case OFFICE_MESSAGE: on_message(run, event); break;
  }
}

static void collect_latencies(struct run *run)
{
  uint32_t us[512];
  uint64_t skipped = 0;
  size_t n;
  do {
    n = office_latencies(run->office, us, sizeof us / sizeof us[0], &skipped);
    for (size_t i = 0; i < n; i++) metrics_record_us(run->metrics, METRIC_TELEMETRY_LATENCY, us[i]);
  } while (n == sizeof us / sizeof us[0]);
}

void run_collect(struct run *run)
{
  if (run->office == NULL) return;
  struct office_event event;
  while (office_collect(run->office, &event)) on_event(run, &event);
  collect_latencies(run);
  run_ota_serve(run);
}

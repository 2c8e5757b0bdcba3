/* What the operator heard becomes the run's knowledge: who acknowledged which bundle, whose
   certificate is in force. */
#define _POSIX_C_SOURCE 200809L
#include "stage/heard.h"

#include <stdio.h>
#include <string.h>

#include "base/trespass.h"
#include "stage/chains.h"
#include "stage/firmware.h"
#include "stage/muster.h"
#include "stage/nodes.h"
#include "stage/wait.h"

#define TAKEN_WITHIN_MS 10000u /* as long as a restart has to end sessions: restart.c */

static bool is_in_force(uint8_t code)
{
  return code == DEVICE_UPDATE_COMMITTED || code == DEVICE_UPDATE_SAME;
}

/* An acknowledgement names the bundle that it answers. One of an earlier run, or a clone's word for
 * a bundle that its device has not had, opens no gate. */
static void on_trust_ack(struct stage *stage, const struct office_event *event)
{
  if (event->index == SIZE_MAX || !is_in_force(event->code) || stage->fleet == NULL) return;
  const struct fleet_facts *facts = fleet_facts(stage->fleet, event->index);
  uint32_t sent = event->version <= stage->bundle_version ? stage->bundle_crc[event->version] : 0;
  bool had = facts->trust_of == event->of || facts->trust_version > event->version;
  if (event->of == 0 || event->of != sent || !had) {
    metrics_add(stage->metrics, METRIC_OPERATOR_FOREIGN, 1);
    return;
  }
  if (event->version > stage->acked_version[event->index])
    stage->acked_version[event->index] = event->version;
  stage_muster_changed(stage, event->index);
}

static void on_identity_ack(struct stage *stage, const struct office_event *event)
{
  if (event->index == SIZE_MAX || !is_in_force(event->code)) return;
  struct stage_identity *identity = &stage->identity[event->index];
  /* the word may be of an earlier certificate, or of an earlier run: what the device holds tells */
  identity->acked =
      identity->pushed != 0 && stage_chain_in_force(stage, event->index) == identity->pushed;
}

static void on_message(struct stage *stage, const struct office_event *event)
{
  const char *below = event->below;
  bool known = event->index != SIZE_MAX;
  if (known && strcmp(below, "status") == 0 && strcmp(event->text, "offline") == 0)
    metrics_add(stage->metrics, METRIC_MQTT_WILLS, 1);
  if (strcmp(event->text, TRESPASS_WORD) == 0)
    metrics_add(stage->metrics, METRIC_TRESPASS_DELIVERED, 1);
  if (known && stage->fleet != NULL && strcmp(event->text, TRESPASS_LURE) == 0)
    fleet_lure_heard(stage->fleet, event->index, below);
}

/* What the back office does not hear, nobody else tells: when it is away is told, and why. */
static void tell_state(struct stage *stage, const char *state, const char *why)
{
  if (stage->events == NULL) return;
  stage_emit(stage, (struct event){.kind = EVENT_OFFICE, .office = {state, why}});
}

/* It tells the fleet that the broker serves, where that is the one at which it is at home. */
static void vouch(struct stage *stage, bool anew)
{
  bool apart = stage->scenario->operator.host[0] != '\0';
  if (stage->fleet != NULL && !apart && office_is_home(stage->office))
    fleet_hears_office(stage->fleet, (int) stage->scenario->node_count - 1, anew);
}

void stage_office_step_begins(struct stage *stage)
{
  stage_collect(stage); /* what it has met so far was not this step's doing */
  stage->taken = (struct stage_taken){.pending = true, .under_way = true};
}

void stage_office_step_ends(struct stage *stage, bool surely)
{
  struct stage_taken *taken = &stage->taken;
  stage_collect(stage);
  taken->under_way = false;
  taken->pending = !taken->back && (surely || !stage->office_online);
  taken->until_ms = world_now_ms(stage->world) + TAKEN_WITHIN_MS;
}

static bool is_foretold(const struct stage *stage)
{
  const struct stage_taken *taken = &stage->taken;
  return taken->pending && (taken->under_way || world_now_ms(stage->world) <= taken->until_ms ||
                            !stage_is_reachable(stage, stage->scenario->node_count - 1));
}

static void on_connected(struct stage *stage)
{
  stage->office_online = stage->taken.back = true;
  if (!stage->taken.under_way) stage->taken.pending = false;
  if (stage->office_lost_at_ms != 0)
    stage->office_away_ms += world_now_ms(stage->world) - stage->office_lost_at_ms;
  stage->office_lost_at_ms = 0;
  stage->office_gave_up = false;
  stage->office_told = 0;
  vouch(stage, true);
  tell_state(stage, "connected", "");
}

/* Whoever reads the results of two runs that throw each other out is told so in both. */
static void on_rival(struct stage *stage, const char *why)
{
  char note[256];
  if (stage->office_rivalled) return;
  stage->office_rivalled = true;
  snprintf(note, sizeof note, "the operator's connection %s", why);
  stage_say(stage, note);
}

static void on_lost(struct stage *stage, const char *why)
{
  bool foretold = is_foretold(stage);
  stage->office_online = stage->taken.back = false;
  stage->office_losses++;
  stage->office_lost_at_ms = world_now_ms(stage->world);
  stage->office_surprised = stage->office_surprised || !foretold;
  snprintf(stage->office_said, sizeof stage->office_said, "%s", why);
  metrics_add(stage->metrics, METRIC_OPERATOR_LOSSES, 1);
  metrics_add(stage->metrics, METRIC_OPERATOR_UNFORETOLD, !foretold);
  tell_state(stage, "lost", why);
}

/* It tries again every second: a failure is told once in an absence, and again when it is known
   better. */
static void on_failed(struct stage *stage)
{
  struct office_failure failure;
  office_failure(stage->office, &failure);
  stage->office_gave_up = failure.final;
  snprintf(stage->office_said, sizeof stage->office_said, "%s", failure.text);
  if (stage->office_told == 1 + (int) failure.failure) return;
  stage->office_told = 1 + (int) failure.failure;
  tell_state(stage, "failed", failure.text);
}

void stage_office_gauges(struct stage *stage)
{
  if (stage->scenario->operator.none) return;
  uint64_t now_ms = world_now_ms(stage->world), since_ms = stage->office_lost_at_ms;
  uint64_t away_ms = stage->office_away_ms + (since_ms != 0 ? now_ms - since_ms : 0);
  metrics_set(stage->metrics, METRIC_OPERATOR_AWAY, (double) away_ms / 1000);
  metrics_set(stage->metrics, METRIC_OPERATOR_ONLINE, stage->office_online);
}

static void on_event(struct stage *stage, const struct office_event *event)
{
  switch (event->kind) {
  case OFFICE_CONNECTED: on_connected(stage); break;
  case OFFICE_LOST:
    if (event->code == OFFICE_TAKEN_OVER) on_rival(stage, event->text);
    on_lost(stage, event->code == OFFICE_MAY_BE_TAKEN_OVER && is_foretold(stage)
                       ? "the connection to the broker was lost"
                       : event->text);
    break;
  case OFFICE_FAILED: on_failed(stage); break;
  case OFFICE_TRUST_ACK: on_trust_ack(stage, event); break;
  case OFFICE_IDENTITY_ACK: on_identity_ack(stage, event); break;
  case OFFICE_OTA_STATUS: stage_ota_heard(stage, event); break;
  case OFFICE_MESSAGE: on_message(stage, event); break;
  }
}

static void collect_latencies(struct stage *stage)
{
  uint32_t us[512];
  uint64_t skipped = 0;
  size_t n;
  do {
    n = office_latencies(stage->office, us, sizeof us / sizeof us[0], &skipped);
    for (size_t i = 0; i < n; i++)
      metrics_record_us(stage->metrics, METRIC_TELEMETRY_LATENCY, us[i]);
  } while (n == sizeof us / sizeof us[0]);
}

void stage_collect(struct stage *stage)
{
  if (stage->office == NULL) return;
  struct office_event event;
  while (office_collect(stage->office, &event)) on_event(stage, &event);
  collect_latencies(stage);
  if (stage->office_online) vouch(stage, false);
  stage_ota_serve(stage);
}

/* The back office's part of firmware updates: it offers them in rollouts, sends blocks, hears
 * reports, and compares what it heard with what the devices did. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "stage/firmware.h"
#include "stage/muster.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "stage/waves.h"

#define BLOCKS_AT_ONCE 2000u /* then the loop has its turn */
#define WITHDRAW_MS    5000u

/* --- Blocks ----------------------------------------------------------------------------------- */

/* The rollout whose manifests have that serial; NULL: none. */
static const struct stage_rollout *rollout_of_serial(const struct stage *stage, uint32_t serial)
{
  for (size_t r = stage->ota->rollout_count; r > 0; r--)
    if (stage->ota->rollouts[r - 1].serial == serial) return &stage->ota->rollouts[r - 1];
  return NULL;
}

/* An image may have several: each rollout of it has its own, and what devices find by themselves
   the latest. */
static const struct stage_image *image_of_serial(const struct stage *stage, uint32_t serial)
{
  const struct stage_rollout *rollout = rollout_of_serial(stage, serial);
  if (rollout != NULL) return &stage->ota->images[rollout->image];
  for (size_t i = 1; i < stage->scenario->ota.image_count; i++)
    if (stage->ota->images[i].published && stage->ota->images[i].manifest.serial == serial)
      return &stage->ota->images[i];
  return NULL;
}

static void send_block(struct stage *stage, const struct blocks_image *image, size_t device,
                       uint32_t number)
{
  uint8_t block[BLOCKS_SIZE_MAX];
  size_t size = blocks_make(image, number, block);
  /* it will ask again */
  if (office_send(stage->office, device, "ota/block", block, size, NULL) != 0) return;
  metrics_add(stage->metrics, METRIC_OTA_SERVED_BYTES, size - BLOCKS_HEADER);
  peak_add(&stage->ota->served, stage_elapsed_ms(stage), size - BLOCKS_HEADER);
}

static void answer(struct stage *stage, const struct blocks_want *want)
{
  const struct stage_image *from = image_of_serial(stage, want->serial);
  if (from == NULL || from->manifest.kind != DEVICE_MANIFEST_BLOCKS) return;
  const struct blocks_image image = {.serial = want->serial,
                                     .data = from->bytes,
                                     .size = from->size,
                                     .announced = from->manifest.size,
                                     .block_size = from->manifest.block_size};
  for (uint32_t more = blocks_run_on(&image, want->number); more > 0; more--)
    send_block(stage, &image, want->index, want->number + more);
  send_block(stage, &image, want->index, want->number);
}

static void book_requests(struct stage *stage)
{
  struct office_tally tally;
  office_tally(stage->office, &tally);
  uint64_t n = tally.block_requests - stage->ota->requests_booked;
  if (n == 0) return;
  stage->ota->requests_booked = tally.block_requests;
  metrics_add(stage->metrics, METRIC_OTA_REQUESTS, n);
  peak_add(&stage->ota->requests, stage_elapsed_ms(stage), n);
}

void stage_ota_serve(struct stage *stage)
{
  struct blocks_want want;
  if (stage->ota == NULL || stage->office == NULL) return;
  book_requests(stage);
  for (size_t n = 0; n < BLOCKS_AT_ONCE; n++) {
    if (office_block_room(stage->office) == 0 || !office_next_block(stage->office, &want)) return;
    answer(stage, &want);
  }
  world_wake(stage->world); /* there may be more */
}

/* --- Rollouts --------------------------------------------------------------------------------- */

static void offer(void *ctx, uint32_t device)
{
  const struct stage_rollout *rollout = ctx;
  struct stage *stage = rollout->stage;
  const struct stage_image *image = &stage->ota->images[rollout->image];
  if (office_keep(stage->office, device, "ota/manifest", image->wire, image->wire_size,
                  &stage->error) != 0) {
    stage_abort(stage, &stage->error);
    return;
  }
  stage->ota->heard[device].offered = (uint8_t) (1 + (rollout - stage->ota->rollouts));
  metrics_add(stage->metrics, METRIC_OTA_OFFERED, 1);
}

static void cancel(void *ctx, uint32_t device)
{
  const struct stage_rollout *rollout = ctx;
  struct stage *stage = rollout->stage;
  struct device_manifest manifest = stage->ota->images[rollout->image].manifest;
  manifest.serial = rollout->serial;
  uint8_t wire[DEVICE_MANIFEST_MAX];
  size_t size;
  manifest.kind = DEVICE_MANIFEST_CANCEL;
  manifest.url[0] = '\0';
  if (pki_manifest_make(stage->pki, &manifest, wire, sizeof wire, &size, &stage->error) != 0 ||
      office_keep(stage->office, device, "ota/manifest", wire, size, &stage->error) != 0)
    stage_abort(stage, &stage->error);
}

void stage_ota_tick(struct stage *stage)
{
  struct error error;
  if (stage->ota == NULL || stage->office == NULL) return;
  /* what devices do then shows nothing */
  if (flash_check(stage->ota->flash, &error) != 0) stage_abort(stage, &error);
  for (size_t r = 0; r < stage->ota->rollout_count; r++)
    rollout_tick(stage->ota->rollouts[r].rollout, stage_elapsed_ms(stage));
}

static bool is_sent(struct stage *stage, void *ctx)
{
  (void) ctx;
  return office_pending(stage->office) == 0;
}

/* What the broker keeps would reach the devices of the next run: of `everybody`, or of those who
 * were offered something. A run that was broken off has left it, so it is done before and after. No
 * device is connected then. */
int stage_ota_withdraw(struct stage *stage, bool everybody)
{
  bool fresh = scenario_broker_is(stage->scenario, BROKER_FRESH);
  if (stage->ota == NULL || stage->office == NULL || fresh) return 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++)
    if ((everybody || stage->ota->heard[i].offered != 0) &&
        office_keep(stage->office, i, "ota/manifest", NULL, 0, &stage->error) != 0)
      return -1;
  return stage_wait(stage, is_sent, NULL, WITHDRAW_MS) == STAGE_ABORTED ? -1 : 0;
}

/* Switched off for now is no reason to be left out: the broker keeps the manifest. Never switched
   on is one. */
static size_t keep_reachable(const struct stage *stage, uint32_t *devices, size_t count)
{
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const struct fleet_facts *facts = fleet_facts(stage->fleet, devices[i]);
    if ((facts->wanted || facts->shelved) && !facts->dead) devices[kept++] = devices[i];
  }
  return kept;
}

static void set_pace(const struct scenario_step *step, struct rollout_config *config)
{
  const struct scenario_rollout *rollout = &step->rollout;
  if (rollout->by_rate) {
    config->rate = step->rate;
    config->growth = rollout->growth;
    config->successes = rollout->growth > 1 ? rollout->growth_after : 0;
    return;
  }
  config->wave_count = step->waves.count > 0 ? step->waves.count : 1;
  for (size_t w = 0; w < step->waves.count; w++)
    config->until[w] = targets_share(config->count, step->waves.share[w]);
  config->until[config->wave_count - 1] = config->count;
  config->jitter_ms = rollout->jitter_ms;
}

static void set_criteria(const struct scenario_rollout *rollout, struct rollout_config *config)
{
  for (size_t a = 0; a < rollout->abort_count; a++) {
    const struct scenario_abort *from = &rollout->abort[a];
    config->abort[a] =
        (struct rollout_criterion){.status = from->any ? ROLLOUT_ANY_FAILURE : (int) from->status,
                                   .share = from->share,
                                   .of_all = from->of_all,
                                   .minimum = from->minimum};
  }
  config->abort_count = rollout->abort_count;
}

int stage_ota_roll_out(struct stage *stage, const struct scenario_step *step, struct rollout **out)
{
  struct stage_ota *ota = stage->ota;
  size_t count;
  assert(ota->rollout_count < RESULTS_ROLLOUTS_MAX);
  bool again = rollout_of_serial(stage, ota->images[step->image].manifest.serial) != NULL;
  if (again && ota->images[step->image].harm[0] == '\0' && stage_ota_renew(stage, step->image) != 0)
    return -1;
  uint32_t *devices = targets_of(stage, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return -1;
  struct stage_rollout *rollout = &ota->rollouts[ota->rollout_count];
  *rollout = (struct stage_rollout){.stage = stage,
                                    .image = step->image,
                                    .serial = ota->images[step->image].manifest.serial,
                                    .background = step->rollout.background};
  struct rollout_config config = {.devices = devices,
                                  .count = keep_reachable(stage, devices, count),
                                  .fleet_size = fleet_size(stage->fleet),
                                  .within_ms = step->within_ms,
                                  .seed = stage->scenario->seed ^ rollout->serial,
                                  .offer = offer,
                                  .cancel = cancel,
                                  .ctx = rollout};
  set_pace(step, &config);
  set_criteria(&step->rollout, &config);
  rollout->rollout = rollout_create(&config);
  free(devices);
  if (rollout->rollout == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP,
                     "not enough memory for a rollout to %zu devices", count);
  ota->rollout_count++;
  *out = rollout->rollout;
  return 0;
}

/* --- Reports ---------------------------------------------------------------------------------- */

/* Which rollout a report is about. What cannot be read as a manifest has no serial, and a stale one
 * has somebody else's: then it is the one by which the device was offered something last. */
static const struct stage_rollout *rollout_of_report(const struct stage *stage,
                                                     const struct office_event *event)
{
  size_t offered = stage->ota->heard[event->index].offered;
  const struct stage_rollout *last = offered != 0 ? &stage->ota->rollouts[offered - 1] : NULL;
  bool unreadable = event->serial == 0 && event->code == DEVICE_OTA_BAD_MANIFEST;
  if (last != NULL && (unreadable || event->serial == last->serial)) return last;
  return rollout_of_serial(stage, event->serial);
}

/* An image that is confirmed has put its trust bundle in force. */
static void learn_trust(struct stage *stage, size_t index, const struct stage_image *image)
{
  if (image->bundle_version > stage->acked_version[index])
    stage->acked_version[index] = image->bundle_version;
  stage_muster_changed(stage, index);
}

void stage_ota_heard(struct stage *stage, const struct office_event *event)
{
  if (stage->ota == NULL || event->index == SIZE_MAX) return;
  struct stage_heard *heard = &stage->ota->heard[event->index];
  heard->status = event->code;
  heard->serial = event->serial;
  heard->version = event->version;
  heard->running = event->running;
  const struct stage_image *image = image_of_serial(stage, event->serial);
  if (event->code == DEVICE_OTA_CONFIRMED && image != NULL) learn_trust(stage, event->index, image);
  const struct stage_rollout *rollout = rollout_of_report(stage, event);
  if (rollout == NULL) return;
  rollout_report(rollout->rollout, (uint32_t) event->index, (enum device_ota_status) event->code,
                 stage_elapsed_ms(stage));
}

/* --- Truth ------------------------------------------------------------------------------------ */

static bool agrees(const struct stage *stage, size_t index)
{
  const struct fleet_ota_facts *truth = fleet_ota_facts(stage->fleet, index);
  const struct stage_heard *heard = &stage->ota->heard[index];
  if (truth->ota_status == DEVICE_OTA_NONE) return heard->status == DEVICE_OTA_NONE;
  return heard->status == truth->ota_status && heard->serial == truth->ota_serial &&
         heard->running == truth->image_version;
}

size_t stage_ota_disagree(const struct stage *stage)
{
  size_t n = 0;
  for (size_t i = 0; stage->ota != NULL && i < fleet_size(stage->fleet); i++)
    n += fleet_facts(stage->fleet, i)->online && !agrees(stage, i);
  return n;
}

bool stage_ota_is_quiet(const struct stage *stage)
{
  for (size_t i = 0; stage->ota != NULL && i < fleet_size(stage->fleet); i++) {
    enum device_ota_status status = fleet_ota_facts(stage->fleet, i)->ota_status;
    bool restarts = status == DEVICE_OTA_STAGED || status == DEVICE_OTA_TRIAL;
    if (fleet_facts(stage->fleet, i)->wanted && restarts) return false;
  }
  return stage->scenario->operator.none || stage_ota_disagree(stage) == 0;
}

/* The latest rollout that was for it counts. */
static bool is_unfinished(const struct stage *stage, uint32_t device)
{
  for (size_t r = stage->ota->rollout_count; r > 0; r--) {
    const struct stage_rollout *of = &stage->ota->rollouts[r - 1];
    if (!rollout_is_for(of->rollout, device)) continue;
    enum device_ota_status heard = rollout_heard(of->rollout, device);
    return of->background && rollout_state(of->rollout) != ROLLOUT_CANCELLED &&
           heard != DEVICE_OTA_CONFIRMED && heard != DEVICE_OTA_SAME;
  }
  return false;
}

static size_t count_unfinished(const struct stage *stage)
{
  size_t n = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) n += is_unfinished(stage, (uint32_t) i);
  return n;
}

void stage_ota_gauges(struct stage *stage)
{
  if (stage->ota == NULL) return;
  stage_ota_look_at_server(stage);
  if (!stage->scenario->operator.none) {
    metrics_set(stage->metrics, METRIC_OTA_DISAGREE, (double) stage_ota_disagree(stage));
    metrics_set(stage->metrics, METRIC_OTA_UNFINISHED, (double) count_unfinished(stage));
  }
  metrics_set(stage->metrics, METRIC_OTA_REQUESTS_PEAK, (double) stage->ota->requests.most);
  metrics_set(stage->metrics, METRIC_OTA_SERVED_PEAK, (double) stage->ota->served.most);
}

bool stage_ota_is_updated(const struct stage *stage, size_t index, const char *image)
{
  int at = scenario_find_image(stage->scenario, image);
  const struct fleet_ota_facts *truth =
      stage->ota != NULL ? fleet_ota_facts(stage->fleet, index) : NULL;
  if (truth == NULL || at < 0) return false;
  return truth->image_version == stage->ota->images[at].version && !truth->ota_trial &&
         !truth->bricked;
}

static bool touches(const struct stage *stage, size_t image, size_t index)
{
  for (size_t r = 0; r < stage->ota->rollout_count; r++)
    if (stage->ota->rollouts[r].image == image &&
        rollout_touched(stage->ota->rollouts[r].rollout, (uint32_t) index))
      return true;
  return false;
}

bool stage_ota_is_touched(const struct stage *stage, size_t index, const char *image)
{
  int at = scenario_find_image(stage->scenario, image);
  return stage->ota != NULL && at >= 0 && touches(stage, (size_t) at, index);
}

bool stage_ota_is_at(const struct stage *stage, size_t index, const char *status)
{
  if (stage->ota == NULL) return false;
  return (int) fleet_ota_facts(stage->fleet, index)->ota_status ==
         device_ota_status_find(status, strlen(status));
}

bool stage_ota_is_reported(const struct stage *stage, size_t index, const char *status)
{
  if (stage->ota == NULL) return false;
  return stage->ota->heard[index].status == device_ota_status_find(status, strlen(status));
}

/* --- Results ---------------------------------------------------------------------------------- */

static_assert(RESULTS_IMAGES_MAX >= 1 + SCENARIO_IMAGES_MAX, "each image has its row");
static_assert(RESULTS_WAVES_MAX >= ROLLOUT_WAVES_MAX && ROLLOUT_WAVES_MAX >= SCENARIO_WAVES_MAX,
              "so has each wave");
static_assert(RESULTS_ROLLOUTS_MAX >= SCENARIO_ROLLOUTS_MAX, "and each rollout");
static_assert(ROLLOUT_CRITERIA_MAX >= SCENARIO_ABORTS_MAX,
              "and a rollout has room for all criteria");

static void write_image(struct stage *stage, size_t index, struct results_image *out)
{
  const struct scenario_image *from = &stage->scenario->ota.images[index];
  const struct stage_image *image = &stage->ota->images[index];
  bool factory = index == SCENARIO_FACTORY;
  *out = (struct results_image){.counter = image->counter,
                                .size = (uint32_t) image->size,
                                .serial = image->published ? image->manifest.serial : 0};
  snprintf(out->name, sizeof out->name, "%s", from->name);
  snprintf(out->via, sizeof out->via, "%s",
           factory                           ? "factory"
           : from->via == SCENARIO_VIA_HTTPS ? "https"
                                             : "mqtt");
  snprintf(out->harm, sizeof out->harm, "%s", image->harm);
  device_version_text(image->version, out->version);
  if (factory || image->published)
    text_hex(image->manifest.hash, sizeof image->manifest.hash, out->hash);
  for (size_t i = 0; i < fleet_size(stage->fleet); i++) {
    out->updated += stage_ota_is_updated(stage, i, from->name);
    out->touched += touches(stage, index, i);
  }
}

static struct results_wave wave_of(const struct rollout_wave *wave)
{
  bool ended = wave->ended_ms > 0 && wave->offered > 0;
  return (struct results_wave){.devices = wave->devices,
                               .offered = wave->offered,
                               .confirmed = wave->updated,
                               .refused = wave->refused,
                               .rolled_back = wave->rolled_back,
                               .cancelled = wave->cancelled,
                               .open = wave->open,
                               .duration_s =
                                   ended ? (double) (wave->ended_ms - wave->began_ms) / 1000 : NAN,
                               .timed_out = wave->timed_out};
}

static void write_rollout(const struct stage *stage, const struct stage_rollout *rollout,
                          struct results_rollout *out)
{
  struct rollout_summary summary;
  rollout_summary(rollout->rollout, &summary);
  *out = (struct results_rollout){.wave_count = summary.wave_count,
                                  .aborted = summary.state == ROLLOUT_ABORTED,
                                  .offered = summary.offered,
                                  .untouched = summary.untouched,
                                  .open_when_stopped = summary.open_when_stopped,
                                  .touched_after = summary.touched_after};
  snprintf(out->image, sizeof out->image, "%s", stage->scenario->ota.images[rollout->image].name);
  snprintf(out->state, sizeof out->state, "%s", rollout_state_name(summary.state));
  for (size_t w = 0; w < summary.wave_count; w++) out->waves[w] = wave_of(&summary.wave[w]);
  if (summary.met < 0) return;
  int status = rollout_criterion(rollout->rollout, summary.met)->status;
  snprintf(out->criterion, sizeof out->criterion, "%zu of %zu %s", summary.met_count,
           summary.met_of,
           status == ROLLOUT_ANY_FAILURE ? "failed"
                                         : device_ota_status_name((enum device_ota_status) status));
}

void stage_ota_results(struct stage *stage)
{
  struct results_ota *out = &stage->results.ota;
  if (stage->ota == NULL) return;
  out->on = true;
  out->image_count = stage->scenario->ota.image_count;
  out->rollout_count = stage->ota->rollout_count;
  for (size_t i = 0; i < out->image_count; i++) write_image(stage, i, &out->images[i]);
  for (size_t r = 0; r < out->rollout_count; r++)
    write_rollout(stage, &stage->ota->rollouts[r], &out->rollouts[r]);
  for (int s = 0; s < DEVICE_OTA_STATUS_COUNT; s++) {
    const struct fleet_ota_tally *tally = fleet_ota_tally(stage->fleet, (enum device_ota_status) s);
    out->statuses[s].count = tally->count;
    out->statuses[s].first_count = tally->first_count;
    memcpy(out->statuses[s].first_devices, tally->first_devices, sizeof tally->first_devices);
  }
}

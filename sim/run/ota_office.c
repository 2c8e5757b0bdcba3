/* The back office's part of firmware updates: it offers them in rollouts, sends blocks, hears
 * reports, and compares what it heard with what the devices did. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/ota.h"

#define BLOCKS_AT_ONCE 2000u /* then the loop has its turn */
#define WITHDRAW_MS    5000u

/* --- Blocks ----------------------------------------------------------------------------------- */

/* The rollout whose manifests have that serial; NULL: none. */
static const struct run_rollout *rollout_of_serial(const struct run *run, uint32_t serial)
{
  for (size_t r = run->ota->rollout_count; r > 0; r--)
    if (run->ota->rollouts[r - 1].serial == serial) return &run->ota->rollouts[r - 1];
  return NULL;
}

/* An image may have several: each rollout of it has its own, and what devices find by themselves
   the latest. */
static const struct run_image *image_of_serial(const struct run *run, uint32_t serial)
{
  const struct run_rollout *rollout = rollout_of_serial(run, serial);
  if (rollout != NULL) return &run->ota->images[rollout->image];
  for (size_t i = 1; i < run->scenario->ota.image_count; i++)
    if (run->ota->images[i].published && run->ota->images[i].manifest.serial == serial)
      return &run->ota->images[i];
  return NULL;
}

static void send_block(struct run *run, const struct blocks_image *image, size_t device,
                       uint32_t number)
{
  uint8_t block[BLOCKS_SIZE_MAX];
  size_t size = blocks_make(image, number, block);
  /* it will ask again */
  if (office_send_block(run->office, device, block, size, NULL) != 0) return;
  metrics_add(run->metrics, METRIC_OTA_SERVED_BYTES, size - BLOCKS_HEADER);
  peak_add(&run->ota->served, run_elapsed_ms(run), size - BLOCKS_HEADER);
}

static void answer(struct run *run, const struct blocks_want *want)
{
  const struct run_image *from = image_of_serial(run, want->serial);
  if (from == NULL || from->manifest.kind != DEVICE_MANIFEST_BLOCKS) return;
  const struct blocks_image image = {.serial = want->serial,
                                     .data = from->bytes,
                                     .size = from->size,
                                     .announced = from->manifest.size,
                                     .block_size = from->manifest.block_size};
  for (uint32_t more = blocks_run_on(&image, want->number); more > 0; more--)
    send_block(run, &image, want->index, want->number + more);
  send_block(run, &image, want->index, want->number);
}

static void book_requests(struct run *run)
{
  struct office_tally tally;
  office_tally(run->office, &tally);
  uint64_t n = tally.block_requests - run->ota->requests_booked;
  if (n == 0) return;
  run->ota->requests_booked = tally.block_requests;
  metrics_add(run->metrics, METRIC_OTA_REQUESTS, n);
  peak_add(&run->ota->requests, run_elapsed_ms(run), n);
}

void run_ota_serve(struct run *run)
{
  struct blocks_want want;
  if (run->ota == NULL || run->office == NULL) return;
  book_requests(run);
  for (size_t n = 0; n < BLOCKS_AT_ONCE; n++) {
    if (office_block_room(run->office) == 0 || !office_next_block(run->office, &want)) return;
    answer(run, &want);
  }
  uv_async_send(&run->wake); /* there may be more */
}

/* --- Rollouts --------------------------------------------------------------------------------- */

static void offer(void *ctx, uint32_t device)
{
  const struct run_rollout *rollout = ctx;
  struct run *run = rollout->run;
  const struct run_image *image = &run->ota->images[rollout->image];
  if (office_keep(run->office, device, "ota/manifest", image->wire, image->wire_size,
                  &run->error) != 0) {
    run_abort(run, &run->error);
    return;
  }
  run->ota->heard[device].offered = (uint8_t) (1 + (rollout - run->ota->rollouts));
  metrics_add(run->metrics, METRIC_OTA_OFFERED, 1);
}

static void cancel(void *ctx, uint32_t device)
{
  const struct run_rollout *rollout = ctx;
  struct run *run = rollout->run;
  struct device_manifest manifest = run->ota->images[rollout->image].manifest;
  manifest.serial = rollout->serial;
  uint8_t wire[DEVICE_MANIFEST_MAX];
  size_t size;
  manifest.kind = DEVICE_MANIFEST_CANCEL;
  manifest.url[0] = '\0';
  if (pki_manifest_make(run->pki, &manifest, wire, sizeof wire, &size, &run->error) != 0 ||
      office_keep(run->office, device, "ota/manifest", wire, size, &run->error) != 0)
    run_abort(run, &run->error);
}

void run_ota_tick(struct run *run)
{
  struct error error;
  if (run->ota == NULL || run->office == NULL) return;
  /* what devices do then shows nothing */
  if (flash_check(run->ota->flash, &error) != 0) run_abort(run, &error);
  for (size_t r = 0; r < run->ota->rollout_count; r++)
    rollout_tick(run->ota->rollouts[r].rollout, run_elapsed_ms(run));
}

static bool is_sent(struct run *run, void *ctx)
{
  (void) ctx;
  return office_pending(run->office) == 0;
}

/* What the broker keeps would reach the devices of the next run: of `everybody`, or of those who
 * were offered something. A run that was broken off has left it, so it is done before and after. No
 * device is connected then. */
int run_ota_withdraw(struct run *run, bool everybody)
{
  if (run->ota == NULL || run->office == NULL || !run->scenario->remote) return 0;
  for (size_t i = 0; i < fleet_size(run->fleet); i++)
    if ((everybody || run->ota->heard[i].offered != 0) &&
        office_keep(run->office, i, "ota/manifest", NULL, 0, &run->error) != 0)
      return -1;
  return run_wait(run, is_sent, NULL, WITHDRAW_MS) == RUN_ABORTED ? -1 : 0;
}

/* Switched off for now is no reason to be left out: the broker keeps the manifest. Never switched
   on is one. */
static size_t keep_reachable(const struct run *run, uint32_t *devices, size_t count)
{
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const struct fleet_facts *facts = fleet_facts(run->fleet, devices[i]);
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

int run_ota_roll_out(struct run *run, const struct scenario_step *step, struct rollout **out)
{
  struct run_ota *ota = run->ota;
  size_t count;
  assert(ota->rollout_count < RESULTS_ROLLOUTS_MAX);
  bool again = rollout_of_serial(run, ota->images[step->image].manifest.serial) != NULL;
  if (again && ota->images[step->image].harm[0] == '\0' && run_ota_renew(run, step->image) != 0)
    return -1;
  uint32_t *devices = targets_of(run, TARGETS_ALL, &step->who, &count);
  if (devices == NULL) return -1;
  struct run_rollout *rollout = &ota->rollouts[ota->rollout_count];
  *rollout = (struct run_rollout){
      .run = run, .image = step->image, .serial = ota->images[step->image].manifest.serial};
  struct rollout_config config = {.devices = devices,
                                  .count = keep_reachable(run, devices, count),
                                  .fleet_size = fleet_size(run->fleet),
                                  .within_ms = step->within_ms,
                                  .seed = run->scenario->seed ^ rollout->serial,
                                  .offer = offer,
                                  .cancel = cancel,
                                  .ctx = rollout};
  set_pace(step, &config);
  set_criteria(&step->rollout, &config);
  rollout->rollout = rollout_create(&config);
  free(devices);
  if (rollout->rollout == NULL)
    return error_set(&run->error, EXIT_CODE_SETUP, "not enough memory for a rollout to %zu devices",
                     count);
  ota->rollout_count++;
  *out = rollout->rollout;
  return 0;
}

/* --- Reports ---------------------------------------------------------------------------------- */

/* Which rollout a report is about. What cannot be read as a manifest has no serial, and a stale one
 * has somebody else's: then it is the one by which the device was offered something last. */
static const struct run_rollout *rollout_of_report(const struct run *run,
                                                   const struct office_event *event)
{
  size_t offered = run->ota->heard[event->index].offered;
  const struct run_rollout *last = offered != 0 ? &run->ota->rollouts[offered - 1] : NULL;
  bool unreadable = event->serial == 0 && event->code == DEVICE_OTA_BAD_MANIFEST;
  if (last != NULL && (unreadable || event->serial == last->serial)) return last;
  return rollout_of_serial(run, event->serial);
}

/* An image that is confirmed has put its trust bundle in force. */
static void learn_trust(struct run *run, size_t index, const struct run_image *image)
{
  if (image->bundle_version > run->acked_version[index])
    run->acked_version[index] = image->bundle_version;
}

void run_ota_heard(struct run *run, const struct office_event *event)
{
  if (run->ota == NULL || event->index == SIZE_MAX) return;
  struct run_heard *heard = &run->ota->heard[event->index];
  heard->status = event->code;
  heard->serial = event->serial;
  heard->version = event->version;
  heard->running = event->running;
  const struct run_image *image = image_of_serial(run, event->serial);
  if (event->code == DEVICE_OTA_CONFIRMED && image != NULL) learn_trust(run, event->index, image);
  const struct run_rollout *rollout = rollout_of_report(run, event);
  if (rollout == NULL) return;
  rollout_report(rollout->rollout, (uint32_t) event->index, (enum device_ota_status) event->code,
                 run_elapsed_ms(run));
}

/* --- Truth ------------------------------------------------------------------------------------ */

static bool agrees(const struct run *run, size_t index)
{
  const struct fleet_ota_facts *truth = fleet_ota_facts(run->fleet, index);
  const struct run_heard *heard = &run->ota->heard[index];
  if (truth->ota_status == DEVICE_OTA_NONE) return heard->status == DEVICE_OTA_NONE;
  return heard->status == truth->ota_status && heard->serial == truth->ota_serial &&
         heard->running == truth->image_version;
}

size_t run_ota_disagree(const struct run *run)
{
  size_t n = 0;
  for (size_t i = 0; run->ota != NULL && i < fleet_size(run->fleet); i++)
    n += fleet_facts(run->fleet, i)->online && !agrees(run, i);
  return n;
}

bool run_ota_is_quiet(const struct run *run)
{
  for (size_t i = 0; run->ota != NULL && i < fleet_size(run->fleet); i++) {
    enum device_ota_status status = fleet_ota_facts(run->fleet, i)->ota_status;
    bool restarts = status == DEVICE_OTA_STAGED || status == DEVICE_OTA_TRIAL;
    if (fleet_facts(run->fleet, i)->wanted && restarts) return false;
  }
  return run_ota_disagree(run) == 0;
}

void run_ota_gauges(struct run *run)
{
  if (run->ota == NULL) return;
  run_ota_look_at_server(run);
  metrics_set(run->metrics, METRIC_OTA_DISAGREE, (double) run_ota_disagree(run));
  metrics_set(run->metrics, METRIC_OTA_REQUESTS_PEAK, (double) run->ota->requests.most);
  metrics_set(run->metrics, METRIC_OTA_SERVED_PEAK, (double) run->ota->served.most);
}

bool run_ota_is_updated(const struct run *run, size_t index, const char *image)
{
  int at = scenario_find_image(run->scenario, image);
  const struct fleet_ota_facts *truth =
      run->ota != NULL ? fleet_ota_facts(run->fleet, index) : NULL;
  if (truth == NULL || at < 0) return false;
  return truth->image_version == run->ota->images[at].version && !truth->ota_trial &&
         !truth->bricked;
}

static bool touches(const struct run *run, size_t image, size_t index)
{
  for (size_t r = 0; r < run->ota->rollout_count; r++)
    if (run->ota->rollouts[r].image == image &&
        rollout_touched(run->ota->rollouts[r].rollout, (uint32_t) index))
      return true;
  return false;
}

bool run_ota_is_touched(const struct run *run, size_t index, const char *image)
{
  int at = scenario_find_image(run->scenario, image);
  return run->ota != NULL && at >= 0 && touches(run, (size_t) at, index);
}

bool run_ota_is_at(const struct run *run, size_t index, const char *status)
{
  if (run->ota == NULL) return false;
  return (int) fleet_ota_facts(run->fleet, index)->ota_status ==
         device_ota_status_find(status, strlen(status));
}

bool run_ota_is_reported(const struct run *run, size_t index, const char *status)
{
  if (run->ota == NULL) return false;
  return run->ota->heard[index].status == device_ota_status_find(status, strlen(status));
}

/* --- Results ---------------------------------------------------------------------------------- */

static_assert(RESULTS_IMAGES_MAX >= 1 + SCENARIO_IMAGES_MAX, "each image has its row");
static_assert(RESULTS_WAVES_MAX >= ROLLOUT_WAVES_MAX && ROLLOUT_WAVES_MAX >= SCENARIO_WAVES_MAX,
              "so has each wave");
static_assert(RESULTS_ROLLOUTS_MAX >= SCENARIO_ROLLOUTS_MAX, "and each rollout");
static_assert(ROLLOUT_CRITERIA_MAX >= SCENARIO_ABORTS_MAX,
              "and a rollout has room for all criteria");

static void write_image(struct run *run, size_t index, struct results_image *out)
{
  const struct scenario_image *from = &run->scenario->ota.images[index];
  const struct run_image *image = &run->ota->images[index];
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
  for (size_t b = 0; (factory || image->published) && b < sizeof image->manifest.hash; b++)
    snprintf(out->hash + 2 * b, 3, "%02x", image->manifest.hash[b]);
  for (size_t i = 0; i < fleet_size(run->fleet); i++) {
    out->updated += run_ota_is_updated(run, i, from->name);
    out->touched += touches(run, index, i);
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

static void write_rollout(const struct run *run, const struct run_rollout *rollout,
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
  snprintf(out->image, sizeof out->image, "%s", run->scenario->ota.images[rollout->image].name);
  snprintf(out->state, sizeof out->state, "%s", rollout_state_name(summary.state));
  for (size_t w = 0; w < summary.wave_count; w++) out->waves[w] = wave_of(&summary.wave[w]);
  if (summary.met < 0) return;
  int status = rollout_criterion(rollout->rollout, summary.met)->status;
  snprintf(out->criterion, sizeof out->criterion, "%zu of %zu %s", summary.met_count,
           summary.met_of,
           status == ROLLOUT_ANY_FAILURE ? "failed"
                                         : device_ota_status_name((enum device_ota_status) status));
}

void run_ota_results(struct run *run)
{
  struct results_ota *out = &run->results.ota;
  if (run->ota == NULL) return;
  out->on = true;
  out->image_count = run->scenario->ota.image_count;
  out->rollout_count = run->ota->rollout_count;
  for (size_t i = 0; i < out->image_count; i++) write_image(run, i, &out->images[i]);
  for (size_t r = 0; r < out->rollout_count; r++)
    write_rollout(run, &run->ota->rollouts[r], &out->rollouts[r]);
  for (int s = 0; s < DEVICE_OTA_STATUS_COUNT; s++) {
    const struct fleet_ota_tally *tally = fleet_ota_tally(run->fleet, (enum device_ota_status) s);
    out->statuses[s].count = tally->count;
    out->statuses[s].first_count = tally->first_count;
    memcpy(out->statuses[s].first_devices, tally->first_devices, sizeof tally->first_devices);
  }
}

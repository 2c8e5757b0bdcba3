/* What devices say of their firmware updates becomes facts, metrics and events; and how new images
   behave. */
#include <assert.h>

#include "fleet/member.h"
#include "timing/model.h"

const struct fleet_ota_facts *fleet_ota_facts(const struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  return fleet->ota == NULL ? NULL : &fleet->ota[index].facts;
}

const struct fleet_ota_tally *fleet_ota_tally(const struct fleet *fleet,
                                              enum device_ota_status status)
{
  assert(status < DEVICE_OTA_STATUS_COUNT);
  return &fleet->tally[status];
}

/* --- Trials ----------------------------------------------------------------------------------- */

static enum fleet_trial trial_of(const struct member *m)
{
  const struct fleet_ota *config = &m->fleet->config.ota;
  const struct member_ota *ota = member_ota(m);
  if (ota == NULL || !ota->facts.ota_trial || config->trial == NULL) return FLEET_TRIAL_PASS;
  return config->trial(config->ctx, (size_t) (m - m->fleet->members), ota->facts.image_version);
}

bool member_hangs(const struct member *m)
{
  return trial_of(m) == FLEET_TRIAL_HANG;
}

int member_self_test(void *ctx)
{
  struct member *m = ctx;
  enum fleet_trial trial = trial_of(m);
  if (trial == FLEET_TRIAL_CRASH) {
    m->dark = true;
    m->by_policy = false;
  }
  return trial == FLEET_TRIAL_PASS ? 0 : -1;
}

/* --- Updates ---------------------------------------------------------------------------------- */

static void count(struct member *m, enum device_ota_status status)
{
  struct fleet *fleet = m->fleet;
  struct fleet_ota_tally *tally = &fleet->tally[status];
  if (tally->first_count < METRICS_FIRST_DEVICES)
    tally->first_devices[tally->first_count++] = m->facts.id;
  tally->count++;
  if (device_ota_is_refusal(status)) metrics_add(fleet->config.metrics, METRIC_OTA_REFUSED, 1);
  if (device_ota_is_rolled_back(status))
    metrics_add(fleet->config.metrics, METRIC_OTA_ROLLED_BACK, 1);
  if (status == DEVICE_OTA_CONFIRMED) metrics_add(fleet->config.metrics, METRIC_OTA_UPDATED, 1);
}

static void begin(struct member_ota *ota, uint32_t serial, uint64_t now_us)
{
  if (serial == ota->serial) return; /* it goes on, after a connection or a power cut */
  ota->serial = serial;
  ota->began_us = now_us;
  ota->staged_us = 0;
  ota->bytes = 0;
}

static void stage(struct member *m, struct member_ota *ota, uint64_t now_us)
{
  struct metrics *metrics = m->fleet->config.metrics;
  const struct timing_profile *timing = m->fleet->config.timing;
  ota->staged_us = now_us;
  metrics_record_us(metrics, METRIC_OTA_DOWNLOAD, now_us - ota->began_us);
  metrics_record_us(metrics, METRIC_OTA_DEVICE_FLASH, ota->flash_us);
  if (timing == NULL) return;
  double cycles = timing_hash(timing, ota->bytes) + timing->verify;
  metrics_record_us(metrics, METRIC_OTA_DEVICE_VERIFY, (uint64_t) timing_us(timing, cycles));
}

/* Times of the update that is under way; what is said of another one does not touch them. */
static void follow(struct member *m, struct member_ota *ota, enum device_ota_status status,
                   uint32_t serial)
{
  uint64_t now_us = fleet_clock_us(m->fleet);
  if (status == DEVICE_OTA_DOWNLOADING) begin(ota, serial, now_us);
  if (serial != ota->serial || serial == 0) return;
  if (status == DEVICE_OTA_STAGED && ota->staged_us == 0) stage(m, ota, now_us);
  if (status == DEVICE_OTA_CONFIRMED && ota->staged_us != 0)
    metrics_record_us(m->fleet->config.metrics, METRIC_OTA_APPLY, now_us - ota->staged_us);
  if (device_ota_is_under_way(status)) return;
  ota->serial = 0;
  ota->flash_us = 0;
  ota->untold = 0;
}

/* The same news twice, as after a restart, are one; what cannot be told apart by a serial counts
   each time. */
static void set_status(struct member *m, enum device_ota_status status, uint32_t serial,
                       uint32_t version)
{
  struct member_ota *ota = member_ota(m);
  struct fleet_ota_facts *facts = &ota->facts;
  if (serial != 0 && serial == facts->ota_serial && status == facts->ota_status) return;
  facts->ota_status = status;
  facts->ota_serial = serial;
  follow(m, ota, status, serial);
  count(m, status);
  member_emit(m, (struct event){.kind = EVENT_OTA, .ota = {status, serial, version}});
}

/* What the power took away before the device could say it is seen when it boots. A boot loader that
 * went back names the image that runs, so the update is the latest one that the device spoke of. */
static void on_booted(struct member *m, const struct device_note *note)
{
  struct fleet_ota_facts *facts = &member_ota(m)->facts;
  enum device_ota_status status = (enum device_ota_status) note->code;
  facts->image_version = note->version;
  facts->ota_trial = status == DEVICE_OTA_TRIAL;
  member_emit(m, (struct event){.kind = EVENT_BOOTED, .booted = {note->version, status}});
  if (facts->ota_trial) set_status(m, status, note->serial, note->version);
  if (device_ota_is_rolled_back(status)) set_status(m, status, facts->ota_serial, note->version);
  if (status == DEVICE_OTA_CONFIRMED && note->serial != 0 && note->serial == facts->ota_serial &&
      device_ota_is_under_way(facts->ota_status))
    set_status(m, status, note->serial, note->version);
}

static void on_update(struct member *m, const struct device_note *note)
{
  enum device_ota_status status = (enum device_ota_status) note->code;
  if (status == DEVICE_OTA_CONFIRMED) member_ota(m)->facts.ota_trial = false;
  if (status == DEVICE_OTA_BAD_MANIFEST) member_crossed(m);
  set_status(m, status, note->serial, note->version);
}

static void on_bytes(struct member *m, size_t size, bool again)
{
  struct metrics *metrics = m->fleet->config.metrics;
  struct member_ota *ota = member_ota(m);
  ota->untold -= size < ota->untold ? (uint32_t) size : ota->untold;
  metrics_add(metrics, METRIC_OTA_BYTES, size);
  if (again)
    metrics_add(metrics, METRIC_OTA_RESENT_BYTES, size);
  else
    ota->bytes += size;
}

void member_ota_came(struct member *m, size_t bytes)
{
  struct member_ota *ota = member_ota(m);
  if (ota != NULL && ota->facts.ota_status == DEVICE_OTA_DOWNLOADING)
    ota->untold += (uint32_t) bytes;
}

void member_ota_forget_came(struct member *m)
{
  struct member_ota *ota = member_ota(m);
  if (ota != NULL) ota->untold = 0;
}

void member_ota_lost(struct member *m)
{
  struct member_ota *ota = member_ota(m);
  if (ota != NULL && ota->untold > 0) on_bytes(m, ota->untold, true);
}

void member_ota_note(struct member *m, const struct device_note *note)
{
  if (member_ota(m) == NULL) return;
  if (note->kind == DEVICE_NOTE_BOOTED) on_booted(m, note);
  if (note->kind == DEVICE_NOTE_OTA) on_update(m, note);
  if (note->kind == DEVICE_NOTE_OTA_BYTES)
    on_bytes(m, note->payload_size, note->duplicate || member_is_dark(m));
}

void member_bricked(struct member *m)
{
  struct member_ota *ota = member_ota(m);
  if (ota == NULL || ota->facts.bricked) return;
  ota->facts.bricked = true;
  struct metrics *metrics = m->fleet->config.metrics;
  metrics_set(metrics, METRIC_OTA_BRICKED, metrics_value(metrics, METRIC_OTA_BRICKED) + 1);
}

/* What devices say of their firmware updates becomes facts, metrics and events; and how new images
   behave. */
#include "fleet/firmware.h"

#include <stdlib.h>

#include "fleet/emit.h"
#include "fleet/population.h"
#include "fleet/power.h"
#include "fleet/trespass.h"
#include "timing/model.h"

/* Of one device: its facts, and the update under way. */
struct firmware_row {
  struct fleet_ota_facts facts;
  uint32_t serial;              /* 0: none */
  uint32_t version;             /* that the update of facts.ota_serial is to bring; 0: none */
  uint64_t began_us, staged_us; /* fleet's clock; 0: not so far */
  uint64_t bytes, flash_us;     /* image bytes that were new, and modelled time of its flash */
  /* image bytes that came and that the device has not spoken of so far */
  uint32_t untold;
};

int firmware_create(struct fleet *fleet)
{
  if (fleet->config.profile->ota == NULL) return 0;
  fleet->firmware = calloc(fleet->config.device_count, sizeof *fleet->firmware);
  return fleet->firmware != NULL ? 0 : -1;
}

size_t firmware_row_bytes(void)
{
  return sizeof(struct firmware_row);
}

/* NULL where the device takes no updates. */
static struct firmware_row *update_of(const struct member *m)
{
  const struct fleet *fleet = m->fleet;
  return fleet->firmware == NULL ? NULL : &fleet->firmware[population_index(m)];
}

struct fleet_ota_facts *firmware_facts(const struct member *m)
{
  struct firmware_row *row = update_of(m);
  return row != NULL ? &row->facts : NULL;
}

void firmware_add_flash_us(struct member *m, uint64_t us)
{
  update_of(m)->flash_us += us;
}

/* --- Trials ----------------------------------------------------------------------------------- */

static enum fleet_trial trial_of(const struct member *m)
{
  const struct fleet_ota *config = &m->fleet->config.ota;
  const struct firmware_row *row = update_of(m);
  if (row == NULL || !row->facts.ota_trial || config->trial == NULL) return FLEET_TRIAL_PASS;
  return config->trial(config->ctx, population_number(m), row->facts.image_version);
}

bool firmware_hangs(const struct member *m)
{
  return trial_of(m) == FLEET_TRIAL_HANG;
}

int firmware_self_test(void *ctx)
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
  if (device_ota_is_refusal(status)) {
    m->facts.step_counted |= FLEET_IN_OTA_REFUSED;
    power_met_otherwise(m);
    metrics_add(fleet->config.metrics, METRIC_OTA_REFUSED, 1);
  }
  if (device_ota_is_rolled_back(status)) {
    m->facts.step_counted |= FLEET_IN_OTA_ROLLED_BACK;
    power_rolled_back(m);
    metrics_add(fleet->config.metrics, METRIC_OTA_ROLLED_BACK, 1);
  }
  if (status == DEVICE_OTA_CONFIRMED) metrics_add(fleet->config.metrics, METRIC_OTA_UPDATED, 1);
}

static void begin_update(struct firmware_row *row, uint32_t serial, uint64_t now_us)
{
  if (serial == row->serial) return; /* it goes on, after a connection or a power cut */
  row->serial = serial;
  row->began_us = now_us;
  row->staged_us = 0;
  row->bytes = 0;
}

static void stage(struct member *m, struct firmware_row *row, uint64_t now_us)
{
  struct metrics *metrics = m->fleet->config.metrics;
  const struct timing_profile *timing = m->fleet->config.timing;
  row->staged_us = now_us;
  metrics_record_us(metrics, METRIC_OTA_DOWNLOAD, now_us - row->began_us);
  metrics_record_us(metrics, METRIC_OTA_DEVICE_FLASH, row->flash_us);
  if (timing == NULL) return;
  double cycles = timing_hash(timing, row->bytes) + timing->verify;
  metrics_record_us(metrics, METRIC_OTA_DEVICE_VERIFY, (uint64_t) timing_us(timing, cycles));
}

/* Times of the update that is under way; what is said of another one does not touch them. */
static void follow_update(struct member *m, struct firmware_row *row, enum device_ota_status status,
                          uint32_t serial)
{
  uint64_t now_us = population_clock_us(m->fleet);
  if (status == DEVICE_OTA_DOWNLOADING) begin_update(row, serial, now_us);
  if (serial != row->serial || serial == 0) return;
  if (status == DEVICE_OTA_STAGED && row->staged_us == 0) stage(m, row, now_us);
  if (status == DEVICE_OTA_CONFIRMED && row->staged_us != 0)
    metrics_record_us(m->fleet->config.metrics, METRIC_OTA_APPLY, now_us - row->staged_us);
  if (device_ota_is_under_way(status)) return;
  row->serial = 0;
  row->flash_us = 0;
  row->untold = 0;
}

/* The same news twice, as after a restart, are one; what cannot be told apart by a serial counts
   each time. */
static void set_status(struct member *m, enum device_ota_status status, uint32_t serial,
                       uint32_t version)
{
  struct firmware_row *row = update_of(m);
  struct fleet_ota_facts *facts = &row->facts;
  if (serial != 0 && serial == facts->ota_serial && status == facts->ota_status) return;
  facts->ota_status = status;
  facts->ota_serial = serial;
  row->version = version;
  follow_update(m, row, status, serial);
  count(m, status);
  emit_event(m, (struct event){.kind = EVENT_OTA, .ota = {status, serial, version}});
}

/* What the power took away before the device could say it is seen when it boots. A boot loader that
 * went back names the image that runs, so the update is the latest one that the device spoke of. */
static void on_booted(struct member *m, const struct device_note *note)
{
  struct firmware_row *row = update_of(m);
  struct fleet_ota_facts *facts = &row->facts;
  enum device_ota_status status = (enum device_ota_status) note->code;
  uint32_t updated = row->version != 0 ? row->version : note->version;
  facts->image_version = note->version;
  facts->ota_trial = status == DEVICE_OTA_TRIAL;
  emit_change(m);
  emit_event(m, (struct event){.kind = EVENT_BOOTED, .booted = {note->version, status}});
  if (facts->ota_trial) set_status(m, status, note->serial, note->version);
  if (device_ota_is_rolled_back(status)) set_status(m, status, facts->ota_serial, updated);
  if (status == DEVICE_OTA_CONFIRMED && note->serial != 0 && note->serial == facts->ota_serial &&
      device_ota_is_under_way(facts->ota_status))
    set_status(m, status, note->serial, note->version);
}

static void on_ota(struct member *m, const struct device_note *note)
{
  enum device_ota_status status = (enum device_ota_status) note->code;
  if (status == DEVICE_OTA_CONFIRMED) update_of(m)->facts.ota_trial = false;
  emit_change(m);
  if (status == DEVICE_OTA_BAD_MANIFEST) trespass_crossed(m);
  set_status(m, status, note->serial, note->version);
}

static void on_ota_bytes(struct member *m, size_t size, bool again)
{
  struct metrics *metrics = m->fleet->config.metrics;
  struct firmware_row *row = update_of(m);
  row->untold -= size < row->untold ? (uint32_t) size : row->untold;
  metrics_add(metrics, METRIC_OTA_BYTES, size);
  if (again)
    metrics_add(metrics, METRIC_OTA_RESENT_BYTES, size);
  else
    row->bytes += size;
}

void firmware_came(struct member *m, size_t bytes)
{
  struct firmware_row *row = update_of(m);
  if (row != NULL && row->facts.ota_status == DEVICE_OTA_DOWNLOADING)
    row->untold += (uint32_t) bytes;
}

void firmware_forget_came(struct member *m)
{
  struct firmware_row *row = update_of(m);
  if (row != NULL) row->untold = 0;
}

void firmware_lost(struct member *m)
{
  struct firmware_row *row = update_of(m);
  if (row != NULL && row->untold > 0) on_ota_bytes(m, row->untold, true);
}

void firmware_note(struct member *m, const struct device_note *note)
{
  if (update_of(m) == NULL) return;
  if (note->kind == DEVICE_NOTE_BOOTED) on_booted(m, note);
  if (note->kind == DEVICE_NOTE_OTA) on_ota(m, note);
  if (note->kind == DEVICE_NOTE_OTA_BYTES)
    on_ota_bytes(m, note->payload_size, note->duplicate || m->dark);
}

void firmware_bricked(struct member *m)
{
  struct firmware_row *row = update_of(m);
  if (row == NULL || row->facts.bricked) return;
  row->facts.bricked = true;
  emit_change(m);
  struct metrics *metrics = m->fleet->config.metrics;
  metrics_set(metrics, METRIC_OTA_BRICKED, metrics_value(metrics, METRIC_OTA_BRICKED) + 1);
}

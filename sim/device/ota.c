/* The life of an update but for the download: boot, reports, restart, trial, rescue. */
#include "ota.h"
#include "text.h"

#include <string.h>

#include "bytes.h"

#define REPORT_TAG 1u /* of the device's own messages in the outbox */
/* {"status":"server_unreachable","serial":4294967295,"version":...,"running":...} */
#define REPORT_TEXT_MAX 128u
#define LEAVE_MS        2000u /* that the report of a staged image may take */

static uint64_t now_ms(const struct device_ota *ota)
{
  return ota->session->now_ms;
}

uint32_t device_ota_random_ms(const struct device_ota *ota, uint32_t most)
{
  uint8_t bytes[4];
  if (ota->host->random(ota->host->ctx, bytes, sizeof bytes) != 0) return most;
  return (uint32_t) ((uint64_t) device_get32(bytes) * (most + UINT64_C(1)) >> 32);
}

void device_ota_enter(struct device_ota *ota, enum device_ota_phase phase)
{
  ota->phase = (uint8_t) phase;
  ota->timed = false;
  ota->due_ms = DEVICE_NEVER;
}

/* Notes and reports. */

static void observe(const struct device_ota *ota, const struct device_note *note)
{
  if (ota->host->observe != NULL) ota->host->observe(ota->host->ctx, note);
}

void device_ota_note(const struct device_ota *ota)
{
  observe(ota, &(struct device_note){.kind = DEVICE_NOTE_OTA,
                                     .code = ota->record.status,
                                     .serial = ota->record.status_serial,
                                     .version = ota->record.status_version});
}

void device_ota_note_bytes(const struct device_ota *ota, size_t size, bool duplicate)
{
  observe(ota, &(struct device_note){.kind = DEVICE_NOTE_OTA_BYTES,
                                     .payload_size = size,
                                     .duplicate = duplicate,
                                     .serial = ota->manifest.serial,
                                     .version = ota->manifest.version});
}

bool device_ota_report(const struct device_ota *ota, enum device_ota_status status, uint32_t serial,
                       uint32_t version)
{
  char text[REPORT_TEXT_MAX], word[DEVICE_VERSION_TEXT];
  char *at = device_text_append(device_text_append(text, "{\"status\":\""),
                                device_ota_status_name(status));
  at = device_text_number(device_text_append(at, "\",\"serial\":"), serial);
  device_version_text(version, word);
  at = device_text_append(device_text_append(at, ",\"version\":\""), word);
  device_version_text(ota->version, word);
  at = device_text_append(device_text_append(at, "\",\"running\":\""), word);
  (void) device_text_append(at, "\"}");
  if (!device_session_acknowledge(ota->session, "ota/status", text, REPORT_TAG)) return false;
  if (ota->online) device_session_flush(ota->session);
  return true;
}

bool device_ota_reports_wait(const struct device_ota *ota)
{
  return ota->report_due || device_outbox_holds(&ota->session->outbox, REPORT_TAG);
}

static void go_on_reporting(struct device_ota *ota)
{
  const struct device_slots_record *record = &ota->record;
  if (ota->report_due)
    ota->report_due = !device_ota_report(ota, (enum device_ota_status) record->status,
                                         record->status_serial, record->status_version);
  if (!record->unreported || device_ota_reports_wait(ota)) return;
  ota->record.unreported = false;
  /* failed: it is reported once more after a restart */
  (void) device_slots_write(ota->host, record);
}

void device_ota_settle(struct device_ota *ota, enum device_ota_status status)
{
  device_ota_download_stop(ota);
  device_slots_settle(&ota->record, status);
  /* failed: a restart takes the update up again */
  (void) device_slots_write(ota->host, &ota->record);
  device_ota_enter(ota, DEVICE_OTA_IDLE);
  ota->report_due = true;
  device_ota_note(ota);
}

/* Boot. */

/* What was under way when the power went. */
static void take_up(struct device_ota *ota)
{
  if (ota->record.stage == DEVICE_SLOTS_AT_REST) return;
  if (device_manifest_parse(ota->record.manifest, ota->record.manifest_size, &ota->manifest) !=
          DEVICE_OTA_NONE ||
      device_ota_download_resume(ota) != 0)
    device_ota_settle(ota, DEVICE_OTA_FLASH_FAILED);
}

enum device_failure device_ota_boot(struct device_ota *ota, const struct device_profile *profile,
                                    const struct device_host *host, struct device_session *session,
                                    struct device_slots_choice *choice)
{
  *ota = (struct device_ota){.profile = profile->ota, .host = host, .session = session};
  device_ota_enter(ota, DEVICE_OTA_IDLE);
  enum device_failure failure = device_slots_boot(host, profile->ota, &ota->record, choice);
  if (failure != DEVICE_FAIL_NONE) return failure;
  const struct device_image_info *image = &choice->image;
  ota->slot = choice->slot;
  ota->version = image->version;
  ota->counter = image->counter > ota->record.counter ? image->counter : ota->record.counter;
  ota->serial = choice->trial ? ota->record.serial : ota->record.active_serial;
  memcpy(ota->hash, image->hash, sizeof ota->hash);
  observe(ota, &(struct device_note){.kind = DEVICE_NOTE_BOOTED,
                                     .code = (uint8_t) choice->code,
                                     .version = ota->version,
                                     .serial = ota->serial});
  if (choice->news || ota->record.unreported) device_ota_note(ota);
  ota->report_due = ota->record.unreported;
  if (choice->trial)
    device_ota_enter(ota, DEVICE_OTA_TRYING);
  else
    take_up(ota);
  return DEVICE_FAIL_NONE;
}

void device_ota_end(struct device_ota *ota)
{
  device_ota_download_stop(ota);
}

/* The connection. */

void device_ota_online(struct device_ota *ota)
{
  ota->online = true;
  ota->failures = 0;
}

void device_ota_ready(struct device_ota *ota)
{
  ota->ready = true;
  if (ota->phase == DEVICE_OTA_ASKING) device_ota_hold_back(ota);
}

void device_ota_offline(struct device_ota *ota, bool failed, size_t partial)
{
  ota->online = ota->ready = false;
  ota->asked = 0;
  if (ota->phase == DEVICE_OTA_ASKING && partial > 0)
    device_ota_note_bytes(
        ota, partial < ota->manifest.block_size ? partial : ota->manifest.block_size, true);
  if (!failed || ota->failures == UINT8_MAX) return;
  ota->failures++;
  if (ota->failures == ota->profile->rescue_after && now_ms(ota) >= ota->rescue_ms)
    ota->rescue_ms = now_ms(ota) + device_ota_random_ms(ota, ota->profile->block_timeout_ms);
}

int device_ota_deliver(struct device_ota *ota, const struct device_mqtt_publish *message)
{
  if (device_session_topic_is(ota->session, message, "ota/block"))
    return device_ota_block(ota, message->payload, message->payload_size);
  if (!device_session_topic_is(ota->session, message, "ota/manifest")) return 0;
  /* how a retained message is taken back: it announces nothing */
  if (message->payload_size == 0) return 0;
  return device_ota_manifest(ota, message->payload, message->payload_size, true);
}

/* The rescue: a manifest from a place that needs no broker. */

/* Not while an update gets on; one that waits for blocks over MQTT does not. */
static bool rescue_wanted(const struct device_ota *ota)
{
  const struct device_ota_profile *profile = ota->profile;
  bool stands_still =
      ota->phase == DEVICE_OTA_IDLE || (ota->phase == DEVICE_OTA_ASKING && !ota->online);
  return stands_still && profile->rescue_after > 0 && profile->rescue_url != NULL &&
         ota->failures >= profile->rescue_after;
}

static void look_for_rescue(struct device_ota *ota)
{
  device_ota_enter(ota, DEVICE_OTA_RESCUING);
  ota->fetch =
      (struct device_fetch){.url = ota->profile->rescue_url, .size_max = DEVICE_MANIFEST_MAX};
  ota->held = 0;
  ota->fetching = ota->begin_fetch = true;
  ota->rescue_ms = now_ms(ota) + ota->profile->block_timeout_ms +
                   device_ota_random_ms(ota, ota->profile->block_timeout_ms);
}

/* More than a manifest has: what does not parse says so. */
static void rescue_bytes(struct device_ota *ota, const uint8_t *data, size_t size)
{
  size_t room = DEVICE_MANIFEST_MAX + 1u - ota->held;
  size_t n = size < room ? size : room;
  memcpy(ota->block + ota->held, data, n);
  ota->held = (uint16_t) (ota->held + n);
}

static void rescue_ended(struct device_ota *ota, enum device_ota_status cause)
{
  if (ota->record.stage == DEVICE_SLOTS_LOADING)
    device_ota_download_go_on(ota);
  else
    device_ota_enter(ota, DEVICE_OTA_IDLE);
  if (cause == DEVICE_OTA_NONE) (void) device_ota_manifest(ota, ota->block, ota->held, false);
}

void device_ota_fetched(struct device_ota *ota, const uint8_t *data, size_t size)
{
  if (!ota->fetching) return;
  if (ota->phase == DEVICE_OTA_RESCUING)
    rescue_bytes(ota, data, size);
  else
    device_ota_file(ota, data, size);
}

void device_ota_fetch_ended(struct device_ota *ota, enum device_ota_status cause)
{
  if (!ota->fetching) return;
  ota->fetching = false;
  if (ota->phase == DEVICE_OTA_RESCUING)
    rescue_ended(ota, cause);
  else
    device_ota_file_ended(ota, cause);
}

/* The restart and the trial. */

/* What is in the outbox would be lost: the application's messages too have a moment to get out. */
static void leave_for_restart(struct device_ota *ota)
{
  if (!ota->timed) ota->due_ms = now_ms(ota) + LEAVE_MS;
  ota->timed = true;
  bool waits = device_ota_reports_wait(ota) || ota->session->outbox.count > 0;
  if (ota->online && waits && now_ms(ota) < ota->due_ms) return;
  device_ota_enter(ota, DEVICE_OTA_RESTARTING);
}

static void confirm(struct device_ota *ota)
{
  struct device_slots_record confirmed = ota->record;
  device_slots_settle(&confirmed, DEVICE_OTA_CONFIRMED);
  confirmed.active = ota->slot;
  confirmed.active_serial = ota->serial;
  confirmed.counter = ota->counter;
  /* tries again until the trial's time is over */
  if (device_slots_write(ota->host, &confirmed) != 0) return;
  ota->record = confirmed;
  device_ota_enter(ota, DEVICE_OTA_IDLE);
  ota->report_due = true;
  device_ota_note(ota);
}

/* The boot loader learns why; the image that fails has no say in what becomes of it. */
static void fail_update(struct device_ota *ota)
{
  ota->record.stage = DEVICE_SLOTS_FAILED;
  (void) device_slots_write(ota->host, &ota->record); /* failed: it goes back as not confirmed */
  device_ota_enter(ota, DEVICE_OTA_RESTARTING);
}

static void try_out(struct device_ota *ota)
{
  const struct device_host *host = ota->host;
  if (!ota->timed) ota->due_ms = now_ms(ota) + ota->profile->trial_timeout_ms;
  ota->timed = true;
  if (ota->ready) {
    if (host->self_test != NULL && host->self_test(host->ctx) != 0)
      fail_update(ota);
    else
      confirm(ota);
  }
  if (ota->phase == DEVICE_OTA_TRYING && now_ms(ota) >= ota->due_ms)
    device_ota_enter(ota, DEVICE_OTA_RESTARTING);
}

void device_ota_go_on(struct device_ota *ota, struct device_effects *effects)
{
  static void (*const work[DEVICE_OTA_PHASES])(struct device_ota *) = {
      [DEVICE_OTA_ERASING] = device_ota_erase,  [DEVICE_OTA_ASKING] = device_ota_ask,
      [DEVICE_OTA_FETCHING] = device_ota_fetch, [DEVICE_OTA_CHECKING] = device_ota_check,
      [DEVICE_OTA_LEAVING] = leave_for_restart, [DEVICE_OTA_TRYING] = try_out,
  };
  if (rescue_wanted(ota) && now_ms(ota) >= ota->rescue_ms) look_for_rescue(ota);
  uint8_t before = ota->phase;
  if (work[before] != NULL) work[before](ota);
  go_on_reporting(ota);
  effects->reboot = before != DEVICE_OTA_RESTARTING && ota->phase == DEVICE_OTA_RESTARTING;
  effects->fetch_abort = ota->abort_fetch && !ota->begin_fetch;
  effects->fetch = ota->begin_fetch ? &ota->fetch : NULL;
  ota->abort_fetch = ota->begin_fetch = false;
}

uint64_t device_ota_deadline(const struct device_ota *ota)
{
  switch ((enum device_ota_phase) ota->phase) {
  case DEVICE_OTA_IDLE:
  case DEVICE_OTA_ASKING: return rescue_wanted(ota) ? ota->rescue_ms : ota->due_ms;
  case DEVICE_OTA_ERASING:
  case DEVICE_OTA_CHECKING: return now_ms(ota);
  case DEVICE_OTA_FETCHING:
  case DEVICE_OTA_LEAVING:
  case DEVICE_OTA_TRYING: return ota->timed ? ota->due_ms : now_ms(ota);
  default: return ota->due_ms;
  }
}

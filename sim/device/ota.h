/* The update client: from a manifest to a confirmed image, across lost connections, restarts and
 * power cuts.
 *
 *     manifest (ota/manifest, or from the rescue URL)
 *     -> checks -> slot erased, a sector per step
 *     -> blocks over MQTT, or a file over HTTPS, hashed as it grows
 *     -> verified -> staged -> restart -> trial -> online and self-test -> confirmed
 *
 * One update at a time. What must survive the power is in NVM and in the slot's last sector
 * (slots.h); the rest is in struct device_ota, which exists only in devices whose profile has
 * `ota`. A higher serial takes the place of a download that is under way. A manifest that was
 * accepted once is not handled again: it is answered with how it stands.
 *
 * The client (client.c) calls in after each event; everything runs inside device_platform_enter.
 * Notes of kind OTA may come twice for one status of one serial, when the power goes before the
 * back office has heard of it.
 */
#ifndef FLEETSIM_DEVICE_OTA_H
#define FLEETSIM_DEVICE_OTA_H

#include "session.h"
#include "slots.h"

enum device_ota_phase {
  DEVICE_OTA_IDLE,
  DEVICE_OTA_ERASING,
  DEVICE_OTA_ASKING,     /* blocks over MQTT */
  DEVICE_OTA_FETCHING,   /* a file over HTTPS */
  DEVICE_OTA_CHECKING,   /* all of it is here */
  DEVICE_OTA_LEAVING,    /* staged; the report has a moment to get out */
  DEVICE_OTA_TRYING,     /* the image that runs is on its trial */
  DEVICE_OTA_RESTARTING, /* the body was asked for a restart */
  DEVICE_OTA_RESCUING,   /* fetches a manifest from the rescue URL */
  DEVICE_OTA_PHASES
};

struct device_ota {
  const struct device_ota_profile *profile;
  const struct device_host *host;
  struct device_session *session;
  struct device_slots_record record; /* as NVM has it */
  struct device_manifest manifest;   /* of the update under way */
  uint32_t version, counter, serial; /* of the image that runs */
  uint8_t hash[32];
  uint8_t slot; /* that it runs from */
  uint8_t phase;
  uint8_t attempts; /* in a row without a new block */
  uint8_t failures; /* connection attempts in a row without CONNACK */
  bool online;      /* CONNACK came */
  bool ready;       /* subscribed */
  bool report_due;  /* record.status is to be queued for the back office */
  bool timed;       /* due_ms is set for this phase */
  uint64_t due_ms;
  uint64_t rescue_ms; /* not before */

  /* the download */
  uint32_t blocks, missing;
  uint32_t first; /* the first that is missing; = blocks: none */
  uint32_t asked; /* bit i: block first + i was asked for */
  /* nothing is asked for before: what was, over an earlier connection, may still come */
  uint64_t ask_from_ms;
  uint32_t erased;
  uint8_t have[DEVICE_SLOTS_BLOCKS / 8];
  bool hashing;
  struct device_image_check check;

  /* HTTPS */
  struct device_fetch fetch;
  bool fetching; /* between the effect and its end */
  bool begin_fetch, abort_fetch;
  uint16_t held;     /* bytes in `block` */
  uint32_t fetch_at; /* of the file: bytes that came, and went */
  uint8_t block[DEVICE_OTA_BLOCK_MAX];
};
_Static_assert(sizeof(struct device_ota) <= 4096,
               "an update costs a device no more than 4 KiB of RAM");

/* Boots: chooses the image, and takes up what NVM says was under way. `choice` receives what was
 * chosen. NONE, or why the device cannot start; then nothing must be released. */
enum device_failure device_ota_boot(struct device_ota *ota, const struct device_profile *profile,
                                    const struct device_host *host, struct device_session *session,
                                    struct device_slots_choice *choice);

/* Power off. */
void device_ota_end(struct device_ota *ota);

/* Of the connection: CONNACK, READY, its end. `partial` is how many bytes of a message had come. */
void device_ota_online(struct device_ota *ota);
void device_ota_ready(struct device_ota *ota);
void device_ota_offline(struct device_ota *ota, bool failed, size_t partial);

/* Handles a message of ota/manifest or ota/block: 1, 0: it is neither, or says nothing, -1: the
 * answer did not fit, it must come again. */
int device_ota_deliver(struct device_ota *ota, const struct device_mqtt_publish *message);

/* DEVICE_FETCHED and DEVICE_FETCH_ENDED. */
void device_ota_fetched(struct device_ota *ota, const uint8_t *data, size_t size);
void device_ota_fetch_ended(struct device_ota *ota, enum device_ota_status cause);

/* A slice of whatever is to be done; sets effects->fetch, fetch_abort, reboot. Once at the end of
   each step. */
void device_ota_go_on(struct device_ota *ota, struct device_effects *effects);

/* When it wants to be stepped again: a time that is past is as soon as possible. */
uint64_t device_ota_deadline(const struct device_ota *ota);

/* --- Between the files of the update client --------------------------------------------------- */

/* Tells the observer where the update of record.status stands. */
void device_ota_note(const struct device_ota *ota);

/* Bytes of an image that came. */
void device_ota_note_bytes(const struct device_ota *ota, size_t size, bool duplicate);

void device_ota_enter(struct device_ota *ota, enum device_ota_phase phase);

/* The update is over: gives up the slot, notes, reports. */
void device_ota_settle(struct device_ota *ota, enum device_ota_status status);

/* ota_manifest.c: `by_mqtt`: there is somebody to answer. As device_ota_deliver. */
int device_ota_manifest(struct device_ota *ota, const uint8_t *data, size_t size, bool by_mqtt);

/* Queues the words on ota/status; false: it does not fit. */
bool device_ota_report(const struct device_ota *ota, enum device_ota_status status, uint32_t serial,
                       uint32_t version);

/* The broker has not confirmed all reports. */
bool device_ota_reports_wait(const struct device_ota *ota);

/* ota_download.c: the phases from ERASING to CHECKING. */
/* from the start: record.stage is ERASING */
void device_ota_download_begin(struct device_ota *ota);
int device_ota_download_resume(struct device_ota *ota); /* after a restart; -1: it cannot be */
/* by what it has: record.stage is LOADING */
void device_ota_download_go_on(struct device_ota *ota);
/* forgets it; the slot's content means nothing */
void device_ota_download_stop(struct device_ota *ota);
void device_ota_erase(struct device_ota *ota);
void device_ota_ask(struct device_ota *ota);
void device_ota_fetch(struct device_ota *ota);
void device_ota_check(struct device_ota *ota);
/* False: it is of no update that wants blocks. */
bool device_ota_block(struct device_ota *ota, const uint8_t *data, size_t size);
/* the connection is another one than the blocks were asked for on */
void device_ota_hold_back(struct device_ota *ota);
void device_ota_file(struct device_ota *ota, const uint8_t *data, size_t size);
void device_ota_file_ended(struct device_ota *ota, enum device_ota_status cause);

/* rand(0, most) milliseconds. */
uint32_t device_ota_random_ms(const struct device_ota *ota, uint32_t most);

#endif

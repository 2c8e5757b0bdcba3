/* The back office: an independent MQTT client (paho.mqtt.c on OpenSSL, its own threads) that pushes
 * trust bundles and certificates, collects acknowledgements, and counts telemetry by sequence
 * number: the second opinion on what the devices say.
 *
 * Telemetry is as base/payload.h or a text of base/payload_text.h has it. What carries another mark, as a message that waited at the
 * broker for the operator of an earlier run does, is counted and no more; and so is what is not as
 * it was sent.
 *
 * Firmware updates (fleetsim/ota.h): requests for blocks wait in a book of fixed size
 * (office/blocks.h) until the caller answers them, reports of devices are events.
 *
 * Thread rule: all functions are called from one thread (the loop's). paho's threads only put
 * things into queues and counters under one lock, and call `wake`.
 */
#ifndef FLEETSIM_OFFICE_H
#define FLEETSIM_OFFICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ledger.h"
#include "base/login.h"
#include "base/names.h"
#include "base/payload_text.h"
#include "fleetsim/failure.h"
#include "net/permit.h"
#include "office/blocks.h"
#include "office/diagnose.h"

#define OFFICE_OTHERS_MAX  3
#define OFFICE_PENDING_MAX 100000u /* most messages that wait for the broker */

struct office;

struct office_server {
  const char *host;
  uint16_t port;
};

/* Copied by office_start; what it points to must outlive the operator. */
struct office_config {
  const char *host; /* verified name, and where to connect */
  /* the broker's name where that is another: paho verifies the chain and no name then */
  const char *server_name;
  const char *alpn; /* the one protocol to offer in TLS (RFC 7301); NULL: none */
  uint16_t port;
  /* read by office_start only; tried in this order whenever the first one cannot be reached */
  const struct office_server *others;
  size_t other_count;          /* up to OFFICE_OTHERS_MAX */
  const struct permit *permit; /* where may be sent, by address too; NULL: loopback only */
  uint16_t keep_alive_s;       /* 0: 20 */
  const char *client_id;       /* NULL: "operator"; two runs on one remote broker need two names */
  const char *ca_path, *certificate_path, *key_path; /* the last two NULL: it shows none */
  struct login login;
  size_t device_count;
  const struct names *names; /* of these devices; outlives the operator */
  /* of this run, and of its clones, in all of their telemetry; the run's is not 0. What the texts
     point to outlives the operator */
  struct payload_texts telemetry;
  bool unnumbered;                 /* telemetry does not tell which message it is: it is counted */
  int64_t began_unix_ms;           /* when the run's clock was 0 */
  uint64_t (*now_us)(void *clock); /* the run's clock; called from any thread */
  void *clock;
  void (*wake)(void *ctx); /* something to collect, or blocks to answer; called from any thread */
  void *ctx;
  /* the broker may hold the session of an operator of an earlier run: it is ended first */
  bool earlier;
  bool new_fleet; /* nobody but this run knows its certificates: for the sentence of a refusal */
  bool ota;       /* devices take firmware updates */
  bool trespass;  /* devices will try each other's topics */
};

/* One thing that happened, handed out by office_collect. */
enum office_event_kind {
  OFFICE_CONNECTED,
  /* connection lost; it reconnects by itself; `code` OFFICE_TAKEN_OVER: another client seems to come
     as the operator, as the broker has ended several connections soon after it let it in */
  OFFICE_LOST,
  OFFICE_FAILED, /* a connection attempt failed; office_failure says why; it tries again */
  /* device `index`: `version` in force, `code` a device_update, `of` the CRC-32 of what it answers,
     0: none was given */
  OFFICE_TRUST_ACK,
  OFFICE_IDENTITY_ACK, /* device `index`: `code` a device_update, and `of` */
  /* device `index`: `code` a device_ota_status of the update `serial`, which was to bring
     `version`; `running` runs */
  OFFICE_OTA_STATUS,
  OFFICE_MESSAGE, /* any other message on a topic of a device: `topic`, text payload */
};

#define OFFICE_TAKEN_OVER        0x8e /* as MQTT 5 calls it */
#define OFFICE_MAY_BE_TAKEN_OVER 1    /* or it was restarted again */

struct office_event {
  enum office_event_kind kind;
  size_t index; /* of the device in `names`; SIZE_MAX when the topic is of no device of the fleet */
  uint32_t version, serial, running, of;
  uint8_t code;
  char topic[NAMES_TOPIC_MAX];
  char below[32]; /* MESSAGE of a device: what its topic is behind ROOT; "telemetry" */
  char text[160];
};

/* Telemetry as received, summed over the fleet. */
struct office_tally {
  uint64_t delivered;  /* distinct sequence numbers */
  uint64_t duplicated; /* received again; from a clone: after its device */
  /* messages on such topics of no device of the fleet, or that make no sense */
  uint64_t strangers;
  uint64_t altered; /* telemetry of this run that is not as it was sent */
  /* config.unnumbered: all telemetry that the broker had not retained, and nothing of it counts
     elsewhere */
  uint64_t unnumbered;
  /* telemetry of another run, and whatever else the broker had retained: not of this run */
  uint64_t foreign;
  uint64_t of_clones; /* telemetry of this run's clones */
  uint64_t beyond;    /* sequence numbers above LEDGER_MAX, which are not told apart */
  /* events that were not collected in time and are gone; 0 in a sound run */
  uint64_t dropped;
  uint64_t block_requests; /* for blocks of images */
  uint64_t blocks_dropped; /* asked for, and given up for a later request of the same device */
};

/* Connects in the background: MQTT 3.1.1, QoS 1, persistent session. With config.earlier it begins
 * by ending what session there is, by a connection of its own (a second or two): what gathered
 * there was for another run. Subscribes to every device's telemetry and ROOTtrust/ack, cert/ack and
 * status, with config.ota to ota/status and (QoS 0) ota/get, with config.trespass to csr, by filters
 * with '+' where devices differ. A connection that is lost or fails is tried again every second for
 * as long as the operator lives. */
int office_start(const struct office_config *config, struct office **out, struct error *error);

/* Unsubscribes, so that the session that stays at the broker gathers nothing, disconnects (at most
   2 s) and frees. */
void office_stop(struct office *op);

bool office_connected(struct office *op);

/* Why the latest attempt to connect failed. */
struct office_failure {
  enum device_failure failure; /* NONE where no device has a name for it */
  bool final;                  /* trying again will not help as things stand */
  char text[DIAGNOSE_TEXT_MAX];
};
void office_failure(struct office *op, struct office_failure *out);

/* Back to the first server, which can be reached again and has kept what was meant for the
 * operator: where it is now it unsubscribes, so that no copy gathers there. True once it is
 * connected to the first server. */
void office_return(struct office *op);
bool office_is_home(struct office *op);

/* Publishes to the device's ROOT`suffix` with QoS 1. Kept and sent after a reconnect; at most
 * OFFICE_PENDING_MAX wait. What was not acknowledged when a connection was lost is sent again: a
 * device may get it twice. */
int office_push(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error);

/* The same with QoS 0: what a broken connection loses is gone. So a block of an image is sent, to
   ota/block: what did not come is asked for again. */
int office_send(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error);

/* As office_push, and the broker keeps it (MQTT: retained) for a device whose session has ended, as one
 * that was switched off may have: it gets the message when it subscribes again. One is kept per
 * topic, the latest; of size 0: none. */
int office_keep(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error);

/* Messages pushed and not yet acknowledged by the broker. */
size_t office_pending(struct office *op);

/* Blocks of images. How many may be sent now: few are under way at a time, so that a fleet that
 * asks for everything at once does not fill this machine's memory. 0: wait for `wake`. */
size_t office_block_room(struct office *op);

/* Takes the next block that a device waits for; false: nobody waits. */
bool office_next_block(struct office *op, struct blocks_want *out);

/* Takes the oldest event; false: none is left. */
bool office_collect(struct office *op, struct office_event *out);

void office_tally(struct office *op, struct office_tally *out);

/* Distinct telemetry of device `index` with sequence numbers 1..last that has not arrived. */
uint64_t office_missing(struct office *op, size_t index, uint64_t last);

/* Whether telemetry of device `index` with this sequence number has arrived; how many of these
   numbers have not. */
bool office_has(struct office *op, size_t index, uint64_t sequence);
uint64_t office_lacks(struct office *op, size_t index, const struct ledger *of);

/* Hands out latencies (publish to arrival at the operator, microseconds) gathered since the last
 * call, at most `capacity`; returns how many. More than 65,536 between two calls are counted in
 * `*skipped`. */
size_t office_latencies(struct office *op, uint32_t *out_us, size_t capacity, uint64_t *skipped);

#endif

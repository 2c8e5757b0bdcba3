/* The population: thousands of devices behind include/fleetsim/device.h, each with its connection,
 * clock and plan.
 *
 * The plan says which devices should be online and when each attempt is meant to start (open loop:
 * the fleet never slows down because the broker does). The fleet opens transports, feeds events,
 * applies effects, tries again by the reconnect policy, and keeps facts per device that gates are
 * decided by. Everything runs on the backend's thread.
 *
 * An attempt or session that fails sends the device to the next place of its list, unless the
 * broker said "later" (then the same again) or named another server (then that one, if it is on the
 * list: a broker cannot lead a device away).
 *
 * Accounting: every START is an attempt; it ends as ok (CONNACK) or as one named failure, or is
 * still open.
 */
#ifndef FLEETSIM_FLEET_H
#define FLEETSIM_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/ledger.h"
#include "fleet/backoff.h"
#include "fleet/recovery.h"
#include "fleetsim/device.h"
#include "net/backend.h"
#include "net/fault.h"
#include "report/events.h"
#include "report/metrics.h"
#include "timing/profile.h"

#define FLEET_ROOTS_MAX    8
#define FLEET_POLICIES_MAX 32 /* reconnect policies in force at once */

#define FLEET_PLACES_MAX    4
#define FLEET_ADDRESSES_MAX 4
#define FLEET_NODES_MAX     8 /* brokers that a fact may name */

/* Where the plan sends a device: to the next place of the device's own list, or to the second
   listener. */
enum fleet_endpoint { FLEET_MAIN, FLEET_PROVE };

/* The order in which a device goes through the places: as they stand, or each device in one of its
   own. */
enum fleet_endpoints { FLEET_ORDERED, FLEET_SHUFFLED };

struct fleet_address {
  struct sockaddr_storage at;
  int8_t node; /* which of the run's brokers that is: becomes a fact */
};

/* A name that devices connect to and verify, and where it leads at present. */
struct fleet_place {
  const char *host;                                  /* outlives the fleet */
  struct fleet_address address[FLEET_ADDRESSES_MAX]; /* of several an attempt takes one at random */
  size_t address_count;                              /* 0: the name is not found */
  uint32_t delay_ms;                                 /* the answer to the name takes so long */
};

struct fleet;
struct flash;
struct fetch;

/* What an image does in its trial, once it is online; a hanging one never gets there. */
enum fleet_trial {
  FLEET_TRIAL_PASS,
  FLEET_TRIAL_FAIL,  /* its self-test fails */
  FLEET_TRIAL_CRASH, /* it restarts in the middle of its self-test */
  FLEET_TRIAL_HANG,  /* it begins no attempt to connect; its watchdog goes on */
};

/* Firmware updates: what devices need whose profile has `ota`. `fetch` is for the others too. All of
   it outlives the fleet. */
struct fleet_ota {
  /* image slots of device_count devices, the factory's image in slot 0: fleet/flash.h */
  struct flash *flash;
  /* downloads over HTTPS, of images and of what else a client asks for: net/fetch.h; NULL: each ends
     as server_unreachable */
  struct fetch *fetch;
  /* NULL: every image passes */
  enum fleet_trial (*trial)(void *ctx, size_t index, uint32_t version);
  void *ctx;
};

struct fleet_config {
  struct backend *backend;
  uint32_t mark; /* of the run: the first four bytes of telemetry (office/office.h) */
  /* backend_now_us when the run began: fleet_clock_us, and so t of events, counts from there */
  uint64_t began_us;
  const struct device_ops *ops;
  const struct device_profile *profile;
  struct fleet_place place[FLEET_PLACES_MAX]; /* the device's endpoints */
  size_t place_count;
  enum fleet_endpoints endpoints;
  struct fleet_place prove; /* its host is NULL: there is none */
  size_t device_count;
  uint8_t *(*page)(void *pages, size_t index); /* the device's NVM page of page_size bytes */
  size_t page_size;
  uint32_t (*id)(void *pages, size_t index);
  void *pages;
  /* what DEVICE_NOTE_HANDSHAKE calls the roots, in the plan's order */
  uint8_t anchor_id[FLEET_ROOTS_MAX][32];
  size_t root_count;
  /* Bit r: the chain (format of sim/device/identity.h) of device `index` leads to root r. Asked
   * after each full handshake in which a device sent its chain. NULL: nobody wants to know;
   * facts.identified stays 0. */
  uint16_t (*roots_of)(void *ctx, size_t index, const uint8_t *chain, size_t size);
  void *roots_ctx;
  size_t source_addresses;             /* 127.0.0.1.. ; 0: the system chooses */
  struct backoff_policy reconnect;     /* until fleet_set_reconnect says otherwise */
  const struct timing_profile *timing; /* the devices' processor; NULL: no time is modelled */
  /* with `timing`: a device's effects wait until that processor would be done */
  bool pace;
  struct fleet_ota ota;
  uint64_t seed;
  struct metrics *metrics;
  struct events *events;
};

struct fleet_telemetry {
  bool on;
  uint64_t every_ms;
  uint32_t bytes; /* 16 or more: mark of the run, sequence number, send time, padding */
  uint8_t qos;
};

/* What is known of one device. `phase` facts are cleared by fleet_begin_phase. */
struct fleet_facts {
  uint32_t id;
  uint32_t trust_version; /* in force, by the device's own word */
  /* CRC-32 of the bundle that it was sent and put, or had, in force last; 0: none so far */
  uint32_t trust_of;
  uint32_t connects; /* CONNACKs at the main endpoint so far */
  /* taken, and so the highest sequence number; answered with good */
  uint32_t telemetry_sent, telemetry_acked;
  /* bit r: it accepted a chain ending at root r in a full handshake and got CONNACK */
  uint16_t proven;
  /* bit r: the broker of its latest session accepted a chain of its own that leads to root r: a full
     handshake in which it sent that chain ended in CONNACK, or the session resumes such a one */
  uint16_t identified;
  int8_t node; /* the broker that it dialled last, -1: none yet */
  /* number (leaves.h) of the broker's certificate that it accepted last in a full handshake and
     CONNACK at the main endpoint; LEAVES_NONE: of none */
  uint8_t leaf;
  enum device_failure last_failure : 8;
  /* phase: a failed attempt's reason; verdicts on certificates go first */
  enum device_failure phase_failure : 8;
  /* fleet_prove: outcome so far; NONE: accepted, STOPPED: no attempt ended */
  enum device_failure proof : 8;
  bool proof_pending : 1;
  bool phase_connected : 1; /* phase: got a CONNACK at the main endpoint */
  bool wanted : 1;          /* the plan wants it online */
  bool shelved : 1;         /* switched off by the plan */
  bool online : 1;          /* CONNACK received, session alive, at the main endpoint */
  bool powered : 1;
  bool dead : 1; /* its NVM could not be booted */
  bool ever_online : 1;
  bool resumed : 1; /* its latest handshake was resumed */
  bool revoked : 1; /* the CRL published last names it */
};
_Static_assert(DEVICE_FAIL_COUNT <= 256, "a failure is kept in eight bits");

/* Resident memory of one connected device, about: its own parts, and what libuv and the TLS library
   allocate for it. */
size_t fleet_bytes_per_device(const struct device_ops *ops, const struct device_profile *profile);

int fleet_create(const struct fleet_config *config, struct fleet **out, struct error *error);

/* Powers everything off without a word to the broker; `closed` runs when the memory may go (it is
   freed). */
void fleet_close(struct fleet *fleet, void (*closed)(void *ctx), void *ctx);

/* Device indices in the seed's shuffled order: shares and waves are prefixes of it. */
const uint32_t *fleet_order(const struct fleet *fleet);
size_t fleet_size(const struct fleet *fleet);
const struct fleet_facts *fleet_facts(const struct fleet *fleet, size_t index);

/* Plans. `devices` is a list of indices; times of start are spread at `rate` per second (0: all
   now). */
void fleet_connect(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                   bool poisson);

/* Ends live sessions in an orderly way and connects again at once, each at its planned time. */
void fleet_redial(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                  bool full_handshake);

/* As fleet_redial, and whoever is trying now stops at once: nobody does anything before his planned
   time. */
void fleet_recall(struct fleet *fleet, const uint32_t *devices, size_t count, double rate);

/* One full handshake per device at the prove endpoint up to CONNACK, then back to the main one. The
 * facts `proof` hold the outcome. A failure that is no verdict on a certificate is tried again by
 * the reconnect policy. */
void fleet_prove(struct fleet *fleet, const uint32_t *devices, size_t count, double rate);

/* Sends devices whose proof is still pending back to the main endpoint. */
void fleet_end_proofs(struct fleet *fleet);

/* Switches off: waits (at most 5 s) until its telemetry is acknowledged, DISCONNECT, power off. */
void fleet_shelve(struct fleet *fleet, const uint32_t *devices, size_t count);
/* Switches shelved devices on again (from NVM, with empty RAM) and connects. */
void fleet_wake(struct fleet *fleet, const uint32_t *devices, size_t count, double rate);

/* Lets these devices try again by `policy`, from their next delay on. -1: FLEET_POLICIES_MAX others
   are in force. */
int fleet_set_reconnect(struct fleet *fleet, const uint32_t *devices, size_t count,
                        const struct backoff_policy *policy);

/* Breaks connections off without a word to either side, as a network does: each is a session or an
 * attempt that was reset, and the device tries again by its reconnect policy. */
void fleet_cut(struct fleet *fleet, const uint32_t *devices, size_t count);

/* From here on only this part (above 0; 1: all) of the attempts that are due begins; the others are
 * put off by one turn each (brake.c) and counted in brake.held. */
void fleet_brake(struct fleet *fleet, double rate);

/* The outage under way counts as over, although not everybody is back; the next one begins when all
   have been. */
void fleet_close_outage(struct fleet *fleet);

/* The outage that is under way or the latest one, and the one with the most devices offline (of
   equals the latest). */
const struct recovery *fleet_outage(const struct fleet *fleet);
const struct recovery *fleet_deepest_outage(const struct fleet *fleet);

/* Sessions end with DISCONNECT and are not opened again: the orderly end of a run. */
void fleet_disconnect_all(struct fleet *fleet);

void fleet_set_telemetry(struct fleet *fleet, const struct fleet_telemetry *telemetry);

/* One telemetry message of `bytes` (as fleet_set_telemetry has them) from this device now, beside
 * its plan. False: the device cannot take it (offline, outbox full, forbidden by the broker), its
 * connection has more than 16 KiB to send already, or there is no memory to be answerable for
 * it. */
bool fleet_publish(struct fleet *fleet, size_t index, uint32_t bytes, uint8_t qos);

/* Telemetry that the device is answerable for: taken and not acknowledged. Writes the sequence
 * numbers, in no order; returns how many. */
#define FLEET_UNACKED_MAX 16u
size_t fleet_unacked(const struct fleet *fleet, size_t index, uint32_t out[FLEET_UNACKED_MAX]);

/* What became of a device's telemetry, as far as the device knows. */
struct fleet_books {
  uint32_t given; /* sequence numbers: 1..given */
  /* of these, never sent: a broker's CONNACK forbids their QoS or size */
  uint32_t declined;
  uint32_t refused;   /* sent, and a broker refused them by reason code */
  uint64_t forgotten; /* by the device, in its restarts: fleet_forgotten */
  /* neither that, nor acknowledged or forgotten: the device holds them */
  uint32_t open;
  /* those that a broker acknowledged (at QoS 0 none does); valid until the loop turns */
  const struct ledger *acked;
};
void fleet_books(const struct fleet *fleet, size_t index, struct fleet_books *out);

/* Telemetry that devices were answerable for when they restarted: their memory is empty then,
 * nobody will send it again. Each message is in the list once; it is valid until the loop turns. */
struct fleet_forgotten {
  uint32_t device, sequence;
};
const struct fleet_forgotten *fleet_forgotten(const struct fleet *fleet, size_t *count);

/* The device's wall clock: right, or started at `unix_s` now. */
void fleet_set_clock(struct fleet *fleet, const uint32_t *devices, size_t count, bool right,
                     int64_t unix_s);

/* What their lines are like from now on, at every endpoint; replaces the fault before. -1: out of
   memory, for some. */
int fleet_set_fault(struct fleet *fleet, const uint32_t *devices, size_t count,
                    const struct fault *fault, struct error *error);
void fleet_mend(struct fleet *fleet, const uint32_t *devices, size_t count);

/* Bit f for every device_failure f that faults may end in. They count as foretold for a device
   whose line has one. */
uint64_t fleet_network_failures(void);

/* The name of config.place[place] leads elsewhere from the next attempt on; `host` of `now` is not
   looked at. */
void fleet_lead(struct fleet *fleet, size_t place, const struct fleet_place *now);

/* Device `index` publishes to, and subscribes below, another device's topics; those of firmware
 * updates too, where the fleet takes some. One attempt after the other, each once and in a live
 * session: if the broker ends that, the next one is made in the session after it. -1: no memory. */
int fleet_trespass(struct fleet *fleet, size_t index, uint32_t victim);

/* It has attempts to make, or waits for the answer to one. */
bool fleet_is_trespassing(const struct fleet *fleet, size_t index);

/* The broker `node` serves this certificate (SHA-256 of its DER) at the main endpoint from now on;
 * NULL: none that a device may count as proof. Until a first call for a node every certificate
 * counts there. */
void fleet_serves(struct fleet *fleet, int node, const uint8_t fingerprint[32]);

/* Whether the device has accepted the certificate that its broker serves now, in a full
   handshake. */
bool fleet_is_proven(const struct fleet *fleet, size_t index);

/* A CRL was published now, and names device i where names[i] is set. Refusals, CONNACKs and ends of
 * sessions are measured from here on (revoke.* of report/metrics.h); a device that is no longer
 * named stops being measured. -1: no memory to measure them in. */
int fleet_publish_crl(struct fleet *fleet, const bool *names, struct error *error);

/* Puts the gauges of revoke.* right, and at the end (`last`) books the last CONNACK of whoever is
   revoked still. */
void fleet_measure_revoked(struct fleet *fleet, bool last);

/* --- Firmware updates ------------------------------------------------------------------------- */

/* What is known of one device's image slots: the device's own truth, not what it reports. */
struct fleet_ota_facts {
  uint32_t image_version; /* that runs, or ran last */
  bool ota_trial;         /* it has not confirmed itself */
  enum device_ota_status ota_status;
  uint32_t ota_serial; /* of the update that ota_status is of; 0: none */
  bool bricked;        /* neither slot could be booted */
  uint32_t power_cuts;
  uint64_t operations; /* on flash and non-volatile memory, those too that a power cut tore */
};

/* NULL: these devices take no updates. */
const struct fleet_ota_facts *fleet_ota_facts(const struct fleet *fleet, size_t index);

/* How often devices came to this status, and the first ones that did. Never NULL. */
struct fleet_ota_tally {
  uint64_t count;
  uint32_t first_devices[METRICS_FIRST_DEVICES];
  size_t first_count;
};
const struct fleet_ota_tally *fleet_ota_tally(const struct fleet *fleet,
                                              enum device_ota_status status);

/* When the power fails, counted in a device's operations on flash and non-volatile memory: at
 * random, every `every` of them on average; or at each operation in turn, which the devices share
 * out among them: with one device at its first operation, then at the second one after the restart,
 * then at the third, and so on; with n devices the first one's cuts are at 1, n + 1, 2n + 1, the
 * second one's at 2, n + 2, and so on. As many devices as an update has operations, cut once each,
 * are cut at every operation of it. */
enum fleet_cuts { FLEET_CUTS_RANDOM, FLEET_CUTS_EACH };
struct fleet_power_cuts {
  enum fleet_cuts at;
  uint32_t every; /* at random: 1 or more */
  uint32_t times; /* cuts per device; 0: no more of them */
};

/* Arms power cuts of these devices, which must have flash. A cut tears the operation under way at a
 * random byte; the device is gone without a word to anybody, boots 0.2 to 2 s later and goes on by
 * its reconnect policy. */
void fleet_power_cut(struct fleet *fleet, const uint32_t *devices, size_t count,
                     const struct fleet_power_cuts *cuts);

void fleet_begin_phase(struct fleet *fleet);

/* Failures that the scenario foretells from now on: bit f of `mask` is device_failure f. An attempt
 * that has begun before may still end as was foretold then. */
void fleet_expect(struct fleet *fleet, uint64_t mask);

/* Counts over all devices, O(1): kept up to date by the fleet. */
struct fleet_census {
  size_t wanted, shelved, online;
  size_t attempts_open;
};
void fleet_census(const struct fleet *fleet, struct fleet_census *out);

/* Microseconds on the fleet's clock since fleet_create: what telemetry carries. Safe from any
   thread. */
uint64_t fleet_clock_us(void *fleet);

#endif

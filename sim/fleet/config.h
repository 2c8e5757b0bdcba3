/* What a fleet is made of and by: where devices go, what they take their updates and downloads
 * from, and what the plan may ask of them. Data that fleet_create and the plan's commands take.
 */
#ifndef FLEETSIM_FLEET_CONFIG_H
#define FLEETSIM_FLEET_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/payload_text.h"
#include "fleet/backoff.h"
#include "fleetsim/device.h"
#include "net/backend.h"
#include "report/events.h"
#include "report/failure_set.h"
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

/* Somewhere else than any place leads. */
struct fleet_diversion {
  struct sockaddr_storage to, from; /* `from`: with port 0 */
  /* how attempts may end there, and the session that was open before: these are foretold */
  struct failure_set foretold;
};

struct fleet;
struct flash;
struct names;
struct fetch;

/* What an image does in its trial, once it is online; a hanging one never gets there. */
enum fleet_trial {
  FLEET_TRIAL_PASS,
  FLEET_TRIAL_FAIL,  /* its self-test fails */
  FLEET_TRIAL_CRASH, /* it restarts in the middle of its self-test */
  FLEET_TRIAL_HANG,  /* it begins no attempt to connect; its watchdog goes on */
};

/* Firmware updates: what devices need whose profile has `ota`. `fetch` is for the others too. All
   of it outlives the fleet. */
struct fleet_ota {
  /* image slots of device_count devices, the factory's image in slot 0: fleet/flash.h */
  struct flash *flash;
  /* downloads over HTTPS, of images and of what else a client asks for: net/fetch.h; NULL: each
     ends as server_unreachable */
  struct fetch *fetch;
  /* NULL: every image passes */
  enum fleet_trial (*trial)(void *ctx, size_t number, uint32_t version);
  void *ctx;
};

/* Who devices say they are in CONNECT, beside their client id; by number. */
struct fleet_logins {
  const char *(*user)(void *ctx, size_t number); /* outlives the fleet; NULL: no device has one */
  /* as struct device_host has it; NULL: no device has one */
  int (*password)(void *ctx, size_t number, uint8_t out[DEVICE_PASSWORD_MAX]);
  void *ctx;
};

struct fleet_config {
  struct backend *backend;
  uint32_t mark; /* of the run: the first four bytes of telemetry (base/payload.h) */
  /* what telemetry of this run may look like; NULL: as base/payload.h has it. Outlives the fleet */
  const struct payload_texts *texts;
  int64_t began_unix_ms; /* wall clock at began_us: what such a text is told */
  /* backend_now_us when the run began: fleet_clock_us, and so t of events, counts from there */
  uint64_t began_us;
  const struct device_ops *ops;
  const struct device_profile *profile;
  struct fleet_place place[FLEET_PLACES_MAX]; /* the device's endpoints */
  size_t place_count;
  enum fleet_endpoints endpoints;
  struct fleet_place prove; /* its host is NULL: there is none */
  size_t device_count;
  /* A fleet may be a part of one that several processes make up: its devices have the numbers first
   * .. first + device_count - 1 of `total`. What is drawn for a device goes by its number, so that
   * it does the same in a part as in the whole. Indices, in all lists and facts, are of the part:
   * 0 .. device_count - 1. total 0: this is the whole, number and index are one. */
  size_t first, total;
  uint8_t *(*page)(void *pages, size_t number); /* the device's NVM page of page_size bytes */
  size_t page_size;
  /* How bytes are read and written where the device knows them, within the page; 0, or -1 when the
     disk has no room. NULL: as memory is. */
  int (*page_read)(const uint8_t *page, uint32_t offset, void *out, size_t size);
  int (*page_write)(uint8_t *page, uint32_t offset, const void *data, size_t size);
  uint32_t (*id)(void *pages, size_t number);
  void *pages;
  /* What the devices are called, by their number; outlives the fleet. NULL: each goes by the name in
     its page, and none can try another's topics. */
  const struct names *names;
  struct fleet_logins logins; /* a user name needs `names` */
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
  /* Of device `index` something is another now that facts.h and fleet_ota_facts say and that may stay
   * so: wanted, trust_version, identified, image_version, ota_trial, bricked. NULL: nobody wants to
   * know. */
  void (*changed)(void *ctx, size_t index);
  void *changed_ctx;
};

struct fleet_telemetry {
  bool on;
  uint64_t every_ms;
  uint32_t bytes; /* PAYLOAD_MIN to PAYLOAD_MAX */
  uint8_t qos;
  const struct payload_text *text; /* in place of so many bytes, checked; NULL: none. Outlives it */
};

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

#endif

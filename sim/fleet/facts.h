/* What is known of devices: the facts that gates and expectations are decided by. */
#ifndef FLEETSIM_FLEET_FACTS_H
#define FLEETSIM_FLEET_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ledger.h"
#include "fleetsim/device.h"
#include "report/failure_set.h"
#include "report/metrics.h"

#define FLEET_UNACKED_MAX 16u

/* Counters of what goes wrong: a bit for each that a device can be found in. */
enum fleet_counted {
  FLEET_IN_CONNECT_FAILED = 1 << 0, /* but for attempts that the plan cut short */
  FLEET_IN_REVOKE_REFUSALS = 1 << 1,
  FLEET_IN_REVOKE_ACCEPTS = 1 << 2,
  FLEET_IN_REVOKE_COLLATERAL = 1 << 3,
  FLEET_IN_TRUST_REFUSED = 1 << 4,
  FLEET_IN_CERT_REFUSED = 1 << 5,
  FLEET_IN_OTA_REFUSED = 1 << 6,
  FLEET_IN_OTA_ROLLED_BACK = 1 << 7,
  FLEET_IN_OTA_POWER_CUTS = 1 << 8, /* and has met nothing else since */
};

/* What is known of one device. `phase` facts are cleared by fleet_begin_phase, `step` facts by
 * fleet_begin_step. */
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
  /* bit r: the broker of its latest session accepted a chain of its own that leads to root r: a
     full handshake in which it sent that chain ended in CONNACK, or the session resumes one that
     did */
  uint16_t identified;
  /* phase, bit f: an attempt of it ended in DEVICE_FAIL_TLS_FIRST + f */
  uint32_t phase_refusals;
  struct failure_set step_failures; /* step: what was counted of it under `failures` */
  uint16_t step_counted;            /* step, bits of fleet_counted: that it was counted in */
  int8_t node;                      /* the broker that it dialled last, -1: none yet */
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
  bool phase_shelved : 1;   /* phase: the plan switched it off */
  bool wanted : 1;          /* the plan wants it online */
  bool shelved : 1;         /* switched off by the plan */
  bool online : 1;          /* CONNACK received, session alive, at the main endpoint */
  bool powered : 1;
  bool dead : 1; /* its NVM could not be booted */
  bool ever_online : 1;
  bool resumed : 1; /* its latest handshake was resumed */
  bool revoked : 1; /* the CRL published last names it */
  /* its last attempt that a broker answered for was let in; of one that the CRL names: the last one
     before, or one since */
  bool was_in : 1;
  /* its latest session ended without a word that the broker has surely heard; not once it is back */
  bool left_open : 1;
  /* attempts at the main endpoint that came as far as TLS, which is when a broker may count them,
     and had no CONNACK that let them in; but for those that were refused since the CRL names it */
  uint16_t unseen;
};
_Static_assert(DEVICE_FAIL_COUNT <= 256, "a failure is kept in eight bits");
_Static_assert(DEVICE_FAIL_TLS_LAST - DEVICE_FAIL_TLS_FIRST < 32,
               "each has a bit of phase_refusals");

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

/* One telemetry message that a device was answerable for when it restarted. */
struct fleet_forgotten {
  uint32_t device, sequence;
};

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

/* How often devices came to this status, and the first ones that did. Never NULL. */
struct fleet_ota_tally {
  uint64_t count;
  uint32_t first_devices[METRICS_FIRST_DEVICES];
  size_t first_count;
};

/* The first device that was served another certificate than its broker is known to serve. */
struct fleet_stale {
  uint32_t device;
  int8_t node;
};

/* Counts over all devices, O(1): kept up to date by the fleet. */
struct fleet_census {
  size_t wanted, shelved, online;
  size_t attempts_open;
};

#endif

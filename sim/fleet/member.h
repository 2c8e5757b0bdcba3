/* One member of the fleet: a device, its connection, and what the plan wants of it next. Data only:
 * each concept has a header of its own, which reads and writes these fields. Internal to sim/fleet.
 *
 * Who acts on what: the parts of the room below feed.c write things down, and mark the member as
 * due by one of the times here. feed.c alone gives the device events, and it alone applies what
 * they leave.
 */
#ifndef FLEETSIM_MEMBER_H
#define FLEETSIM_MEMBER_H

#include "crypto/meter.h"
#include "fleet/config.h"
#include "fleet/facts.h"
#include "net/fault.h"

struct fleet;
struct pace_held;

enum member_link {
  MEMBER_OFF,      /* no power, or not booted */
  MEMBER_DOWN,     /* booted, no transport; `start_at_ms` says when it tries */
  MEMBER_DIALLING, /* an attempt is open */
  MEMBER_UP,       /* CONNACK received */
};

/* What a publish or subscribe is of: the low bits of its tag. Above them telemetry carries its
   sequence number. */
enum member_tag {
  MEMBER_TAG_TELEMETRY = 1,
  MEMBER_TAG_TRESPASS = 2,
  MEMBER_TAG_BITS = 2,
  MEMBER_TAG_MASK = 3
};

/* Every device of a run has one of these, so it is kept small: what only some runs need is in the
   fleet's arrays. */
struct member {
  struct fleet *fleet;
  void *client;
  struct backend_conn *conn;
  struct fault_link *faults; /* between the two; NULL: its line is good and always was */
  struct pace_held *held;    /* pacing: the device computes until then; NULL: it is free */
  struct fleet_facts facts;
  uint64_t random; /* state of its own generator: jitter and stagger */

  uint64_t start_at_ms, device_at_ms, telemetry_at_ms, shelve_by_ms; /* DEVICE_NEVER: not due */
  /* the name's answer is there; DEVICE_NEVER */
  uint64_t name_at_ms;
  uint64_t boot_at_ms;   /* off, and on again by itself at that time; DEVICE_NEVER */
  uint64_t last_turn_us; /* when an attempt was due last, or a session ended; 0: neither so far */
  uint64_t planned_us;   /* when this attempt was meant to start */
  uint64_t opened_us, ended_us;
  int64_t clock_unix_s;
  uint64_t clock_set_ms;
  struct backoff_state backoff;
  /* What the device has computed and moved and is not in the counters yet: during a handshake all
   * of it since START, else the present step's. A record is its plaintext and 22 bytes, so for a
   * timing model these are AES-GCM's bytes; only the two hellos, some 300 bytes, go in the
   * clear. */
  struct crypto_meter meter;
  uint32_t record_bytes_in, record_bytes_out;
  uint32_t cpu_us; /* of this handshake, if it is clocked: the steps before the present one */
  /* the latest handshake, until CONNACK confirms it */
  uint16_t seen_identity; /* roots of the chain that it sent; 0: none, or resumed */
  int8_t seen_root;       /* -1: none of the plan's roots, or resumed */
  uint8_t seen_leaf;      /* leaves.h; LEAVES_NONE: resumed */

  uint8_t order[FLEET_PLACES_MAX]; /* its list of places */
  uint8_t turn;                    /* in `order`: where the next attempt goes */
  uint8_t place;                   /* of this attempt or session at the main endpoint */
  uint8_t policy;                  /* of the population's policies */
  uint8_t unacked_count;           /* in its row of telemetry.c */
  enum member_link link : 8;
  /* overrides what the device calls the end, when the body knows better */
  enum device_failure end_failure : 8;
  enum fleet_endpoint endpoint : 1;      /* of this attempt or session */
  enum fleet_endpoint next_endpoint : 1; /* of the next one */
  bool full_handshake : 1;               /* the next attempt offers no ticket */
  bool shelving : 1;
  bool half_open : 1; /* online as far as it knows, in a black hole */
  bool witness : 1;   /* its session counts among those of its server (serving.c) */
  bool ended : 1;     /* set by the observer, handled after the step */
  bool handshaking : 1;
  bool clocked : 1;    /* its CPU time here is measured */
  bool accepted : 1;   /* by the latest PUBLISH or SUBSCRIBE */
  bool opened : 1;     /* this attempt got its TCP connection: the broker has a handshake to do */
  bool shook : 1;      /* the handshake ended well in the present step */
  bool pardoned : 1;   /* no longer revoked, but has had no CONNACK since */
  bool collateral : 1; /* refused because of a CRL that does not name it */
  bool shut_out : 1;   /* the same without a word, and it has had no CONNACK since .. */
  bool served : 1;     /* .. while the broker served others (serving.c) */
  bool clock_right : 1;
  bool looked_at : 1; /* a look with its certificate is open: it may end the session */
  /* the power has failed in the present step: its hooks fail, its effects are void */
  bool dark : 1;
  bool restarts : 1;  /* the boot under way is one of its own, not the plan's */
  bool by_policy : 1; /* when it has booted it waits as after a failed attempt */
  /* the time of the next attempt is the plan's, not the reconnect policy's: it outlives a
     restart */
  bool planned : 1;
  bool unfetched : 1; /* a download could not begin, of which the device does not know yet */
};

/* The one step that is under way: when it began. */
struct member_step {
  uint64_t cpu_us;
  double cycles;     /* modelled, of the member's meter */
  uint32_t bytes;    /* of records */
  uint32_t blocks;   /* of the meter: SHA-256 */
  uint64_t flash_us; /* modelled time of flash operations since */
  bool handshake;    /* one was under way */
};

#endif

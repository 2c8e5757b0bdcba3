/* One member of the fleet: a device, its connection, and what the plan wants of it next. Internal
   to sim/fleet. */
#ifndef FLEETSIM_MEMBER_H
#define FLEETSIM_MEMBER_H

#include "crypto/meter.h"
#include "fleet/fleet.h"
#include "fleet/leaves.h"
#include "net/fault.h"

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
  struct member_held *held;  /* pacing: the device computes until then; NULL: it is free */
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
  uint8_t policy;                  /* of fleet->policies */
  uint8_t unacked_count;           /* in its row of fleet->books */
  enum member_link link : 8;
  /* overrides what the device calls the end, when the body knows better */
  enum device_failure end_failure : 8;
  enum fleet_endpoint endpoint : 1;      /* of this attempt or session */
  enum fleet_endpoint next_endpoint : 1; /* of the next one */
  bool full_handshake : 1;               /* the next attempt offers no ticket */
  bool shelving : 1;
  bool half_open : 1; /* online as far as it knows, in a black hole */
  bool ended : 1;     /* set by the observer, handled after the step */
  bool handshaking : 1;
  bool clocked : 1;    /* its CPU time here is measured */
  bool accepted : 1;   /* by the latest PUBLISH or SUBSCRIBE */
  bool opened : 1;     /* this attempt got its TCP connection: the broker has a handshake to do */
  bool shook : 1;      /* the handshake ended well in the present step */
  bool pardoned : 1;   /* no longer revoked, but has had no CONNACK since */
  bool collateral : 1; /* refused because of a CRL that does not name it */
  bool shut_out : 1;   /* the same without a word, and it has had no CONNACK since */
  bool clock_right : 1;
  /* the power has failed in the present step: its hooks fail, its effects are void */
  bool dark : 1;
  bool restarts : 1;  /* the boot under way is one of its own, not the plan's */
  bool by_policy : 1; /* when it has booted it waits as after a failed attempt */
  /* the time of the next attempt is the plan's, not the reconnect policy's: it outlives a restart */
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

/* revoke.c: what happened since the device's certificate is on a CRL; times on the fleet's clock,
   0: never. */
struct member_revoked {
  uint64_t since_us;       /* the first such CRL was published */
  uint64_t accepted_us[2]; /* its last CONNACK: after a full handshake, after a resumed one */
  uint64_t booked_us;      /* of these, what stands in the histogram; DEVICE_NEVER: nothing does */
  uint32_t mute;           /* refusals without a word since its last CONNACK */
};

/* trespass.c: the attempts of one device. */
struct member_trespass {
  uint64_t due_ms; /* the next one, if none is open and the device is online */
  uint32_t victim;
  uint8_t next;  /* in the list of attempts; its size: all are made */
  bool open;     /* that one is made and not answered */
  bool declined; /* the device did not send it */
};

/* telemetry.c: what became of a member's messages. */
struct member_telemetry {
  /* sequence numbers, unacked_count of them: taken and not answered */
  uint32_t unacked[FLEET_UNACKED_MAX];
  struct ledger acked; /* by a broker: of QoS 1 and 2 */
  /* by a broker; by the device, for what a broker's CONNACK says */
  uint32_t refused, declined;
  uint64_t forgotten; /* in restarts: messages of fleet_forgotten */
  /* reason code of the refusal that the events have of this session; 0: none */
  uint8_t told;
};

/* What there is of a member beside that, only where its profile takes firmware updates. */
struct member_ota {
  struct fleet_ota_facts facts;
  uint64_t random; /* its power cuts have dice of their own: they change nobody's jitter */

  /* power.c */
  struct fleet_power_cuts cuts;
  uint32_t cut_in; /* operations until the power fails; 0: no cut is armed */
  /* FLEET_CUTS_EACH: at which operation the next life ends, and how much later each */
  uint32_t cut_turn, cut_stride;

  bool trespassed; /* another device has published to its ota/manifest */

  /* ota.c: of the update under way */
  uint32_t serial;              /* 0: none */
  uint64_t began_us, staged_us; /* fleet's clock; 0: not so far */
  uint64_t bytes, flash_us;     /* image bytes that were new, and modelled time of its flash */
  /* image bytes that came and that the device has not spoken of so far */
  uint32_t untold;
};

struct fleet {
  struct fleet_config config;
  struct member *members;
  struct member_ota *ota; /* one per member; NULL: the profile takes no updates */
  /* the profile without forget_first: what the broker kept is of this run */
  struct device_profile restarted;
  struct fleet_ota_tally tally[DEVICE_OTA_STATUS_COUNT];
  void *storage; /* clients and connections, one block */
  struct member_step step;
  /* a row per member, each array made when the first of them needs it */
  struct member_telemetry *books;     /* NULL: nobody has sent telemetry */
  struct member_revoked *revoked;     /* NULL: no CRL was published */
  struct member_trespass *trespasses; /* NULL: nobody trespasses */
  struct fetch_transfer *
      *downloads; /* NULL: nobody has fetched; an element: nothing is under way */
  struct fleet_forgotten *forgotten; /* forgotten_count of forgotten_room */
  size_t forgotten_count, forgotten_room;
  uint32_t *order;
  struct sockaddr_storage *sources;                       /* config.source_addresses of them */
  struct device_endpoint endpoints[FLEET_PLACES_MAX + 1]; /* the places, then the prove endpoint */
  struct fleet_telemetry telemetry;
  uint8_t message[1024]; /* telemetry being built */
  uint8_t out[16 * 1024];
  uint64_t expected;        /* bit f: failure f is foretold .. */
  uint64_t expected_before; /* .. and was for attempts that began before .. */
  uint64_t expected_at_us;  /* .. this time, on the backend's clock */
  struct leaves leaves;
  /* number of the certificate that each broker serves; LEAVES_NONE: any counts */
  uint8_t served[FLEET_NODES_MAX];
  struct backoff_policy policies[FLEET_POLICIES_MAX];
  size_t policy_count;
  struct recovery outage, deepest;
  double brake_rate;          /* 1: off */
  struct surge begun, wasted; /* handshakes of the whole run */
  size_t wanted, shelved, online, dialling, half_open;
  bool complete; /* all that were wanted have been online at once */
  size_t released, to_release;
  size_t left_uncut;     /* sessions that were open when their device was taken off the CRL */
  size_t left_unrefused; /* devices that had been let in until then, and never refused */
  void (*closed)(void *ctx);
  void *closed_ctx;
};

/* Boots the device from its page and its slots; on failure it is counted and stays dead. */
void member_power_on(struct member *member);
void member_power_off(struct member *member);

/* Next attempt at `at_ms`; a live session is ended first. */
void member_plan(struct member *member, enum fleet_endpoint endpoint, bool full_handshake,
                 uint64_t at_us);

/* What the device's own clock shows. */
int64_t member_unix_s(const struct member *member);

/* Sets the connection's one deadline to the earliest thing that is due. */
void member_arm(struct member *member);

/* The next attempt: by the reconnect policy as after a failed one, or at once. */
void member_retry(struct member *member, bool by_policy);

void member_feed(struct member *member, struct device_event *event);
void member_apply(struct member *member, const struct device_effects *effects);
void member_stop(struct member *member);
void member_set_wanted(struct member *member, bool wanted);

/* The backend's callbacks, and what is due at the deadline. */
extern const struct backend_handler member_handler;

/* observe.c: the device's notes become facts, metrics and events. */
void member_observe(void *member, const struct device_note *note);
/* An event of this device, now: its time and device are filled in. */
void member_emit(struct member *member, struct event event);
/* The attempt or session of a device that can say nothing any more: the plan has ended it. */
void member_end(struct member *member);
void member_count_failure(struct member *member, enum device_failure failure, const char *detail);

/* brake.c: an attempt is due. True: the brake has put it off. */
bool member_is_braked(struct member *member);

/* outage.c: after a change of who is online or wanted, and after a session has ended. */
void member_count_change(struct fleet *fleet);
void member_count_lost(struct fleet *fleet);
/* outage.c: a handshake has begun, or ended without CONNACK. */
void member_count_begun(struct fleet *fleet);
void member_count_wasted(struct fleet *fleet);

/* work.c: a handshake that ended well in this step goes into the histograms. */
void member_book_handshake(struct member *member);

/* work.c: what the device has computed and moved goes into the counters, and starts at nothing
   again. */
void member_book_work(struct member *member);

/* pace.c: around a step; what it has cost the device's processor so far, in modelled microseconds
   (0: no profile). */
void member_step_begin(struct member *member);
uint64_t member_step_us(const struct member *member);

/* pace.c: keeps effects back for so long. False: no memory for that, apply them now. */
bool member_hold(struct member *member, const struct device_effects *effects, uint64_t busy_us);
/* When the device is free again; DEVICE_NEVER: it is. */
uint64_t member_held_until_ms(const struct member *member);
/* True when the device computes and cannot take the event now: STOP, CLOSED and FETCH_ENDED are
 * told later, others are lost. */
bool member_defer(struct member *member, const struct device_event *event);
void member_release(struct member *member);
void member_drop_held(struct member *member);

/* line.c: the backend's calls, on the member's line as it is */
void member_dial(struct member *member, const struct sockaddr_storage *to,
                 const struct sockaddr_storage *from);
int member_send(struct member *member, const uint8_t *data, size_t size);
size_t member_backlog(const struct member *member);
void member_pause(struct member *member, bool paused);
void member_hang_up(struct member *member);
/* at once, with a RST where the line lets one through */
void member_break_off(struct member *member);

/* line.c: counts the half-open again; to be called when it goes online or offline. */
void member_weigh(struct member *member);

/* line.c: true for a failure that the fault in force may well cause. */
bool member_foretells(const struct member *member, enum device_failure failure);

/* places.c: where a device goes, and from which address; NULL: the system chooses. */
const struct sockaddr_storage *member_source(const struct member *member);
void member_order_places(struct member *member);
/* the device's number of it, of this attempt */
uint8_t member_endpoint(const struct member *member);
/* asks for the name of that endpoint, and connects to the answer */
void member_go(struct member *member);
void member_named(struct member *member); /* the answer to the name has come */
/* The attempt or session has ended: whose turn is it next? */
void member_turn(struct member *member, enum device_failure failure,
                 const struct device_note *note);

/* revoke.c: after a CONNACK, after an attempt that ended without one, before a session is booked as
   ended. */
void member_revoked_online(struct member *member);
void member_revoked_failed(struct member *member, enum device_failure failure);
void member_revoked_ended(struct member *member, enum device_failure failure);

/* power.c: what only firmware updates need; NULL where the device takes none. */
struct member_ota *member_ota(const struct member *member);

/* power.c: the profile to boot with. One that was online and restarts keeps its session, and so
   what it was sent. */
const struct device_profile *member_profile(const struct member *member);

/* power.c: what flash and memory the device has, with the power cuts that are armed. */
void member_lend(struct member *member, struct device_host *host);

/* power.c: the power has failed in the present step: what the device does and says from here on
   does not happen. */
bool member_is_dark(const struct member *member);

/* power.c: a boot or step is over. True: the power failed in it, and the device is off until it
   boots again. */
bool member_lost_power(struct member *member);

/* power.c: the device restarts, and connects when it has booted if the plan wants it online. */
void member_restart(struct member *member);

/* power.c: when a device that is off will boot by itself, DEVICE_NEVER: it will not. What the plan
 * wants of it waits until then. */
uint64_t member_boot_ms(const struct member *member);
void member_boot(struct member *member);
void member_stay_off(struct member *member);

/* ota.c: BOOTED, OTA and OTA_BYTES; that the device could not boot; its self-test; and whether its
   image hangs. */
void member_ota_note(struct member *member, const struct device_note *note);
/* Bytes of a file have come for the device; those that came are of a file that it has left; and its
   power has gone, and with it what it had not stored. */
void member_ota_came(struct member *member, size_t bytes);
void member_ota_forget_came(struct member *member);
void member_ota_lost(struct member *member);
void member_bricked(struct member *member);
int member_self_test(void *member); /* the hook */

/* download.c: begins a download instead of the one before; ends the one under way without a
   word. */
void member_fetch(struct member *member, const struct device_fetch *fetch);
void member_fetch_abort(struct member *member);
void member_fetch_pause(struct member *member, bool paused);
/* A download could not begin: the device is to be told when it is free. */
bool member_is_unfetched(const struct member *member);
void member_tell_unfetched(struct member *member);

/* trespass.c: when the next attempt is due, DEVICE_NEVER: none is; makes it; the broker has
 * answered it; the session has ended, and an attempt that was open has no other answer. */
uint64_t member_trespass_ms(const struct member *member);
void member_trespass(struct member *member);
/* MQTT 5's; 0x80 and more: denied */
void member_trespass_answered(struct member *member, uint8_t reason);
void member_trespass_ended(struct member *member, enum device_failure failure);
/* trespass.c: the device refused what was no manifest. */
void member_crossed(struct member *member);
bool member_hangs(const struct member *member);

/* telemetry.c */
void member_send_telemetry(struct member *member);
void member_acked(struct member *member, uint32_t tag, bool by_broker);
void member_denied(struct member *member, uint32_t tag, bool declined);
/* Whether this session's refusal for that reason is to be told in the events: the first of them
   is. */
bool member_tells(struct member *member, uint8_t reason);
void member_began_session(struct member *member);
bool member_is_quiet(const struct member *member); /* it is answerable for nothing */
void member_forget(struct member *member);         /* its memory is empty: a restart */
void member_stagger_telemetry(struct member *member);

#endif

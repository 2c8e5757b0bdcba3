/* A scenario file as a checked struct: every unit parsed, every name resolved, every number in
 * range.
 *
 * scenarios/README.md is the grammar. Loading is a chain over one text: doc.c gives every node a
 * place (and refuses what is no plain YAML), override.c applies --set, keys.c refuses unknown keys
 * and wrong types, libcyaml maps the rest onto raw.h by the schema of schema.c, check*.c parse
 * units, expressions and references, story.c asks whether the steps make sense in their order.
 * Whatever is wrong is said as "file:line:column: sentence" and is a USAGE error.
 */
#ifndef FLEETSIM_SCENARIO_H
#define FLEETSIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/broker_kinds.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hooks.h"
#include "base/login.h"
#include "base/names.h"
#include "base/payload_text.h"
#include "base/product.h"
#include "fleetsim/device.h"
#include "net/fault.h"
#include "pki/crl.h"
#include "pki/image.h"
#include "scenario/expr.h"

#define SCENARIO_WAVES_MAX    16
#define SCENARIO_STORMS_MAX   16 /* steps of a scenario */
#define SCENARIO_ROLLOUTS_MAX 32 /* so are these */
#define SCENARIO_OWN_MAX      64 /* bytes that a kind of step has for itself */

/* The devices' processor and library where a file does not name them. */
#define SCENARIO_TIMING_DEFAULT "mbedtls-3.6.7-Os"

enum scenario_policy {
  SCENARIO_IMMEDIATE,
  SCENARIO_FIXED,
  SCENARIO_EXPONENTIAL,
  SCENARIO_EXPONENTIAL_20, /* "exponential-20": +-20 % */
  SCENARIO_FULL_JITTER,
  SCENARIO_DECORRELATED,
};

struct scenario_reconnect {
  enum scenario_policy policy;
  uint64_t base_ms, cap_ms;
};

enum scenario_arrival { SCENARIO_LINEAR, SCENARIO_POISSON };

/* Whose P-256 the devices compute with; results are the same, and so is what the device would have
   had to do. */
enum scenario_crypto {
  SCENARIO_ACCELERATED, /* the host's, and a verification that succeeded is remembered */
  SCENARIO_NATIVE,      /* the firmware's own, nothing is remembered */
};

/* The words in a scenario file and in results.json. */
const char *scenario_crypto_name(enum scenario_crypto crypto);
const char *scenario_policy_name(enum scenario_policy policy);

/* Shares of the fleet, ascending, the last is what the step reaches in the end; count 0 reads as
   one wave of 100 %. */
struct scenario_waves {
  size_t count;
  double share[SCENARIO_WAVES_MAX];
};

struct scenario_telemetry {
  bool on;
  uint64_t every_ms;
  uint32_t bytes; /* 16..1024, of the binary message */
  uint8_t qos;
  struct payload_text payload; /* a text in its place */
};

/* How new files are put in force. HOOK: the remote broker's hook for them does it itself; no file
   can ask for it. */
enum scenario_apply {
  SCENARIO_APPLY_RELOAD,
  SCENARIO_APPLY_RESTART,
  SCENARIO_APPLY_NONE,
  SCENARIO_APPLY_HOOK
};

#define SCENARIO_COHORTS_MAX 8
#define SCENARIO_COHORT_NAME 32 /* bytes of its name with the zero */
#define SCENARIO_IDS_MAX     16
#define SCENARIO_DEVICE_NAME 65 /* bytes of a device's name with the zero */

#define SCENARIO_TEMPLATE 256 /* bytes of a template with its zero */

/* What devices are called and where they speak, as templates (base/template.h). */
struct scenario_naming {
  char names[SCENARIO_TEMPLATE]; /* of a fleet that the run makes; "": eight hex digits */
  char client_id[SCENARIO_TEMPLATE], control[SCENARIO_TEMPLATE];
  char telemetry[SCENARIO_TEMPLATE + sizeof "telemetry"]; /* control and this word, usually */
  int line[NAMES_PARTS], column[NAMES_PARTS]; /* where they are in the file; 0: they are not */
};

/* A part of the fleet with a name: devices [begin, begin + share) of the seed's shuffled order. */
struct scenario_cohort {
  char name[SCENARIO_COHORT_NAME];
  double begin, share; /* 0..1 */
};

/* Which devices a step is for: those of these names where there are any, else a share of the cohort, or of the
   fleet. */
struct scenario_who {
  char cohort[SCENARIO_COHORT_NAME]; /* "": the whole fleet */
  double share;                      /* 0..1 */
  char ids[SCENARIO_IDS_MAX][SCENARIO_DEVICE_NAME];
  size_t id_count;
};

#define SCENARIO_NODES_MAX 4
#define SCENARIO_NODE_NAME 16

/* One of the brokers that serve the fleet. */
struct scenario_node {
  char name[SCENARIO_NODE_NAME];
  char host[256]; /* name to verify; local: "localhost" */
  uint16_t port;  /* 0: any free port (local) */
};

#define SCENARIO_NAMES_MAX 4

/* A name that devices connect to, and the brokers that it leads to (indices of scenario.nodes). */
struct scenario_name {
  char name[256];
  uint8_t nodes[SCENARIO_NODES_MAX + 1];
  size_t node_count; /* 0: the name is not found */
  uint64_t delay_ms; /* its answer takes so long */
};

/* Where the password of a device comes from. */
enum scenario_secret {
  SCENARIO_SECRET_NONE,
  SCENARIO_SECRET_TEMPLATE, /* base/template.h; in the file for everybody to see */
  SCENARIO_SECRET_FILE,     /* lines of NAME,PASSWORD in a file that nobody else can read */
  SCENARIO_SECRET_COLUMN,   /* of the list that the fleet was imported from */
  SCENARIO_SECRET_TOKEN,    /* a file a device, which holds a token and may be written anew */
};

/* Who devices say they are in CONNECT, beside their client id: fleet.credentials. */
struct scenario_credentials {
  char user[LOGIN_USER_MAX + 1]; /* a template; "": they have no user name */
  enum scenario_secret secret;
  char password[512];       /* the template, the file's path, the column, the template of paths */
  uint64_t renew_before_ms; /* TOKEN: a new one is asked for so long before the end of the old */
  int line, column;         /* in the file */
};

/* The back office: operator. But for `none` it is of a broker that stands elsewhere. */
struct scenario_operator {
  bool none;      /* operator: none: nobody connects, and all else is empty */
  char host[256]; /* where it connects; "": where the fleet does */
  uint16_t port;
  char ca[512];                     /* path, "": the fleet folder's */
  char certificate[512], key[512];  /* paths; "": the fleet folder's */
  bool bare;                        /* it shows no certificate: cert: none */
  char client_id[LOGIN_ID_MAX + 1]; /* "": operator */
  char user[LOGIN_USER_MAX + 1];    /* "": it says none */
  char password_file[512];          /* "": none */
  int line, column;
};

#define SCENARIO_IMAGES_MAX 31 /* published ones */
#define SCENARIO_IMAGE_NAME 24 /* bytes of its name with the zero */
#define SCENARIO_ABORTS_MAX 8
/* index of the image that devices leave the factory with; its name is "factory" */
#define SCENARIO_FACTORY 0u

enum scenario_via { SCENARIO_VIA_MQTT, SCENARIO_VIA_HTTPS };

/* What an image does in its trial. CRASH: it restarts; HANG: it never gets online. */
enum scenario_self_test {
  SCENARIO_TEST_PASS,
  SCENARIO_TEST_FAIL,
  SCENARIO_TEST_CRASH,
  SCENARIO_TEST_HANG,
};

/* A firmware image: the factory's, or one that a step publishes. */
struct scenario_image {
  char name[SCENARIO_IMAGE_NAME];
  uint32_t version; /* DEVICE_VERSION; 0, with counter, class and size: as the file says */
  uint32_t counter, device_class;
  uint32_t size; /* bytes of the whole file */
  enum scenario_via via;
  char file[512];   /* "": made by the run */
  int line, column; /* of the step that publishes it */
  enum scenario_self_test self_test;
  double failing;         /* 0..1: share of the devices in which it does not pass */
  struct pki_roots trust; /* of the trust bundle that it carries; count 0: none */
  bool rescue;            /* its manifest also lies where devices look by themselves */
};

/* How devices take firmware updates, and from whom: ota: {...}. */
struct scenario_ota {
  bool on; /* else nothing below is used, and no image but none exists */
  /* image_key and rescue_url are filled in by the run, in its own copy */
  struct device_ota_profile profile;
  uint32_t block;                /* bytes of a block over MQTT */
  uint32_t erase_us, program_us; /* modelled flash: one sector, one word */
  bool server;                   /* a local nginx serves images */
  /* the factory's, then all that are published, in order */
  struct scenario_image images[1 + SCENARIO_IMAGES_MAX];
  size_t image_count;
};

/* When a rollout stops by itself: `minimum` devices, and `share` of the devices offered in this
 * wave (of_all: of all that the rollout is for), have ended with this status. */
struct scenario_abort {
  bool any; /* every refusal, failed download and roll-back; `status` is not used */
  enum device_ota_status status;
  double share;
  bool of_all;
  uint32_t minimum;
};

/* Who is offered an image, and when. Beside it in the step: waves, within_ms (per wave), who, and
   rate, per second. */
struct scenario_rollout {
  bool by_rate;          /* by `rate`, not in waves */
  double growth;         /* by_rate: the rate is multiplied by this .. */
  uint32_t growth_after; /* .. whenever so many more devices have confirmed */
  uint32_t jitter_ms;    /* of a wave, each device is offered it after rand(0, that) */
  struct scenario_abort abort[SCENARIO_ABORTS_MAX];
  size_t abort_count;
  bool background; /* the step does not wait for it */
};

/* Power cuts at operations of flash and non-volatile memory. */
struct scenario_power_cut {
  /* of n devices the first is cut at its operation 1, n + 1 .., the second at 2, n + 2 .., .. */
  bool every_operation;
  uint32_t every; /* else: mean operations between two cuts */
  uint32_t times; /* cuts per device */
};

/* What stands between the devices and the image server. */
struct scenario_cdn {
  bool mend;          /* ends all of it; nothing else is set */
  double cut;         /* 0..1: this share of the connections breaks .. */
  uint64_t cut_after; /* .. after rand(1, 2 * that) bytes */
  uint32_t latency_ms;
  uint64_t bandwidth_per_s; /* bytes, of each connection; 0: as fast as it goes */
  bool refuse, stall;       /* new connections are refused; are taken, and nothing is ever sent */
};

/* A step's key in a scenario file. */
struct scenario_step;
struct step_kind; /* step_kind.h */
const char *scenario_step_name(const struct scenario_step *step);

/* How long a list that is made is good for, where nobody says. */
#define SCENARIO_CRL_LIFE_S (7 * 86400)

/* How CRLs are made, or which file of them is published. */
struct scenario_crl {
  int64_t this_update_s, next_update_s; /* from the moment of publication */
  uint32_t entries;                     /* with serials of nobody */
  char file[PKI_PATH_MAX];              /* "": made from what is revoked */
  bool unchecked;                       /* the file goes to the broker whatever it holds */
};

/* Where new certificates of devices come from; both "": they are issued here. */
struct scenario_renewal {
  char csv[PKI_PATH_MAX]; /* a list of them */
  char command[512];      /* a shell's: a request on its input, the certificate on its output */
};

struct scenario_step {
  const struct step_kind *kind;
  int line, column; /* in the file */
  /* what several kinds have, or others look at; all have their defaults filled in */
  double rate; /* per second; 0: all at once */
  enum scenario_arrival arrival;
  struct scenario_who who;
  struct scenario_telemetry telemetry;
  uint64_t within_ms; /* wait: how long; fault, cdn: then it is mended, 0: it stays */
  /* present, prove, trust-clients: the longest wait until the broker is seen to have changed */
  uint64_t broker_ms;
  bool unprobed; /* trust-clients: nobody tries whom the broker trusts */
  struct pki_roots roots;
  struct scenario_waves waves;
  struct pki_chain chain; /* present, prove; host is filled in by the run */
  char root[PKI_NAME_MAX];
  struct scenario_renewal renewal; /* reissue */
  enum scenario_apply apply;
  enum pki_reason reason;
  bool publish;
  struct scenario_crl crl;
  int node;                  /* index of scenario.nodes, -1: all of them */
  size_t name;               /* resolve: index of scenario.names */
  struct scenario_name lead; /* resolve: where it leads; its own `name` is not used */
  bool full_handshake;
  /* push-trust: with the lists of the CAs that issue broker certificates under these roots */
  bool crls;
  enum pki_part part;                  /* revoke-broker */
  bool take_back;                      /* revoke-broker: undo it; no file can ask for that */
  struct fault fault;                  /* fault */
  struct scenario_reconnect reconnect; /* reconnect-policy, storm */
  /* ota.publish, ota.rollout, corrupt: index of scenario.ota.images */
  size_t image;
  struct scenario_rollout rollout;     /* ota.rollout */
  struct scenario_power_cut power_cut; /* power-cut */
  enum pki_image_harm harm;            /* corrupt */
  struct scenario_cdn cdn;             /* cdn */
  bool clock_right;
  int64_t clock_unix_s;
  char say[256];
  /* mitm: of one of its servers, that any careful client refuses it, whatever its library */
  bool doubted;
  /* a struct of the kind's own file, for what nobody else looks at; all zero at first */
  union {
    uint64_t align;
    unsigned char bytes[SCENARIO_OWN_MAX];
  } own;
};

enum scenario_on_fail { SCENARIO_STOP, SCENARIO_ROLLBACK, SCENARIO_CONTINUE };

struct scenario_phase {
  char name[96];
  struct scenario_step *steps;
  size_t step_count;
  bool has_until;
  struct expr until; /* with within_ms (default 60 s) */
  struct expr *expect;
  size_t expect_count;
  enum scenario_on_fail on_fail;
};

/* Which hosts beyond loopback the file allows; the command line must name them too
   (--allow-target). */
struct scenario_target {
  char host[256];
};

struct scenario {
  char file[1024];
  char sha256[65];
  char *told; /* told.h: the text that is run, without what may be secret */
  char name[128];
  uint64_t seed;
  uint64_t run_limit_ms; /* limits: {run: 10m} */

  size_t devices;
  char profile_name[64]; /* fleet.profile: free text in results */
  /* fleet.telemetry: starts with the first connect */
  struct scenario_telemetry telemetry;
  struct scenario_cohort cohorts[SCENARIO_COHORTS_MAX]; /* fleet.cohorts */
  size_t cohort_count;
  size_t source_addresses;       /* fleet.source-addresses: 127.0.0.1.. ; 0: chosen by the run */
  struct scenario_naming naming; /* fleet.names, fleet.client-id, topics */
  struct device_profile device;  /* device: {...}; name points to profile_name */
  char alpn[64];                 /* device.alpn, to which device.alpn points; "": none */
  const char *alpn_offered[2];
  struct scenario_credentials credentials;
  struct scenario_operator operator;
  enum scenario_crypto crypto; /* device.crypto */
  uint32_t record_bytes;       /* device.record: content of a TLS record that a device takes */

  char timing_profile[FILES_PATH_MAX]; /* timing.profile: name or path, as timing_load takes it */
  /* timing.pace: what a device does takes as long as its processor would */
  bool pace;

  struct pki_roots roots;         /* pki.roots */
  struct pki_roots trusted;       /* pki.trusted: bundle version 1 */
  char broker_root[PKI_NAME_MAX]; /* pki.broker: presented at the start */
  /* pki.devices: issues device certificates at the start; default pki.broker */
  char device_root[PKI_NAME_MAX];
  /* pki.clients: what the broker trusts devices by; default [device_root] */
  struct pki_roots client_roots;

  enum broker_kind broker_kind; /* broker: {local: WORD}, or {url: mqtts://host:8883} */
  /* broker.nodes or broker.urls, at least one; beyond the last one, with has_false,
     "false-broker" */
  struct scenario_node nodes[SCENARIO_NODES_MAX + 1];
  size_t node_count;
  /* broker.false: a broker that takes every client, with a chain that devices should refuse */
  bool has_false;
  char false_root[PKI_NAME_MAX];
  /* of its certificate; "": the names of the true ones */
  char false_host[256];
  struct scenario_name names[SCENARIO_NAMES_MAX]; /* none: devices know the brokers themselves */
  size_t name_count;
  /* broker.bridge: local nodes pass on to each other what is said to and by devices, QoS 1 */
  bool bridge;
  char host[256]; /* of nodes[0] */
  /* broker.server-name: what a remote broker's certificate must carry; "": the host of its url */
  char server_name[256];
  /* host of broker.prove-url; "" when local or when there is none */
  char prove_host[256];
  uint16_t port, prove_port;            /* 0: any free port (local), no such listener (remote) */
  uint32_t broker_handshake_timeout_ms; /* broker.handshake-timeout, local; 0: none */
  /* broker.handshakes per second, local; 0: as many as it can */
  double broker_handshake_rate;
  char hook[HOOK_COUNT][512];  /* broker.hooks; "": none */
  bool ready_hook[HOOK_COUNT]; /* it is the kind's own, as the file names none */
  const struct product
      *product; /* broker.kind: what a broker elsewhere is; generic, of a local too */
  struct product_version product_version; /* broker.version, or what its facts are of */
  char product_setting[128];              /* broker.node, broker.pid-file; "" */
  /* broker.terminator.tickets: those of all nodes have the same keys for tickets */
  bool tickets_shared;
  /* broker.terminator, local: TLS ends before mosquitto, in a process that keeps its tickets'
     keys */
  bool terminator;
  bool crl; /* some step revokes or publishes: a local broker checks CRLs from its start */

  struct scenario_ota ota; /* ota */

  /* reconnect.endpoints: each device goes along the brokers in an order of its own */
  bool shuffled_endpoints;
  struct scenario_reconnect reconnect;
  /* reconnect.cohorts, by cohort */
  struct scenario_reconnect cohort_reconnect[SCENARIO_COHORTS_MAX];
  bool has_cohort_reconnect[SCENARIO_COHORTS_MAX]; /* else as `reconnect` */
  bool has_brake;
  struct expr brake_when; /* brake.when: judged once a second, over that second */
  double brake_rate;      /* brake.rate: this part of the starts while it holds */
  struct scenario_phase *phases;
  size_t phase_count;
  struct expr *expect;
  size_t expect_count;
  struct scenario_target *targets;
  size_t target_count;
};

/* `--set path=value`, applied before checking. */
struct scenario_override {
  const char *path;  /* "fleet.devices", "phases[2].do[0].connect.rate" */
  const char *value; /* a YAML scalar, or a list or mapping in brackets: "[10%, 100%]" */
};

/* Loads and checks. `kinds` are the steps that a file may have, ended by NULL (steps/steps.h); they
   outlive the scenario. Quantities in expressions are checked against metrics_known() and
   scenario_quantity_known(). */
int scenario_load(const char *file, const struct scenario_override *overrides,
                  size_t override_count, const struct step_kind *const *kinds,
                  struct scenario **out, struct error *error);
void scenario_free(struct scenario *scenario);

/* The payloads of the plan's telemetry that are texts, each once; how many. They live as long as the
   scenario. */
size_t scenario_payloads(const struct scenario *scenario,
                         const struct payload_text *out[PAYLOAD_TEXTS_MAX]);

/* Whether every message can be told from every other one where it arrives, and when it was sent: no
 * payload is without seq-at, and without time-at. */
bool scenario_is_numbered(const struct scenario *scenario);
bool scenario_is_timed(const struct scenario *scenario);

/* NULL: there is none of that name. */
const struct scenario_cohort *scenario_find_cohort(const struct scenario *scenario,
                                                   const char *name);

/* The name of device `index` of a fleet that the run makes. */
void scenario_device_name(const struct scenario *scenario, size_t index,
                          char out[SCENARIO_DEVICE_NAME]);

/* What may be loaded without being asked twice (net/permit.h). No name is looked up. */
bool scenario_is_loopback(const char *host);

/* What is true of the broker that it is about. */
bool scenario_broker_is(const struct scenario *scenario, enum broker_trait trait);

/* How long a step that says nothing waits until the broker is seen to have changed: longer where it is
 * of a kind that reads its files by and by, and no hook tells it to. */
uint64_t scenario_broker_ms(const struct scenario *scenario);

/* How long one look at a broker waits for an answer: as long as a device does (device.timeouts up to
 * CONNACK), 5 s at least and 60 s at most. */
#define SCENARIO_LOOK_MIN_MS 5000u
#define SCENARIO_LOOK_MAX_MS 60000u
uint64_t scenario_look_ms(const struct scenario *scenario);

/* What a step does where it does not say `apply`: a reload, for client CAs a restart, unless the broker's
 * kind takes these by less, or there is no hook for that. */
enum scenario_files { SCENARIO_FILES_CHAIN, SCENARIO_FILES_CLIENTS, SCENARIO_FILES_LISTS };
enum scenario_apply scenario_default_apply(const struct scenario *scenario,
                                           enum scenario_files files);

/* Prints the timetable: phases, steps, gates and the longest time each may take. */
void scenario_print(const struct scenario *scenario, void *stream /* FILE * */);

/* Quantities of the fleet itself (quantity.h), which the run observes over the devices in use; `of`
 * may name online, awake or all. 0 if it is known, otherwise one of the codes. */
enum { SCENARIO_BAD_NAME = -1, SCENARIO_BAD_ARGUMENT = -2 };
int scenario_quantity_known(const char *name, const char *argument,
                            const struct scenario *scenario);

/* Which of a phase's own gate and expectations are about the outcome of a step: one that accounts
 * for the devices that fell short judges in the step's place, and without one the step has
 * failed. */
#define SCENARIO_JUDGES_MAX 101u /* 100 expectations and a gate */
struct scenario_judge {
  struct scenario_judge_of {
    const struct expr *expr;
    int effect;           /* enum step_effect */
    bool held, ended;     /* as the step began; as it ended */
    double before, after; /* its quantity as the step began and ended; NaN: it had no value */
  } of[SCENARIO_JUDGES_MAX];
  size_t count;
};

/* `step` is one of the phase's, about to begin, and `lookup` shows what is so then; `_end`: what is
   so when it is over. */
void scenario_judge_begin(struct scenario_judge *judge, const struct scenario *scenario,
                          const struct scenario_phase *phase, const struct scenario_step *step,
                          expr_lookup lookup, void *ctx);
void scenario_judge_end(struct scenario_judge *judge, expr_lookup lookup, void *ctx);

/* The devices that fell short, as an expression sees them. */
struct scenario_missed {
  size_t devices; /* that it has to account for */
  double counted; /* of these, by its quantity */
  double besides; /* of others that fell short */
  double done;    /* of those who have done what the step says */
  size_t left;    /* of devices: in what a percentage is of as the step began, and not any more */
  bool outage;    /* recover.* is of an outage that began while the step was under way */
};

/* Whether an expression accounts for them, as things are now. SAYS_NOTHING: nor will it ever.
 * `why` is what keeps it from that, as in "the gate 'x == 1' WHY". */
enum scenario_account { SCENARIO_ACCOUNTS, SCENARIO_NOT_YET, SCENARIO_SAYS_NOTHING };
enum scenario_account scenario_judge_account(const struct scenario_judge_of *of,
                                             const struct scenario_missed *missed,
                                             expr_lookup lookup, void *ctx, char *why, size_t size);

/* The quantity that speaks of the outcome of such a step first of all; NULL: none does. */
const char *scenario_judging(const struct scenario_step *step);

/* False: there is no gate and no expectation in it, so hardly anything can fail it. */
bool scenario_is_judged(const struct scenario *scenario);

/* Says so on standard error, where it is false. */
void scenario_warn_unjudged(const struct scenario *scenario);

/* Says on standard error what will go wrong at a broker of this kind, and is no mistake. */
void scenario_warn_product(const struct scenario *scenario);

/* Whether some gate, expectation or brake is about this quantity or metric. */
bool scenario_names(const struct scenario *scenario, const char *name);

/* Whether its last `expect` is about this quantity or metric, and asks for more than none of it. */
bool scenario_wants_some(const struct scenario *scenario, const char *name);

/* Index of the image of that name, "factory" too; -1: there is none. */
int scenario_find_image(const struct scenario *scenario, const char *name);

/* Index of the broker of that name, -1: there is none. */
int scenario_find_node(const struct scenario *scenario, const char *name);

/* True for a metric in milliseconds: a gauge "..._ms", or a statistic of a histogram,
   "..._ms.p99". */
bool scenario_is_time(const char *name);

#endif

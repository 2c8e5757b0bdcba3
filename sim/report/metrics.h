/* What a run measures: counters, gauges and HDR histograms with the contract's names, and failures
 * by name.
 *
 * Names are stable and only added to (results.json, expectations and CI read them). Histograms hold
 * microseconds and report milliseconds where the name ends in _ms.
 */
#ifndef FLEETSIM_METRICS_H
#define FLEETSIM_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/failure.h"
#include "report/buckets.h"

/* clang-format off */
#define METRICS(X) /* symbol, name, kind, how parts are merged, one line for the manual */ \
  X(CONNECT_ATTEMPTS,   "connect.attempts",          COUNTER,   SUM,  "connection attempts begun") \
  X(CONNECT_OK,         "connect.ok",                COUNTER,   SUM,  "attempts that received CONNACK") \
  X(CONNECT_FAILED,     "connect.failed",            COUNTER,   SUM,  "attempts that ended before CONNACK, all named under failures") \
  X(CONNECT_OPEN,       "connect.open",              GAUGE,     SUM,  "attempts still under way when the run ended") \
  X(CONNECT_TOTAL,      "connect.total_ms",          HISTOGRAM, EACH, "planned start to CONNACK") \
  X(HANDSHAKE_WALL,     "handshake.wall_ms",         HISTOGRAM, EACH, "TCP open to the end of the TLS handshake") \
  X(HANDSHAKE_DEVICE,   "handshake.device_ms",       HISTOGRAM, EACH, "modelled: processor time of a handshake on the device of the timing profile") \
  X(PACE_LATENESS,      "pace.lateness_ms",          HISTOGRAM, EACH, "pacing: how late a device's effects were let go after its modelled time had passed") \
  X(HANDSHAKE_CPU,      "handshake.host_cpu_us",     HISTOGRAM, EACH, "CPU of this machine per handshake: the first 100, then one in 10") \
  X(HANDSHAKE_FULL,     "handshake.full",            COUNTER,   SUM,  "handshakes with a certificate check") \
  X(HANDSHAKE_RESUMED,  "handshake.resumed",         COUNTER,   SUM,  "handshakes resumed from a ticket: no certificate was checked") \
  X(HANDSHAKE_BEGUN,    "handshake.begun",           COUNTER,   SUM,  "TCP connections that were opened for a handshake") \
  X(HANDSHAKE_WASTED,   "handshake.wasted",          COUNTER,   SUM,  "of these, ended without CONNACK") \
  X(HANDSHAKE_PEAK,     "handshake.peak_per_s",      GAUGE,     SUM,  "most handshakes begun in one second") \
  X(HANDSHAKE_WASTED_PEAK, "handshake.wasted_peak_per_s", GAUGE,     SUM,  "most handshakes that ended without CONNACK in one second") \
  X(TLS_BYTES_IN,       "tls.bytes_in",              COUNTER,   SUM,  "bytes of TLS records that the devices received") \
  X(TLS_BYTES_OUT,      "tls.bytes_out",             COUNTER,   SUM,  "bytes of TLS records that the devices sent") \
  X(CRYPTO_KEYGEN,      "crypto.keygen",             COUNTER,   SUM,  "P-256 private keys that the devices drew") \
  X(CRYPTO_PUBLIC_KEY,  "crypto.public_key",         COUNTER,   SUM,  "P-256 public keys that they computed from private ones") \
  X(CRYPTO_ECDH,        "crypto.ecdh",               COUNTER,   SUM,  "P-256 shared secrets that they computed") \
  X(CRYPTO_SIGN,        "crypto.sign",               COUNTER,   SUM,  "ECDSA signatures that they made") \
  X(CRYPTO_VERIFY,      "crypto.verify",             COUNTER,   SUM,  "ECDSA signatures that they verified") \
  X(CRYPTO_VERIFY_REMEMBERED, "crypto.verify_remembered", COUNTER,   SUM,  "of these, found among those that this machine had computed: the same key, hash and signature") \
  X(CRYPTO_VERIFY_COMPUTED, "crypto.verify_computed", COUNTER,   SUM,  "of these, computed by this machine") \
  X(CRYPTO_SHA256_BYTES,"crypto.sha256_bytes",       COUNTER,   SUM,  "bytes that SHA-256 went over, padding included") \
  X(FLEET_ONLINE,       "fleet.online",              GAUGE,     SUM,  "devices with a live session at the end") \
  X(FLEET_ONLINE_MIN,   "fleet.online_min",          GAUGE,     SUM,  "lowest number online after the fleet first was complete") \
  X(FLEET_ONLINE_MAX,   "fleet.online_max",          GAUGE,     SUM,  "most devices online at any time") \
  X(FLEET_HALF_OPEN,    "fleet.half_open",           GAUGE,     SUM,  "devices that take themselves for online while a black hole swallows what they send") \
  X(FLEET_HALF_OPEN_MAX,"fleet.half_open_max",       GAUGE,     SUM,  "the most of them at any time") \
  X(FLEET_SHELVED,      "fleet.shelved",             GAUGE,     SUM,  "devices switched off by the plan at the end") \
  X(DEVICES_LOST,       "devices.lost",              GAUGE,     SUM,  "devices that should be online at the end and are not; a revoked one should not") \
  X(DEVICES_UNPROVEN,   "devices.unproven",          GAUGE,     SUM,  "online devices that have not accepted, in a full handshake, the certificate that their broker serves now") \
  X(MQTT_SESSION_PRESENT, "mqtt.session_present",    COUNTER,   SUM,  "CONNACKs that said that the broker had kept the session") \
  X(MQTT_WILLS,         "mqtt.wills",                COUNTER,   SUM,  "wills of devices that the operator received") \
  X(RECONNECT_TOTAL,    "reconnect.total_ms",        HISTOGRAM, EACH, "end of a session to the next CONNACK") \
  X(RECOVER_MISSING,    "recover.missing",           GAUGE,     SUM,  "most devices offline at once in an outage; recover.* is of the deepest one, the latest of equals") \
  X(RECOVER_P50,        "recover.p50_ms",            GAUGE,     MAX,  "first session lost to 50 % of the wanted devices online again; no value: never") \
  X(RECOVER_P90,        "recover.p90_ms",            GAUGE,     MAX,  "the same for 90 %") \
  X(RECOVER_P99,        "recover.p99_ms",            GAUGE,     MAX,  "the same for 99 %") \
  X(RECOVER_ALL,        "recover.all_ms",            GAUGE,     MAX,  "the same for all of them") \
  X(RECOVER_ONLINE,     "recover.online",            GAUGE,     SUM,  "devices online when the outage ended, when its storm was over, or now") \
  X(RECOVER_PEAK,       "recover.peak_per_s",        GAUGE,     SUM,  "most handshakes begun in one second of the outage") \
  X(RECOVER_WASTED,     "recover.wasted",            GAUGE,     SUM,  "handshakes of the outage that ended without CONNACK") \
  X(RECOVER_WASTED_PEAK,"recover.wasted_peak_per_s", GAUGE,     SUM,  "most of them in one second") \
  X(TELEMETRY_SENT,     "telemetry.sent",            COUNTER,   SUM,  "messages the devices took responsibility for, but for those that they had to decline") \
  X(TELEMETRY_ACKED,    "telemetry.acked",           COUNTER,   SUM,  "messages acknowledged to the devices; at QoS 0 handed to the connection") \
  X(TELEMETRY_REFUSED,  "telemetry.refused",         COUNTER,   SUM,  "messages that a broker refused by reason code, or forbids by its limits of QoS or size: named under failures, publish.*") \
  X(TELEMETRY_DECLINED, "telemetry.declined",        COUNTER,   SUM,  "of these, not sent at all for what the broker's CONNACK says: they are not in telemetry.sent") \
  X(TELEMETRY_SKIPPED,  "telemetry.skipped",         COUNTER,   SUM,  "messages a device could not take: its outbox was full") \
  X(TELEMETRY_DELIVERED,"telemetry.delivered",       COUNTER,   SUM,  "distinct messages that the operator received") \
  X(TELEMETRY_LOST,     "telemetry.lost",            COUNTER,   SUM,  "messages sent that the operator never received; from revoked devices none are awaited") \
  X(TELEMETRY_LOST_ACKED, "telemetry.lost_acked",    COUNTER,   SUM,  "of these, acknowledged to the device by a broker (QoS 1 and 2), which took them: they are gone") \
  X(TELEMETRY_UNHEARD,  "telemetry.unheard",         GAUGE,     SUM,  "of these, more than the plan put at risk when it took brokers away; and those of QoS 0 where the back office was away unforetold: must be 0") \
  X(TELEMETRY_UNAWAITED,"telemetry.unawaited",       GAUGE,     SUM,  "messages of revoked devices that did not arrive: sent = delivered + lost + these") \
  X(TELEMETRY_UNACCOUNTED, "telemetry.unaccounted",  GAUGE,     SUM,  "messages by which the books do not add up, as those delivered and not sent: must be 0") \
  X(TELEMETRY_AT_RISK,  "telemetry.at_risk",         COUNTER,   SUM,  "messages acknowledged and not at the operator yet when the plan killed a broker: the most that the kill can lose") \
  X(TELEMETRY_RESENT,   "telemetry.resent",          COUNTER,   SUM,  "messages sent again in a later connection: no acknowledgement had come before") \
  X(TELEMETRY_DUPLICATED,"telemetry.duplicated",     COUNTER,   SUM,  "messages that the operator received again") \
  X(TELEMETRY_LATENCY,  "telemetry.latency_ms",      HISTOGRAM, EACH, "planned send time to arrival at the operator") \
  X(TELEMETRY_FOREIGN,  "telemetry.foreign",         GAUGE,     SUM,  "messages that the broker still had of another run: they count as nothing else") \
  X(TELEMETRY_UNACKED,  "telemetry.unacked",         GAUGE,     SUM,  "messages sent that no broker acknowledged to their device, in a run whose messages have no number; of revoked devices none are awaited") \
  X(TELEMETRY_UNNUMBERED, "telemetry.unnumbered",    GAUGE,     SUM,  "telemetry that reached the operator in a run whose messages have no number: whichever, and perhaps one twice") \
  X(TELEMETRY_ALTERED,  "telemetry.altered",         GAUGE,     SUM,  "messages of this run that reached the operator cut short or altered: they are not delivered; must be 0") \
  X(OPERATOR_ONLINE,    "operator.online",           GAUGE,     MIN,  "1: the back office was connected to its broker when the run was judged") \
  X(OPERATOR_LOSSES,    "operator.losses",           COUNTER,   SUM,  "times that it lost its connection") \
  X(OPERATOR_UNFORETOLD,"operator.unforetold",       COUNTER,   SUM,  "of these, where the plan takes no broker away") \
  X(OPERATOR_AWAY,      "operator.away_s",           GAUGE,     MAX,  "seconds for which it was not connected, after it had been") \
  X(OPERATOR_DROPPED,   "operator.dropped",          GAUGE,     SUM,  "reports of devices that it heard and had no room to keep: must be 0") \
  X(OPERATOR_FOREIGN,   "operator.foreign",          COUNTER,   SUM,  "acknowledgements of trust bundles that this run has not sent, or that the device itself has not had") \
  X(TRUST_VERSION,      "trust.version_acked",       GAUGE,     MIN,  "lowest trust bundle version acknowledged by the devices in use") \
  X(TRUST_PUSHED,       "trust.pushed",              COUNTER,   SUM,  "trust bundles pushed") \
  X(TRUST_COMMITTED,    "trust.committed",           COUNTER,   SUM,  "trust bundles that devices put in force") \
  X(TRUST_REFUSED,      "trust.refused",             COUNTER,   SUM,  "trust bundles that devices refused") \
  X(CERT_PUSHED,        "certificate.pushed",        COUNTER,   SUM,  "certificates pushed") \
  X(CERT_COMMITTED,     "certificate.committed",     COUNTER,   SUM,  "certificates that devices put in force") \
  X(CERT_REFUSED,       "certificate.refused",       COUNTER,   SUM,  "certificates that devices refused") \
  X(TRESPASS_ATTEMPTS,  "trespass.attempts",         COUNTER,   SUM,  "publishes and subscribes tried outside the device's own topics, each topic once") \
  X(TRESPASS_DELIVERED, "trespass.delivered",        COUNTER,   SUM,  "messages that crossed over: must be 0; where nobody tried, by subscriptions that an earlier run left at the broker") \
  X(TRESPASS_UNDECIDED, "trespass.undecided",        COUNTER,   SUM,  "attempts that the broker did not refuse and of which nothing shows whether they came through") \
  X(TRESPASS_EARLIER,   "trespass.earlier",          COUNTER,   SUM,  "telemetry of an earlier run that the broker kept for others' sessions") \
  X(TRESPASS_DENIED,    "trespass.denied",           COUNTER,   SUM,  "attempts that the broker refused with a reason code") \
  X(TRESPASS_CLOSED,    "trespass.closed",           COUNTER,   SUM,  "attempts that the broker answered by ending the connection") \
  X(MITM_ATTEMPTS,      "mitm.attempts",             COUNTER,   SUM,  "connections of devices to hostile servers that they were led to") \
  X(MITM_REFUSED,       "mitm.refused",              COUNTER,   SUM,  "of these, those that the device ended without having given anything, once the server had said all") \
  X(MITM_BELIEVED,      "mitm.believed",             COUNTER,   SUM,  "devices that gave application data to a server that any careful client refuses: must be 0") \
  X(MITM_ACCEPTED,      "mitm.accepted",             COUNTER,   SUM,  "devices that gave some to one that a client may refuse or accept") \
  X(MITM_UNSERVED,      "mitm.unserved",             COUNTER,   SUM,  "connections of devices that offer nothing which the server could take: they show nothing") \
  X(MITM_UNCLEAR,       "mitm.unclear",              COUNTER,   SUM,  "connections that ended before the server had said all, or were open still when it went: they show nothing") \
  X(REVOKE_REVOKED,     "revoke.revoked",            GAUGE,     SUM,  "devices that the CRL published last names") \
  X(REVOKE_REFUSE,      "revoke.refuse_ms",          HISTOGRAM, EACH, "CRL published to the last CONNACK that a revoked device got after it; 0: it got none and was refused") \
  X(REVOKE_REFUSE_FULL, "revoke.refuse_full_ms",     HISTOGRAM, EACH, "of these, the last CONNACK after a full handshake, where there was one") \
  X(REVOKE_REFUSE_RESUMED, "revoke.refuse_resumed_ms", HISTOGRAM, EACH, "of these, the last CONNACK after a resumed handshake, where there was one") \
  X(REVOKE_CUT,         "revoke.cut_ms",             HISTOGRAM, EACH, "CRL published to the end of a revoked device's open session that others than the plan ended") \
  X(REVOKE_UNREFUSED,   "revoke.unrefused",          GAUGE,     SUM,  "revoked devices that began to connect when the broker had taken the CRL, were let in and have not been refused since, or were let in again by a full handshake after a refusal (without a word: twice, by a broker that serves others), or with whose certificate a look was let in last: while there is one, revoke.refuse_*ms has no value. No value: nothing has shown that a list is in force at a broker that stands elsewhere, or that who was taken off it is let in again") \
  X(REVOKE_UNCUT,       "revoke.uncut",              GAUGE,     SUM,  "sessions of revoked devices that nobody has ended: open now, or open when the device was taken off the CRL; no value: a look has ended one") \
  X(REVOKE_ACCEPTS,     "revoke.accepts",            COUNTER,   SUM,  "CONNACKs that revoked devices got after the CRL was published") \
  X(REVOKE_RESUMED_ACCEPTS, "revoke.resumed_accepts", COUNTER,   SUM,  "of these, after a resumed handshake: must be 0") \
  X(REVOKE_REFUSALS,    "revoke.refusals",           COUNTER,   SUM,  "attempts of revoked devices that the broker ended without CONNACK: for their certificate, or without a word and no CONNACK came since") \
  X(REVOKE_COLLATERAL,  "revoke.collateral",         GAUGE,     SUM,  "devices that are not revoked and that were refused after a CRL was published: for their certificate, or without a word and no CONNACK came since: must be 0") \
  X(TOKEN_RENEWED,      "token.renewed",             COUNTER,   SUM,  "new tokens that were read in place of older ones of their devices, and were not over") \
  X(TOKEN_UNRENEWED,    "token.unrenewed",           COUNTER,   SUM,  "calls of the hook 'renew-token' after which the device's file held no other token, or one that was over") \
  X(TOKEN_REFUSED,      "token.refused",             COUNTER,   SUM,  "CONNECTs with a token that a broker refused as not authorised: connect.mqtt.refused_not_authorised") \
  X(TOKEN_EXPIRED_REFUSED, "token.expired_refused",  COUNTER,   SUM,  "of these, with a token that was over, by this machine's clock") \
  X(TOKEN_EXPIRED_ACCEPTS, "token.expired_accepts",  COUNTER,   SUM,  "CONNACKs that let in a device whose token was over") \
  X(TOKEN_OVERSTAYED,   "token.overstayed",          GAUGE,     SUM,  "sessions open now that were opened with a token that is over now: the broker does not end them with it") \
  X(BRAKE_ACTED,        "brake.acted",               COUNTER,   SUM,  "times that the safety brake came on") \
  X(BRAKE_HELD,         "brake.held",                COUNTER,   SUM,  "attempts that it put off") \
  X(BRAKE_ON,           "brake.on_s",                GAUGE,     MAX,  "seconds for which it was on") \
  X(COMPROMISE_CLONES,  "compromise.clones",         GAUGE,     SUM,  "copies of devices that went online beside them; nothing of theirs is in other metrics but the numbers that the operator gets twice") \
  X(COMPROMISE_ONLINE,  "compromise.online",         GAUGE,     SUM,  "clones with a live session at the end") \
  X(COMPROMISE_ACCEPTS, "compromise.accepts",        GAUGE,     SUM,  "CONNACKs that clones got") \
  X(COMPROMISE_CUT,     "compromise.cut",            GAUGE,     SUM,  "sessions of clones that the broker ended: the device came, or a kick") \
  X(COMPROMISE_REFUSED, "compromise.refused",        GAUGE,     SUM,  "attempts of clones that the broker refused: in the handshake, by closing after it, or by CONNACK") \
  X(COMPROMISE_DELIVERED, "compromise.delivered",    GAUGE,     SUM,  "telemetry of clones that the operator received under the names of their devices") \
  X(BROKER_TIMEOUTS,    "broker.handshake_timeouts", GAUGE,     SUM,  "connections that broker.handshake-timeout has cut off") \
  X(BROKER_STALE,       "broker.stale_leaf",         COUNTER,   SUM,  "full handshakes that were served another certificate than the one that the broker was seen to serve after it was presented: must be 0") \
  X(FAULT_CUT,          "fault.cut",                 COUNTER,   SUM,  "connections that a fault cut off after its number of bytes") \
  X(FAULT_RESET,        "fault.reset",               COUNTER,   SUM,  "connections that a fault reset") \
  X(FAULT_REFUSED,      "fault.refused",             COUNTER,   SUM,  "attempts that a fault refused: the broker never heard of them") \
  X(FAULT_SWALLOWED,    "fault.swallowed",           COUNTER,   SUM,  "attempts that went into a black hole: the broker never heard of them") \
  X(FAULT_BYTES_DELAYED,"fault.bytes_delayed",       COUNTER,   SUM,  "bytes that faults kept back, both ways") \
  X(OTA_OFFERED,        "ota.offered",               COUNTER,   SUM,  "devices that a rollout sent a manifest; a device that gets another one counts again") \
  X(OTA_BYTES,          "ota.bytes",                 COUNTER,   SUM,  "bytes of images that devices received") \
  X(OTA_RESENT_BYTES,   "ota.resent_bytes",          COUNTER,   SUM,  "of these, bytes that the device had already, or has to ask for again") \
  X(OTA_SERVED_BYTES,   "ota.served_bytes",          COUNTER,   SUM,  "bytes of images that the back office or the update server sent") \
  X(OTA_REQUESTS,       "ota.requests",              COUNTER,   SUM,  "requests for blocks over MQTT, and connections to the update server") \
  X(OTA_REQUESTS_PEAK,  "ota.requests_peak_per_s",   GAUGE,     SUM,  "most of these requests in one second") \
  X(OTA_SERVED_PEAK,    "ota.served_peak_bytes_per_s", GAUGE,     SUM,  "most bytes of images sent in one second") \
  X(OTA_REFUSED,        "ota.refused",               COUNTER,   SUM,  "updates that devices refused, or whose download they gave up") \
  X(OTA_ROLLED_BACK,    "ota.rolled_back",           COUNTER,   SUM,  "updates that the boot loader took back: the old image runs again") \
  X(OTA_UPDATED,        "ota.updated",               COUNTER,   SUM,  "updates whose image runs and has confirmed itself") \
  X(OTA_BRICKED,        "ota.bricked",               GAUGE,     SUM,  "devices that found no image to boot: must be 0") \
  X(OTA_DISAGREE,       "ota.disagree",              GAUGE,     SUM,  "devices whose last report is not what they have done: must be 0") \
  X(OTA_UNFINISHED,     "ota.unfinished",            GAUGE,     SUM,  "devices whose last rollout was one in the background that nobody called off, and that have not confirmed its image") \
  X(OTA_POWER_CUTS,     "ota.power_cuts",            COUNTER,   SUM,  "power cuts, each in the middle of an operation on flash or non-volatile memory") \
  X(OTA_FLASH_OPERATIONS, "ota.flash_operations",    COUNTER,   SUM,  "sectors that devices erased and stretches that they programmed in their image slots") \
  X(OTA_DOWNLOAD,       "ota.download_ms",           HISTOGRAM, EACH, "manifest accepted to image whole and its signature good") \
  X(OTA_APPLY,          "ota.apply_ms",              HISTOGRAM, EACH, "from there to the new image's own confirmation") \
  X(OTA_DEVICE_VERIFY,  "ota.device_verify_ms",      HISTOGRAM, EACH, "modelled: hash and signature of an image on the processor of the timing profile") \
  X(OTA_DEVICE_FLASH,   "ota.device_flash_ms",       HISTOGRAM, EACH, "modelled: time in which an update erased and programmed flash") \
  X(PROCESS_CPU,        "process.cpu_s",             GAUGE,     SUM,  "CPU seconds of this process, user and system") \
  X(PROCESS_RSS,        "process.rss_bytes",         GAUGE,     SUM,  "peak resident memory of this process") \
  X(PROCESS_LOOP_DELAY, "process.loop_delay_ms",     HISTOGRAM, EACH, "how long a turn of this process's event loop kept all devices waiting: its own share in their times, to 1 ms") \
  X(PROCESS_RSS_DEVICE, "process.rss_per_device_bytes", GAUGE,     MAX,  "growth of resident memory per device")
/* clang-format on */

enum metric {
#define X(symbol, name, kind, merged, line) METRIC_##symbol,
  METRICS(X)
#undef X
      METRIC_COUNT
};

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

/* How the values of two parts of a fleet, each measured for itself, become that of both. Where a
 * gauge of the whole cannot be known from its parts, its rule errs to the side that no expectation
 * is right to hope for: peaks that may not have come in the same second are added, and a time until
 * part of the devices were back is the longest of the parts'. */
enum metric_merge {
  METRIC_MERGE_SUM,
  METRIC_MERGE_MAX, /* of these, no value is the most: never */
  METRIC_MERGE_MIN,
  METRIC_MERGE_EACH, /* a histogram: bucket by bucket */
};

const char *metric_name(enum metric metric);
enum metric_kind metric_kind(enum metric metric);
enum metric_merge metric_merge(enum metric metric);
const char *metric_line(enum metric metric);

#define METRICS_FIRST_DEVICES 8 /* ids kept per failure name */

/* How often one named failure happened. */
struct metrics_failure {
  uint64_t count;
  uint64_t expected; /* of these, foretold by the scenario */
  uint32_t first_devices[METRICS_FIRST_DEVICES];
  size_t first_count;
  char detail[160]; /* of the first one: what the device saw, in words */
  /* the same of those that nobody foretold */
  uint32_t unexpected_devices[METRICS_FIRST_DEVICES];
  size_t unexpected_count;
  char unexpected_detail[160];
  /* metrics_set_phase: in which it first happened, and first so that nobody foretold it */
  unsigned first_phase, unexpected_first_phase;
};

/* Statistics of one histogram in the unit of its name (ms or us); all 0 when count is 0. */
struct metrics_stats {
  uint64_t count;
  double min, mean, p50, p90, p99, p99_9, max;
};

struct metrics;

/* NULL when memory is short. */
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

void metrics_add(struct metrics *metrics, enum metric counter, uint64_t n);
/* Takes back what was counted too early: at most what was added. */
void metrics_take_back(struct metrics *metrics, enum metric counter, uint64_t n);
void metrics_set(struct metrics *metrics, enum metric gauge, double value);
void metrics_record_us(struct metrics *metrics, enum metric histogram, uint64_t us);
void metrics_fail(struct metrics *metrics, enum device_failure failure, uint32_t device,
                  bool expected, const char *detail);

/* What fails from here on does so in that phase, from 1; 0, as at the start: before the first one. */
void metrics_set_phase(struct metrics *metrics, unsigned phase);

/* Adds what a part of the fleet measured, rule by rule as METRICS says. A gauge that one of them never
 * set is the other's. Of failures the first devices and words are those of `into`, then the part's.
 * A watch of a histogram (metrics_watch) does not see what came this way. */
void metrics_merge(struct metrics *into, const struct metrics *part);

/* counter or gauge; histogram: its count */
double metrics_value(const struct metrics *metrics, enum metric metric);
/* In a run that goes on: false for a gauge that nobody has set so far, and for what is counted when all
   of it is over (lost messages): their 0 says nothing. */
bool metrics_has_value(const struct metrics *metrics, enum metric metric);
void metrics_stats(const struct metrics *metrics, enum metric histogram, struct metrics_stats *out);
/* of all values of a histogram; a thousandth off at most */
double metrics_sum_us(const struct metrics *metrics, enum metric histogram);
/* How the values of a histogram are spread; each is at most a thousandth off. */
void metrics_buckets(const struct metrics *metrics, enum metric histogram, uint64_t out[BUCKETS]);
const struct metrics_failure *metrics_failure(const struct metrics *metrics,
                                              enum device_failure failure);

/* Looks a dotted name up as expectations write it: "connect.ok", "connect.total_ms.p99" (value in
 * ms or us as named). A percentile of nothing is NAN, which no comparison holds for: an expectation
 * cannot pass because nothing happened. 0, or -1 for an unknown name. */
int metrics_find(const struct metrics *metrics, const char *name, double *value);

/* Watches one counter or statistic of a histogram: what metrics_recent finds is of the time since
 * the last metrics_look (of a gauge: its value). A percentile of nothing is NAN. `name` must
 * outlive the metrics. 0, or -1 when the name is unknown or memory is short; a second watch takes
 * the place of the first. */
int metrics_watch(struct metrics *metrics, const char *name);
double metrics_recent(const struct metrics *metrics);
void metrics_look(struct metrics *metrics);

/* True if metrics_find would know the name: for checking a scenario before it runs. */
bool metrics_known(const char *name);

/* Whether its value is that of a run that is over, and 0 until then. */
bool metrics_are_of_the_end(const char *name);

/* Whether only who can tell messages apart where they arrive knows it. Where nobody can, these
 * values are NAN from metrics_lack_numbers on, and are not to be counted. */
bool metrics_need_numbers(const char *name);
void metrics_lack_numbers(struct metrics *metrics);

/* The same of what only a back office knows, in a run that has none: what is delivered, when, and
 * what devices report. What needs numbers needs one. */
bool metrics_need_operator(const char *name);
void metrics_lack_operator(struct metrics *metrics);

#endif

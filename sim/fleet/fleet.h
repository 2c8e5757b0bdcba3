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

#include "base/error.h"
#include "fleet/config.h"
#include "fleet/facts.h"
#include "fleet/recovery.h"
#include "net/fault.h"
#include "report/failure_set.h"

struct fleet;

/* Resident memory of one device while a fleet connects, about: its own parts, and what libuv and the
   TLS library allocate for it. Once idle it takes less. */
size_t fleet_bytes_per_device(const struct device_ops *ops, const struct device_profile *profile);

int fleet_create(const struct fleet_config *config, struct fleet **out, struct error *error);

/* Powers everything off without a word to the broker; `closed` runs when the memory may go (it is
   freed). */
void fleet_close(struct fleet *fleet, void (*closed)(void *ctx), void *ctx);

/* The order in which a fleet of `count` devices stands by its seed: `order` has room for them. */
void fleet_shuffle(uint32_t *order, size_t count, uint64_t seed);

/* Device indices in the seed's shuffled order: shares and waves are prefixes of it. A part has them
   in the order of the whole. */
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
size_t fleet_unacked(const struct fleet *fleet, size_t index, uint32_t out[FLEET_UNACKED_MAX]);

/* What became of a device's telemetry, as far as the device knows. */
void fleet_books(const struct fleet *fleet, size_t index, struct fleet_books *out);

/* Telemetry that devices were answerable for when they restarted: their memory is empty then,
 * nobody will send it again. Each message is in the list once; it is valid until the loop turns. */
const struct fleet_forgotten *fleet_forgotten(const struct fleet *fleet, size_t *count);

/* The device's wall clock: right, or started at `unix_s` now. */
void fleet_set_clock(struct fleet *fleet, const uint32_t *devices, size_t count, bool right,
                     int64_t unix_s);

/* What their lines are like from now on, at every endpoint; replaces the fault before. -1: out of
   memory, for some. */
int fleet_set_fault(struct fleet *fleet, const uint32_t *devices, size_t count,
                    const struct fault *fault, struct error *error);
void fleet_mend(struct fleet *fleet, const uint32_t *devices, size_t count);

/* The failures that faults may end in. They count as foretold for a device whose line has one. */
struct failure_set fleet_network_failures(void);

/* The name of config.place[place] leads elsewhere from the next attempt on; `host` of `now` is not
   looked at. */
void fleet_lead(struct fleet *fleet, size_t place, const struct fleet_place *now);

/* Ends the device's connection as a network does, and leads it elsewhere from its next attempt on,
 * whatever its name leads to; until fleet_lead_back, after which it finds its way by its reconnect
 * policy. -1: out of memory. */
int fleet_divert(struct fleet *fleet, size_t index, const struct fleet_diversion *diversion,
                 struct error *error);
void fleet_lead_back(struct fleet *fleet, const uint32_t *devices, size_t count);

/* Device `index` publishes to each topic of the device with the index `victim`, and subscribes to all
 * of them at once and to each; to those of firmware updates too, where the fleet takes some. One
 * attempt after the other, in a live session: if the broker ends that, the next one is made in the
 * session after it. -1: no memory. */
int fleet_trespass(struct fleet *fleet, size_t index, size_t victim);

/* It has attempts to make, or waits for the answer to one. */
bool fleet_is_trespassing(const struct fleet *fleet, size_t index);

/* When the trespasser `index` has made them: its victim speaks on each of its own
 * topics. The caller sends an empty message to it on each of those that lead to it, `number` from 0
 * (NULL: there are no more), and says on which of the others it was heard. */
void fleet_lure(struct fleet *fleet, size_t index);
const char *fleet_lure_below(const struct fleet *fleet, size_t number);
void fleet_lure_heard(struct fleet *fleet, size_t index, const char *below);

/* How many of its attempts nobody can judge: the broker has not refused them, and nothing that
 * belongs on that topic got through since the lure, or the trespasser's subscription ended with its
 * connection meanwhile. `*below`: the first such topic. */
size_t fleet_undecided(const struct fleet *fleet, size_t index, const char **below);

/* Nobody makes attempts any more. */
void fleet_end_trespass(struct fleet *fleet);

/* Whether a broker may hold a session of the device's still, which for the device is over: it was
 * left open (facts.h), and one and a half times its keep-alive has not passed since: then the broker
 * must have ended it (MQTT 5, 3.1.2.10). */
bool fleet_may_be_held(const struct fleet *fleet, size_t index);

/* Whether the device has a session at the main endpoint and, if that ended, would know at once: it is
   on no line that swallows or cuts, and not computing. */
bool fleet_would_tell(const struct fleet *fleet, size_t index);

/* The back office has a session at the broker `node`, a new one (`anew`) or the one from before: so
 * that broker serves, and what it says nothing to is a word about a certificate. */
void fleet_hears_office(struct fleet *fleet, int node, bool anew);

/* The broker `node` serves this certificate (SHA-256 of its DER) at the main endpoint from now on;
 * NULL: none that a device may count as proof. Until a first call for a node every certificate
 * counts there. A device that accepts another one in a full handshake on a connection that opens
 * later counts in broker.stale_leaf, until fleet_may_serve_another. */
void fleet_serves(struct fleet *fleet, int node, const uint8_t fingerprint[32]);
void fleet_may_serve_another(struct fleet *fleet, int node);

/* Valid where broker.stale_leaf is not 0. */
struct fleet_stale fleet_first_stale(const struct fleet *fleet);

/* Whether the device has accepted the certificate that its broker serves now, in a full
   handshake. */
bool fleet_is_proven(const struct fleet *fleet, size_t index);

/* A CRL was published now, and names device i where names[i] is set. Refusals, CONNACKs and ends of
 * sessions are measured from here on (revoke.* of report/metrics.h); a device that is no longer
 * named stops being measured. -1: no memory to measure them in. */
int fleet_publish_crl(struct fleet *fleet, const bool *names, struct error *error);

/* The brokers have taken the CRL that was published last: whoever it names and begins to connect
 * from here on must not be let in (revoke.unrefused); nor before, who has lost a session since it was
 * published. */
void fleet_crl_taken(struct fleet *fleet);

/* Somebody who is not the device looks with its certificate. An end of its session meanwhile is
 * booked as the look closes: where the look was let in it is the look's, and the time for which the
 * session would have lasted is not known (revoke.uncut has no value while that counts). */
void fleet_look_opens(struct fleet *fleet, size_t index);
void fleet_look_closes(struct fleet *fleet, size_t index, bool let_in);

/* Somebody who is not the device has looked with its certificate, in a full handshake, whether it is
 * let in after all. One that the CRL names counts in revoke.unrefused while the last look was; no
 * other figure of the device's knows of it. */
void fleet_look_ended(struct fleet *fleet, size_t index, bool let_in);

/* The same of certificates on the CRL that their devices do not hold any more: with so many a look
   was let in last. They count in revoke.unrefused. */
void fleet_former_let_in(struct fleet *fleet, size_t count);

/* Bit n: since the CRL names it broker n has refused the device as one on a list may be, for its
 * certificate or without a word while it served others, and has not let it in since. As expired, or of
 * an unknown CA, says nothing of the list; of who was not let in before it nothing but 'revoked' does.
 * `told`: where it was told that. */
uint8_t fleet_refused_at(const struct fleet *fleet, size_t index, bool told);

/* Puts the gauges of revoke.* right, and at the end (`last`) books the last CONNACK of whoever is
   revoked still. */
void fleet_measure_revoked(struct fleet *fleet, bool last);

/* --- Firmware updates ------------------------------------------------------------------------- */

/* NULL: these devices take no updates. */
const struct fleet_ota_facts *fleet_ota_facts(const struct fleet *fleet, size_t index);

/* A power cut in the step is why the device has not done what it should: it has not been back since, was
 * rolled back by it, or its update goes on. */
bool fleet_power_cut_lasts(const struct fleet *fleet, size_t index);

/* Never NULL. */
const struct fleet_ota_tally *fleet_ota_tally(const struct fleet *fleet,
                                              enum device_ota_status status);

/* Arms power cuts of these devices, which must have flash. A cut tears the operation under way at a
 * random byte; the device is gone without a word to anybody, boots 0.2 to 2 s later and goes on by
 * its reconnect policy. */
void fleet_power_cut(struct fleet *fleet, const uint32_t *devices, size_t count,
                     const struct fleet_power_cuts *cuts);

void fleet_begin_phase(struct fleet *fleet);

/* Before a step that may fall short: which device is counted where is of this step from now on. */
void fleet_begin_step(struct fleet *fleet);

/* Failures that the scenario foretells from now on. An attempt that has begun before may still end
 * as was foretold then. */
void fleet_expect(struct fleet *fleet, const struct failure_set *failures);

void fleet_census(const struct fleet *fleet, struct fleet_census *out);

/* Microseconds on the fleet's clock since fleet_create: what telemetry carries. Safe from any
   thread. */
uint64_t fleet_clock_us(void *fleet);

#endif

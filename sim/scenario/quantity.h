/* Quantities of the fleet that an expression may name: one line each, for the reader's checks, for
 * its sentences, and for the run that observes them.
 *
 * X(SYMBOL, name, argument, bare, counts, whole, line): the argument it takes and whether it may
 * stand without; the predicates in stage/quantities.c of the devices that count towards it, and of
 * those that a percentage is of (NULL: it is no count of devices); the line of the manual.
 */
#ifndef FLEETSIM_SCENARIO_QUANTITY_H
#define FLEETSIM_SCENARIO_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
#define QUANTITIES(X) \
  X(ONLINE,      "online",      NOTHING, true,  is_online,      is_awake, \
    "devices that have a live session: CONNACK was received, and nothing has ended it")   \
  X(AWAKE,       "awake",       NOTHING, true,  is_awake,       is_anybody, \
    "devices that are switched on by the plan") \
  X(SHELVED,     "shelved",     NOTHING, true,  is_shelved,     is_anybody, \
    "devices that are switched off by the plan") \
  X(ALL,         "all",         NOTHING, true,  is_anybody,     is_anybody, \
    "all devices of the fleet") \
  X(TRUSTING,    "trusting",    ROOT,    false, is_trusting,    is_awake, \
    "devices that have acknowledged a trust bundle with this root, and it is in force on the device")   \
  X(PROVEN,      "proven",      ROOT,    false, is_proven,      is_awake, \
    "devices that have accepted a chain that ends at this root in a full handshake, and got CONNACK")   \
  X(IDENTIFIED,  "identified",  ROOT,    false, is_identified,  is_awake, \
    "devices that have, in their latest session, had a certificate accepted whose chain, as sent, leads to this root")   \
  X(REFUSED,     "refused",     REASON,  true,  is_refused,     is_awake, \
    "devices that have refused the broker, or been refused, for this reason since the phase began; without one: for any")   \
  X(REVOKED,     "revoked",     NOTHING, true,  is_revoked,     is_anybody, \
    "devices that hold a certificate that the list published last names") \
  X(RECONNECTED, "reconnected", NOTHING, true,  is_reconnected, is_awake, \
    "devices that have got a new CONNACK since the phase began")   \
  X(FAILURES,    "failures",    NAME,    false, NULL,           NULL, \
    "how often this failure happened in the whole run (no number of devices)")       \
  X(ON,          "on",          NODE,    false, is_on,          is_awake, \
    "devices that are online at this broker")   \
  X(UPDATED,     "updated",     IMAGE,   false, is_updated,     is_anybody, \
    "devices that run this image, and it has confirmed itself") \
  X(TOUCHED,     "touched",     IMAGE,   false, is_touched,     is_anybody, \
    "devices that were offered this image") \
  X(OTA,         "ota",         STATUS,  false, is_at,          is_anybody, \
    "devices that have this status of their last update, as it is on the device") \
  X(REPORTED,    "reported",    STATUS,  false, is_reported,    is_anybody, \
    "devices that have this status of their last update, as the back office was told")

#define X(symbol, name, argument, bare, counts, whole, line) QUANTITY_##symbol,
enum quantity { QUANTITIES(X) QUANTITY_COUNT };
#undef X
/* clang-format on */

/* ROOT: of pki.roots; REASON: the last part of a connect.tls.* failure, NAME: a whole one; NODE: a
 * broker; IMAGE: "factory", or one that is published; STATUS: of an update. */
enum quantity_argument {
  QUANTITY_NOTHING,
  QUANTITY_ROOT,
  QUANTITY_REASON,
  QUANTITY_NAME,
  QUANTITY_NODE,
  QUANTITY_IMAGE,
  QUANTITY_STATUS,
};

/* -1: there is none of that name. */
int quantity_find(const char *name);
enum quantity_argument quantity_argument(enum quantity quantity);

const char *quantity_name(enum quantity quantity);
const char *quantity_line(enum quantity quantity);
const char *quantity_argument_name(enum quantity quantity); /* "ROOT"; "NOTHING" */

/* "online, awake, trusting(ROOT)" and so on, all of them. */
const char *quantity_list(char *out, size_t size);

#endif

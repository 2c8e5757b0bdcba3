/* Quantities of the fleet that an expression may name: one line each, for the reader's checks, for
 * its sentences, and for the run that observes them.
 *
 * X(SYMBOL, name, argument, bare, counts, whole): the argument it takes and whether it may stand
 * without; the predicates in stage/quantities.c of the devices that count towards it, and of those
 * that a percentage is of. NULL: it is no count of devices.
 */
#ifndef FLEETSIM_SCENARIO_QUANTITY_H
#define FLEETSIM_SCENARIO_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
#define QUANTITIES(X) \
  X(ONLINE,      "online",      NOTHING, true,  is_online,      is_awake)   \
  X(AWAKE,       "awake",       NOTHING, true,  is_awake,       is_anybody) \
  X(SHELVED,     "shelved",     NOTHING, true,  is_shelved,     is_anybody) \
  X(ALL,         "all",         NOTHING, true,  is_anybody,     is_anybody) \
  X(TRUSTING,    "trusting",    ROOT,    false, is_trusting,    is_awake)   \
  X(PROVEN,      "proven",      ROOT,    false, is_proven,      is_awake)   \
  X(IDENTIFIED,  "identified",  ROOT,    false, is_identified,  is_awake)   \
  X(REFUSED,     "refused",     REASON,  true,  is_refused,     is_awake)   \
  X(REVOKED,     "revoked",     NOTHING, true,  is_revoked,     is_anybody) \
  X(RECONNECTED, "reconnected", NOTHING, true,  is_reconnected, is_awake)   \
  X(FAILURES,    "failures",    NAME,    false, NULL,           NULL)       \
  X(ON,          "on",          NODE,    false, is_on,          is_awake)   \
  X(UPDATED,     "updated",     IMAGE,   false, is_updated,     is_anybody) \
  X(TOUCHED,     "touched",     IMAGE,   false, is_touched,     is_anybody) \
  X(OTA,         "ota",         STATUS,  false, is_at,          is_anybody) \
  X(REPORTED,    "reported",    STATUS,  false, is_reported,    is_anybody)

#define X(symbol, name, argument, bare, counts, whole) QUANTITY_##symbol,
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

/* "online, awake, trusting(ROOT)" and so on, all of them. */
const char *quantity_list(char *out, size_t size);

#endif

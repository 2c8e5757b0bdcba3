/* The kinds of broker that a run can be about, in one list with what is true of each, so that
 * whoever reads a scenario and whoever plays one ask for what they need to know and never for the
 * kind. A kind is its line here and sim/broker/NAME.c, which says how it is done
 * (broker/kind.h).
 */
#ifndef FLEETSIM_BROKER_KINDS_H
#define FLEETSIM_BROKER_KINDS_H

#include <stdbool.h>

enum broker_trait {
  /* its life is the run's: it is started by us, can be killed, frozen, thawed, stopped and started
     again, and is gone with the run. What is asked of it has been done when it says so */
  BROKER_OWNED = 1,
  /* it begins with what was written for it before it was started, and knows nothing of earlier
     runs */
  BROKER_FRESH = 2,
  /* what is asked of it is a hook of the scenario's: one set of them for all its addresses, each
     with a time of its own, and with an end that claims and does not prove */
  BROKER_HOOKED = 4,
  /* several machines may stand behind one address: one look at it proves nothing */
  BROKER_CROWD = 8
};

/* symbol, C name, the word after `broker: {local:` (NULL: it is reached by a URL), traits */
/* clang-format off */
#define BROKER_KINDS(X) \
  X(MOSQUITTO, mosquitto, "mosquitto", BROKER_OWNED | BROKER_FRESH) \
  X(REMOTE,    remote,    NULL,        BROKER_HOOKED | BROKER_CROWD) /* the user's own, elsewhere */
/* clang-format on */

enum broker_kind {
#define X(symbol, name, word, traits) BROKER_KIND_##symbol,
  BROKER_KINDS(X)
#undef X
      BROKER_KINDS_COUNT
};

bool broker_kind_is(enum broker_kind kind, enum broker_trait trait);
const char *broker_kind_word(enum broker_kind kind); /* "mosquitto"; NULL */

#endif

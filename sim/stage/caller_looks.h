/* Whether one broker takes somebody under a root. */
#ifndef FLEETSIM_STAGE_CALLER_LOOKS_H
#define FLEETSIM_STAGE_CALLER_LOOKS_H

#include "stage/stage.h"

/* Somebody under one root. */
struct stage_guest {
  const char *root; /* NULL: there is nobody */
  struct broker_pair files;
  size_t whose; /* the device that has this certificate, or PKI_NOBODY */
};

/* Him, and what the broker should make of him. */
struct stage_caller {
  struct stage_guest as;
  struct stage_guest beside; /* of a root that it should trust, where this one is not welcome */
  bool welcome;
  bool unlisted;    /* no step has spoken of his root: one look at an address is enough */
  bool restarted;   /* the broker was */
  const char *when; /* he was asked about before; NULL: the first time */
};

/* Looks at the broker as him until the answer is the one that it should be, at every look of a
 * round, or the step's broker_ms (10 s where it has none) are over. One look at first, and as long
 * as that is not right one after ever longer pauses; then a round. FAILED says what the broker does;
 * what nobody could see of one that was as it should be before is a note. */
enum step_outcome stage_await_caller(struct stage *stage, size_t node,
                                     const struct stage_caller *caller);

#endif

/* A descriptor as a terminal: whether it can be painted on, and how large it is. */
#ifndef FLEETSIM_TERMINAL_H
#define FLEETSIM_TERMINAL_H

#include <stdbool.h>

struct terminal {
  unsigned columns, rows; /* of its window; 80 and 24 of one that does not tell */
  bool ready; /* it takes what is written now; false: somebody has stopped it (Ctrl-S) */
};

/* Whether it is a terminal that may have colours and cursor moves: false where TERM says "dumb" or
 * nothing, and where NO_COLOR is set to anything. */
bool terminal_paints(int descriptor);

/* The same, and its size as it is now. */
bool terminal_look(int descriptor, struct terminal *out);

#endif

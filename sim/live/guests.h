/* Who is connected, in the order in which they came, so that there is always a place for the next one: a crowd
 * that holds its connections must not be what keeps Prometheus out. Of the server's thread. Internal to
 * sim/live. */
#ifndef FLEETSIM_LIVE_GUESTS_H
#define FLEETSIM_LIVE_GUESTS_H

#include <stdbool.h>
#include <stddef.h>

/* A connection. */
struct guest {
  int fd;
  bool asked;    /* a request of it is being answered */
  bool looks_on; /* by the events, as long as it likes; such are few by their own limit */
  bool leaving;  /* it was shown the door */
  struct guest *next;
};

struct guests {
  struct guest *first;
  size_t count;
};

void guests_arrive(struct guests *guests, struct guest *guest);
void guests_leave(struct guests *guests, struct guest *guest);

size_t guests_looking_on(const struct guests *guests);

/* Who is to go: the oldest that asks nothing, or else that is being answered; NULL: nobody. */
struct guest *guests_dispensable(const struct guests *guests);

#endif

/* What keeps somebody out of a broker in memory beside certificates and lists: that he has come too
 * often, or that he was banned. He is known by a certificate, a client id, or an address. */
#ifndef FLEETSIM_TRACE_BOUNCER_H
#define FLEETSIM_TRACE_BOUNCER_H

#include <stdbool.h>

#define BOUNCER_CAME   400 /* remembered */
#define BOUNCER_BANNED 4

struct bouncer {
  unsigned limit; /* of one name; 0: there is none .. */
  unsigned per_s; /* .. within so many seconds; 0: a minute. Whom it turns away counts, too */
  bool bans;      /* whom a hook kicks */
  unsigned came, banned;
  struct {
    char name[40];
    unsigned long long at_us;
  } visit[BOUNCER_CAME]; /* a ring */
  char ban[BOUNCER_BANNED][40];
};

/* Somebody of that name comes: whether he may. */
bool bouncer_admits(struct bouncer *bouncer, const char *name);

/* Whoever it is was kicked. */
void bouncer_kicked(struct bouncer *bouncer, const char *name);

#endif

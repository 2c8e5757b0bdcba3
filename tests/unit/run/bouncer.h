/* What keeps somebody out of a broker in memory beside certificates and lists: that he has come too
 * often, or that he was banned. */
#ifndef FLEETSIM_TRACE_BOUNCER_H
#define FLEETSIM_TRACE_BOUNCER_H

#include <stdbool.h>

#define BOUNCER_CAME   400 /* remembered */
#define BOUNCER_BANNED 4

struct bouncer {
  unsigned limit; /* a minute of one certificate; 0: there is none */
  bool bans;      /* whom a hook kicks */
  unsigned came, banned;
  struct {
    char name[40];
    unsigned long long at_us;
  } visit[BOUNCER_CAME]; /* a ring */
  char ban[BOUNCER_BANNED][40];
};

/* Somebody with a certificate of that name comes: whether he may. */
bool bouncer_admits(struct bouncer *bouncer, const char *name);

/* Whoever it is was kicked. */
void bouncer_kicked(struct bouncer *bouncer, const char *name);

#endif

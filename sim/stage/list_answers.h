/* What the answers to a look say of a list: whether it keeps somebody out, or lets in who was taken off
 * it. */
#ifndef FLEETSIM_STAGE_LIST_ANSWERS_H
#define FLEETSIM_STAGE_LIST_ANSWERS_H

#include "stage/device_looks.h"

/* What one address says of somebody. */
struct stage_asked {
  struct stage_listed *one;
  struct stage_device_look look;
  uint64_t until_ms, after_ms;
  uint64_t due_ms, pause_ms;    /* the next round, and how long after the last one */
  bool glances;                 /* one look and no control, as it is not as it should be */
  struct stage_control control; /* the last one, which .. */
  unsigned further;             /* .. so many looks as got further for */
  unsigned rounds;              /* that were more than a glance */
  bool whole;    /* the last one of all looks kept each out, and no glance since got in */
  unsigned turn; /* so many controls did not get further */
  bool over, left_alone, proven;
  bool by_device; /* a device's certificate has been the control */
  bool like;      /* the control of the last round is one to compare with */
};

/* Its device was let in before the list, or has been since. */
bool stage_asked_has_been_in(const struct stage *stage, const struct stage_listed *one);

/* The last look was not as it should be, whoever else is let in there. */
bool stage_asked_is_contrary(const struct stage_asked *asked);

/* It was kept out as everybody is, for its id, say, and later than the list was seen to keep others out:
 * in CONNACK, or without the word 'revoked'. */
bool stage_asked_is_later(const struct stage *stage, const struct stage_asked *asked);

/* Who comes more often than a broker likes is kept out as well: not if the control was let in more
 * often just now than this one was in the whole run, by looks and by what its device came, as far
 * as TLS, more often than the other's was let in. So many times it still has to be. */
unsigned stage_asked_lacks(const struct stage *stage, const struct stage_asked *asked);

/* Who is on no list was told "expired" by the last look, and is not: the list is over that the
 * broker goes by. */
bool stage_asked_is_shut_out(const struct stage_asked *asked);

/* After a round that was more than a glance: whether it has shown what it should, in `proven`. True: only
 * because the control was let in too seldom it has not. */
bool stage_asked_conclude(struct stage *stage, struct stage_asked *asked);

#endif

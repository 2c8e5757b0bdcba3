/* What devices compute and move becomes counters. */
#ifndef FLEETSIM_FLEET_WORK_H
#define FLEETSIM_FLEET_WORK_H

struct member;

/* A handshake that ended well in this step goes into the histograms. */
void work_book_handshake(struct member *member);

/* What the device has computed and moved goes into the counters, and starts at nothing again. */
void work_book(struct member *member);

#endif

/* The one deadline of a member. */
#ifndef FLEETSIM_FLEET_DUE_H
#define FLEETSIM_FLEET_DUE_H

struct member;

/* Sets it to the earliest thing that is due; to be called after a change of one of them. */
void due_arm(struct member *member);

#endif

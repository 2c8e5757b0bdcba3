/* What an outage costs: counts as sessions come and go. */
#ifndef FLEETSIM_FLEET_OUTAGE_H
#define FLEETSIM_FLEET_OUTAGE_H

struct fleet;

/* After a change of who is online or wanted, and after a session has ended. */
void outage_count_change(struct fleet *fleet);
void outage_count_lost(struct fleet *fleet);

/* A handshake has begun, or ended without CONNACK. */
void outage_count_begun(struct fleet *fleet);
void outage_count_wasted(struct fleet *fleet);

#endif

/* Downloads over HTTPS that devices ask for, one at a time: they need power, and no session with
 * the broker. */
#ifndef FLEETSIM_FLEET_DOWNLOAD_H
#define FLEETSIM_FLEET_DOWNLOAD_H

#include "fleetsim/ota.h"
#include "net/fetch.h"

struct member;

/* Begins a download instead of the one before; one that cannot begin sets `unfetched`. `handler` is
   called with the member. */
void download_begin(struct member *member, const struct device_fetch *fetch,
                    const struct fetch_handler *handler);
void download_is_over(struct member *member); /* the handler was told so */

/* Ends the one under way without a word. */
void download_abort(struct member *member);
void download_pause(struct member *member, bool paused);

#endif

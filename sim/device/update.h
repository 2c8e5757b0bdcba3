/* What the back office sends a device about itself: trust bundles and certificates, and the answer
   to them. */
#ifndef FLEETSIM_DEVICE_UPDATE_H
#define FLEETSIM_DEVICE_UPDATE_H

#include "session.h"

#define DEVICE_UPDATE_TEXT_MAX 72u

/* Handles `message` if it is an update: puts it in force in NVM, queues the acknowledgement, tells
 * the observer and bars session tickets that stand on what was replaced. `trust_version` is the
 * version in force. Returns 1 handled, 0 no update or an empty one, -1 handled but the
 * acknowledgement did not fit. */
int device_update_handle(struct device_session *session, const struct device_mqtt_publish *message,
                         uint32_t *trust_version);

/* {"status":"committed","version":3,"of":2571698364}. `of` is device_nvm_crc of the message that it
 * answers: a broker may hand a device what another day's back office has sent it, and the versions
 * of two days are no different. */
void device_update_text(enum device_update update, uint32_t version, uint32_t of,
                        char out[DEVICE_UPDATE_TEXT_MAX]);

#endif

/* The record buffers of connections whose handshake is over.
 *
 * Between steps an idle connection's buffers hold nothing but a counter of eight bytes. A program
 * that runs many clients (a gateway, a simulator) therefore needs one pair of them, which every
 * connection uses in its turn. Built with DEVICE_SHARE_RECORDS the first connection that is past
 * its handshake leaves its pair to all, and the last one frees it; what a connection has not read
 * to its end when its step is over waits in a block of its own. Without it, as firmware with one
 * client would have it, each connection keeps its pair, and these functions do nothing.
 */
#ifndef FLEETSIM_DEVICE_TLS_RECORDS_H
#define FLEETSIM_DEVICE_TLS_RECORDS_H

#include "tls.h"

/* Of device_tls_settle, within a step: from here on the connection uses the shared pair, until
   device_tls_records_rest. One that has bytes to send still, or buffers of another size, keeps its
   own. */
void device_tls_records_share(struct device_tls *tls);

/* A step begins and ends: between the two the library may be called. The end is 0, or the library's
 * error where there is no memory for what the connection has to keep. */
void device_tls_records_wake(struct device_tls *tls);
int device_tls_records_rest(struct device_tls *tls);

/* Before mbedtls_ssl_free: what is shared is no longer this connection's. */
void device_tls_records_leave(struct device_tls *tls);

#endif

/* The library's configuration of connections whose handshake is over.
 *
 * A handshake's configuration knows one device: its key, its anchors, whom to ask about a
 * certificate. It lies in struct device_tls_handshake and goes with it. What reading and writing
 * look at afterwards (versions, tickets, entropy) is the same for all devices of a profile: they
 * share it, read-only, as long as one of them is connected.
 */
#ifndef FLEETSIM_DEVICE_TLS_SETTINGS_H
#define FLEETSIM_DEVICE_TLS_SETTINGS_H

#include <mbedtls/ssl.h>

/* What `of` says without its device, until device_tls_settings_put; NULL: there is no memory. The
   first kind of them in a program needs none. */
const mbedtls_ssl_config *device_tls_settings_get(const mbedtls_ssl_config *of);
void device_tls_settings_put(const mbedtls_ssl_config *settings);

#endif

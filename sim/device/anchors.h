/* Parsed trust anchors, shared by the handshakes of this program that stand on the same ones.
 *
 * A program that runs many clients (a gateway, a simulator) parses a root once and not in each
 * handshake. Built with DEVICE_KEEP_ANCHORS the latest set stays parsed while any client is
 * switched on; without it, as firmware with one client would have it, only while a handshake uses
 * it, so that an idle device carries none.
 */
#ifndef FLEETSIM_DEVICE_ANCHORS_H
#define FLEETSIM_DEVICE_ANCHORS_H

#include <mbedtls/x509_crt.h>

#include "trust.h"

/* Anchors of `bundle` for one handshake, read-only, until device_anchors_put. `own` is an
 * initialised list for the case that other handshakes still use another bundle's. 0 and *out, or
 * the library's error. */
int device_anchors_get(const struct device_trust_bundle *bundle, mbedtls_x509_crt *own,
                       mbedtls_x509_crt **out);

/* `own` as given to device_anchors_get; frees what is this handshake's alone. */
void device_anchors_put(mbedtls_x509_crt *anchors, mbedtls_x509_crt *own);

/* A client is switched on, and off: with the last one nothing is kept. */
void device_anchors_attach(void);
void device_anchors_detach(void);

#endif

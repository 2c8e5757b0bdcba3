/* The non-volatile memory of one device of ours, in RAM, flashed with what a case has it trust. */
#ifndef FLEETSIM_GAUNTLET_OWN_PAGE_H
#define FLEETSIM_GAUNTLET_OWN_PAGE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "fleetsim/device.h"

/* Writes identity and certificate, and offers the anchors the way of every bundle: signed, to be
 * judged. Returns what the device says of that; DEVICE_UPDATE_COUNT: it cannot be flashed at all.
 * Inside device_platform_enter, after psa_crypto_init. */
enum device_update own_page_flash(const struct device_host *host, const char *name, EVP_PKEY *key,
                                  X509 *certificate, X509 *const *anchors, size_t count);

#endif

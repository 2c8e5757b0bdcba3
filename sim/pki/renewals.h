/* Certificates of devices that the fleet's owner had issued himself, for keys that the devices have:
 * one at a time, as his CA answers a signing request, or a list of them. Each is judged as the device
 * will judge it, before it is sent anywhere. */
#ifndef FLEETSIM_PKI_RENEWALS_H
#define FLEETSIM_PKI_RENEWALS_H

#include "pki/pki.h"

/* Writes the signing request that was kept of the device, PEM. */
int pki_write_request(struct pki *pki, size_t index, const char *path, struct error *error);

/* A device's next certificate, from a file in any form of pki/contents.h, with its intermediates
 * behind it in any order: `out` receives the chain in the format of sim/device/identity.h, and the
 * registry gets a row, as with pki_reissue. USAGE, with the file's name and without the device's,
 * where it is not for the device's key, does not name the device as its first certificate did,
 * cannot be loaded, is not under `root` by its signatures, not in force, or not for clients; where its
 * issuer has given its serial number to another one, or has issued the one that the device holds
 * after it. No device may be at work, between two turns of the loop none is. */
int pki_renew_from(struct pki *pki, size_t index, const char *root, const char *path, uint8_t *out,
                   size_t capacity, size_t *size, struct error *error);

struct pki_renewals;

/* Reads a list (pki/csv.h) with columns id, certificate and, for intermediates in a file of their
 * own, chain; paths are relative to it. USAGE, with FILE:LINE, where a line is none or names nobody
 * of the fleet, or somebody for the second time. To be closed after a success. */
int pki_renewals_open(struct pki *pki, const char *csv, struct pki_renewals **out,
                      struct error *error);
void pki_renewals_close(struct pki_renewals *renewals);

/* Whether the list has a line for the device. */
bool pki_renewals_has(const struct pki_renewals *renewals, size_t index);

/* Judges every certificate of the list, and changes nothing. USAGE with FILE:LINE. */
int pki_renewals_check(struct pki *pki, const struct pki_renewals *renewals, const char *root,
                       struct error *error);

/* pki_renew_from of the device's line, which must be there; USAGE with FILE:LINE. */
int pki_renewals_take(struct pki *pki, const struct pki_renewals *renewals, size_t index,
                      const char *root, uint8_t *out, size_t capacity, size_t *size,
                      struct error *error);

#endif

/* Why a file is no firmware to sign, or no image that a device would take: its cause, and what to
   do about it. */
#ifndef FLEETSIM_PKI_IMAGE_CAUSE_H
#define FLEETSIM_PKI_IMAGE_CAUSE_H

#include "device/image.h"

#define PKI_IMAGE_CAUSE_MAX 320

/* Bytes of a file's begin that pki_image_kind looks at, where the file has so many. */
#define PKI_IMAGE_KIND_BYTES 512u

/* What kind of file begins with these bytes, where it is one that is certainly no raw firmware: an
 * image that is signed already, Intel HEX, ELF, UF2, an archive, a key... The first receives its
 * name, the second what to do. False: it may be firmware. */
bool pki_image_kind(const uint8_t *data, size_t size, const char **name, const char **advice);

/* MCUboot's name of an entry, or ours; "unknown". */
const char *pki_image_entry_name(uint16_t type);

/* Why a device refuses the image, as device_image_examine found it: a sentence without a full stop,
 * "" where it found nothing. */
void pki_image_cause(const struct device_image_source *source,
                     const struct device_image_finding *finding, char out[PKI_IMAGE_CAUSE_MAX]);

/* Whether zeros follow the DER of an image's signature, as imgtool's --pad-sig leaves them. False
 * also where it cannot be read. */
bool pki_image_signature_is_padded(const struct device_image_source *source,
                                   const struct device_image_info *info);

/* Of such an image, at devices that do not take it. */
#define PKI_IMAGE_PADDED_SENTENCE                                                                  \
  "zeros follow its signature (imgtool's --pad-sig): MCUboot takes that over TinyCrypt, CC310 "    \
  "and PSA, and refuses "                                                                          \
  "it over Mbed TLS; if yours takes it, write 'ota: {padded-signatures: yes}', else sign without " \
  "--pad-sig"

/* What a device does not look at although some boot loaders do: vendor id, class id. A sentence,
 * "": there is nothing.
 */
void pki_image_note(const struct device_image_source *source, const struct device_image_info *info,
                    char out[PKI_IMAGE_CAUSE_MAX]);

#endif

/* An image of MCUboot's format without its cryptography: header, firmware and protected list, which
 * are hashed, and the list behind them that holds hash, key and signature. */
#ifndef FLEETSIM_PKI_IMAGE_FRAME_H
#define FLEETSIM_PKI_IMAGE_FRAME_H

#include "pki/image.h"

/* A signature's DER has at most 72 bytes, mostly 70 to 72. Signing again until it has 71 gives
 * every image of one size the same layout. */
#define PKI_IMAGE_SIGNATURE_SIZE 71u

/* Bytes of the file that are not firmware. */
uint32_t pki_image_frame_size(const struct pki_image *image);

/* Writes what is hashed, with `body_size` bytes of firmware in it: image->body, which may lie there
 * already, or of image->seed. Returns its end. */
uint8_t *pki_image_frame_signed(const struct pki_image *image, uint8_t *out, uint32_t body_size);

/* Writes the rest, from that end on. */
void pki_image_frame_close(uint8_t *at, const uint8_t hash[32], const uint8_t key_hash[32],
                           const uint8_t signature[PKI_IMAGE_SIGNATURE_SIZE]);

#endif

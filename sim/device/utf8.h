/* Texts from outside, a character at a time. */
#ifndef FLEETSIM_DEVICE_UTF8_H
#define FLEETSIM_DEVICE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the one character that starts at `text`, of which there are `size` bytes, at least 1; 0
 * if it is not well formed (RFC 3629), a surrogate or U+0000. */
size_t device_utf8_character(const uint8_t *text, size_t size);

#endif

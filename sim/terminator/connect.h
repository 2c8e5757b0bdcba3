/* The one MQTT packet that the terminator understands: CONNECT. */
#ifndef FLEETSIM_TERMINATOR_CONNECT_H
#define FLEETSIM_TERMINATOR_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINATOR_NAME_MAX 65 /* a CN (RFC 5280: 64 characters) and the zero */

/* Of the bytes that a client has sent so far. */
struct terminator_connect {
  size_t taken;      /* bytes of the CONNECT in `data`; 0: more are needed */
  size_t size;       /* bytes in `out` */
  const char *wrong; /* why the client must go, as a part of a sentence; NULL: nothing */
};

/* Takes CONNECT from the head of `data` and writes it to `out` with `name` as its user name. A
 * client that brings a user name or password of its own is refused, and so is one whose client id
 * is not `id` (NULL: any is taken). `out` has room for `size` + TERMINATOR_NAME_MAX + 8 bytes. */
struct terminator_connect terminator_connect(const uint8_t *data, size_t size, const char *name,
                                             const char *id, uint8_t *out);

#endif

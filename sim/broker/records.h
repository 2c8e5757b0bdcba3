/* The headers of a client's TLS records, as the gate sees them pass: what tells a client that has
 * finished its handshake from one that has not. */
#ifndef FLEETSIM_BROKER_RECORDS_H
#define FLEETSIM_BROKER_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDS_HEADER 5u

/* Where in a record the bytes so far end; begins as all zero. */
struct records {
  uint8_t header[RECORDS_HEADER]; /* of the record under way */
  size_t header_size, body_left;
};

/* Takes the next bytes, in whatever pieces they come. True once the header of a record of
 * application data has passed: it is the first in TLS 1.2, and in 1.3 all that is encrypted looks
 * like one. */
bool records_pass(struct records *records, const uint8_t *bytes, size_t size);

#endif

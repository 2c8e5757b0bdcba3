/* Source addresses on loopback: 127.0.0.0/8 offers many, so a large fleet is spread over 127.0.0.1,
 * 127.0.0.2, ... One source address has about 28,000 ephemeral ports per target, and the kernel
 * finds a free one the slower the more of them are taken.
 */
#ifndef FLEETSIM_ADDRESSES_H
#define FLEETSIM_ADDRESSES_H

#include <stddef.h>

#define ADDRESSES_CONNECTIONS_MAX 5000u /* per source address: more make connect() dearer */
#define ADDRESSES_MAX             250u  /* 127.0.0.1 .. 127.0.0.250 */

struct sockaddr_storage;

/* Source address number `index` (from 0, below ADDRESSES_MAX) with port 0: the system picks the
   port. */
void addresses_source(size_t index, struct sockaddr_storage *out);

#define ADDRESSES_TEXT 16
/* The same as text, without a port. */
void addresses_text(size_t index, char out[ADDRESSES_TEXT]);

#endif

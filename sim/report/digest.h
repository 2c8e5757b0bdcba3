/* SHA-256 (libcrypto) of what a run writes, as text: by it a reader knows a file from one that was
 * changed since. */
#ifndef FLEETSIM_DIGEST_H
#define FLEETSIM_DIGEST_H

#include <stddef.h>

#define DIGEST_TEXT 65u /* 64 hex digits in lower case, and the zero */

struct digest; /* of bytes that come one after the other */

/* NULL: no memory. */
struct digest *digest_begin(void);
void digest_add(struct digest *digest, const void *data, size_t size);

/* Of all that was added so far; more may follow. -1: no memory, now or before. */
int digest_text(const struct digest *digest, char out[DIGEST_TEXT]);
void digest_free(struct digest *digest);

/* Of all bytes at once; -1: no memory. */
int digest_of(const void *data, size_t size, char out[DIGEST_TEXT]);

#endif

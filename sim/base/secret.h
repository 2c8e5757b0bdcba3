/* Texts that nobody else may read: passwords, passphrases, tokens. */
#ifndef FLEETSIM_SECRET_H
#define FLEETSIM_SECRET_H

#include <stddef.h>

#include "base/error.h"

/* Overwrites it, whatever the compiler thinks of that. */
void secret_wipe(void *data, size_t size);

/* SETUP where group or others can get at the open file, with the chmod that mends it; `what` is in
   it: "the passphrase". */
int secret_check_mode(int fd, const char *path, const char *what, struct error *error);

/* Reads a whole file of at most `limit` bytes that holds `what`; *text is malloc'd, has a zero after
 * its last byte and is to be wiped and freed. SETUP where others can get at it, USAGE for one with
 * a NUL byte in it. */
int secret_read(const char *path, const char *what, size_t limit, char **text, size_t *size,
                struct error *error);

#endif

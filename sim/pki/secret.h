/* Files that hold private keys: 0600 from the first moment, in folders of 0700, and refused when
   they are not. */
#ifndef FLEETSIM_PKI_SECRET_H
#define FLEETSIM_PKI_SECRET_H

#include <stddef.h>

#include "base/error.h"

/* Creates the file empty, 0600; refuses one that exists. Returns a descriptor for reading and
   writing, or -1. */
int pki_secret_create(const char *path, struct error *error);

/* Writes a file that does not exist yet, or replaces one atomically. */
int pki_secret_write_new(const char *path, const void *data, size_t size, struct error *error);
int pki_secret_replace(const char *path, const void *data, size_t size, struct error *error);

/* Refuses a fleet folder in which somebody else could read a key: the sentence names the chmod that
   mends it. */
int pki_secret_check_folder(const char *folder, struct error *error);

#endif

/* A passphrase that keys are under: from a file that nobody else can read, never from a command
   line, and in no sentence. */
#ifndef FLEETSIM_PKI_PASSWORD_H
#define FLEETSIM_PKI_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define PKI_PASSWORD_MAX 1024

struct pki_password {
  bool given;
  size_t size;
  char text[PKI_PASSWORD_MAX + 1];
};

/* The first line of the file, without its line end; it may be empty. SETUP where others can read
 * the file, with the chmod that mends it; USAGE for one that holds no passphrase. `out` is to be
 * wiped. */
int pki_password_read(const char *path, struct pki_password *out, struct error *error);
void pki_password_wipe(struct pki_password *password);

#endif

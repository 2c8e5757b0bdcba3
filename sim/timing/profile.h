/* What one device's processor needs for the operations that a fleet counts: a timing profile, from
 * its JSON file.
 *
 * A profile belongs to one exact library version, configuration, compiler and processor;
 * bench/m4/profiles/README.md is the format and says how a profile is made. Everything that follows
 * from it is modelled, never measured.
 */
#ifndef FLEETSIM_TIMING_PROFILE_H
#define FLEETSIM_TIMING_PROFILE_H

#include <stdint.h>

#include "base/error.h"
#include "base/files.h"

#define TIMING_NAME_MAX 48

/* Cycles at zero wait states. */
struct timing_profile {
  char name[TIMING_NAME_MAX];
  char path[FILES_PATH_MAX];
  double clock_hz;
  double keygen;     /* an ephemeral key pair: the private key drawn and the public key computed */
  double public_key; /* a public key computed once more */
  double ecdh;
  double sign; /* ECDSA P-256 */
  double verify;
  double sha256_byte;
  double aes_gcm_byte;
  double aes_gcm_record; /* what one record costs whatever its size */
  /* the handshake's symmetric term: all that is neither counted nor proportional to its bytes */
  double handshake_rest;
  double k_low, k_nominal, k_high; /* factors for wait states of the memory: the band */
  /* budget, 0 where not known */
  uint32_t rom_bytes, ram_static_bytes, heap_peak_bytes, stack_peak_bytes;
};

/* The folder of profiles: FLEETSIM_TIMING_PROFILES, or the one that came with the program. */
int timing_folder(char out[FILES_PATH_MAX], struct error *error);

/* Loads a profile by name (NAME.json among the checked-in ones) or by path (with a '/' or ending in
   .json). */
int timing_load(const char *name_or_path, struct timing_profile *out, struct error *error);

/* Calls `each` for every checked-in profile's name, in alphabetical order. */
int timing_each(void (*each)(void *ctx, const char *name), void *ctx, struct error *error);

#endif

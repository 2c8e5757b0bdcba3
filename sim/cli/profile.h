/* A timing profile and what is printed of it: shared by the verbs of fleetsim calibrate. */
#ifndef FLEETSIM_CLI_PROFILE_H
#define FLEETSIM_CLI_PROFILE_H

#include <jansson.h>

#include "base/error.h"
#include "timing/model.h"

#define PROFILE_OPERATIONS        10
#define PROFILE_CERTIFICATE_PARSE 5 /* its place */
#define PROFILE_CHAINS            2

/* A profile with the parts of its file that a run does not need. */
struct profile {
  struct timing_profile timing;
  json_t *file;
};

/* Cycles of an operation, or of a byte. */
struct profile_operation {
  const char *name, *path;
  bool per_byte;
};
extern const struct profile_operation profile_operations[PROFILE_OPERATIONS];

/* A whole handshake, by how long the broker's chain is. */
struct profile_chain {
  const char *name, *key;
  uint16_t verify; /* the broker's links and its CertificateVerify */
};
extern const struct profile_chain profile_chains[PROFILE_CHAINS];

/* The names of those that there are; args_words. */
void profile_names(void (*say)(void *ctx, const char *word), void *ctx);

/* By name or path. The caller closes it, which does nothing after an error, or if it was never
 * opened and its file is NULL. */
int profile_open(const char *name, struct profile *out, struct error *error);
void profile_close(struct profile *profile);

/* What the file has at "a.b.c", or NULL; a text there, or "-". Both end with the profile. */
const json_t *profile_find(const struct profile *profile, const char *path);
const char *profile_text(const struct profile *profile, const char *path);

/* Cycles, of a KiB where they are per byte; NaN where the file has none. */
double profile_operation_cycles(const struct profile *profile,
                                const struct profile_operation *operation);
double profile_handshake_cycles(const struct profile *profile, const struct profile_chain *chain);

/* Milliseconds as modelled, "1774.1 (1658.1-1907.0)", or "-". Returns `out`. */
const char *profile_band(const struct profile *profile, double cycles, char out[64]);

#endif

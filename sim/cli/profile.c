/* A timing profile as its file says it, for people: the figures that a run does not need, in the
 * order in which list, show, compare and --check print them. What a file lacks is a NaN or "-". */
#define _DEFAULT_SOURCE
#include "cli/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct profile_operation profile_operations[PROFILE_OPERATIONS] = {
    {"keygen", "operations.keygen.cycles", false},
    {"public key", "operations.public_key.cycles", false},
    {"ECDH", "operations.ecdh.cycles", false},
    {"sign", "operations.sign.cycles", false},
    {"verify", "operations.verify.cycles", false},
    {"certificate parse", "operations.certificate_parse.cycles", false},
    {"HKDF-Expand", "operations.hkdf_expand.cycles", false},
    {"AES-GCM, record", "operations.aes_gcm.cycles_per_record", false},
    {"AES-GCM, KiB", "operations.aes_gcm.cycles_per_byte", true},
    {"SHA-256, KiB", "operations.sha256.cycles_per_byte", true}};

const struct profile_chain profile_chains[PROFILE_CHAINS] = {
    {"handshake, leaf only", "leaf_only", 2},
    {"handshake, one intermediate", "one_intermediate", 3}};

const json_t *profile_find(const struct profile *profile, const char *path)
{
  const json_t *at = profile->file;
  char text[128];
  char *rest = NULL;
  snprintf(text, sizeof text, "%s", path);
  for (char *key = strtok_r(text, ".", &rest); key != NULL && at != NULL;
       key = strtok_r(NULL, ".", &rest))
    at = json_object_get(at, key);
  return at;
}

/* The number there, or a NaN. */
static double number(const struct profile *profile, const char *path)
{
  const json_t *value = profile_find(profile, path);
  return json_is_number(value) ? json_number_value(value) : (double) NAN;
}

const char *profile_text(const struct profile *profile, const char *path)
{
  const char *value = json_string_value(profile_find(profile, path));
  return value != NULL ? value : "-";
}

void profile_names(void (*say)(void *ctx, const char *word), void *ctx)
{
  (void) timing_each(say, ctx, NULL);
}

int profile_open(const char *name, struct profile *out, struct error *error)
{
  out->file = NULL;
  if (timing_load(name, &out->timing, error) != 0) return -1;
  json_error_t where;
  out->file = json_load_file(out->timing.path, 0, &where);
  if (out->file != NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s:%d: %s", out->timing.path, where.line, where.text);
}

void profile_close(struct profile *profile)
{
  json_decref(profile->file);
}

double profile_operation_cycles(const struct profile *profile,
                                const struct profile_operation *operation)
{
  return number(profile, operation->path) * (operation->per_byte ? 1024 : 1);
}

/* As emulated; or, of a profile without an emulation, as the model adds it up. */
double profile_handshake_cycles(const struct profile *profile, const struct profile_chain *chain)
{
  char path[64];
  snprintf(path, sizeof path, "handshake.%s.emulated_cycles", chain->key);
  const double emulated = number(profile, path);
  if (!isnan(emulated)) return emulated;
  snprintf(path, sizeof path, "handshake.%s.bytes", chain->key);
  const double bytes = number(profile, path);
  const struct crypto_meter meter = {
      .keygen = 1, .public_key = 1, .ecdh = 1, .sign = 1, .verify = chain->verify};
  return isnan(bytes) || bytes < 0 ? (double) NAN
                                   : timing_handshake(&profile->timing, &meter, (uint64_t) bytes);
}

/* "1774.1 (1658.1-1907.0)", or "-". */
const char *profile_band(const struct profile *profile, double cycles, char out[64])
{
  const struct timing_band us = timing_band(&profile->timing, cycles);
  const int digits = us.nominal < 10000 ? 3 : 1;
  if (isnan(cycles))
    snprintf(out, 64, "-");
  else
    snprintf(out, 64, "%.*f (%.*f-%.*f)", digits, us.nominal / 1e3, digits, us.low / 1e3, digits,
             us.high / 1e3);
  return out;
}

/* A profile is found by name in the folder of profiles, or by path, and taken whole or not at all:
 * every number that the model needs must be there, finite and not below 0. A refusal names the
 * file and the key, or the profiles that there are. */
#define _DEFAULT_SOURCE
#include "timing/profile.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/data.h"

#define SCHEMA   "fleetsim-timing/1"
#define FILE_MAX (1u << 20)

int timing_folder(char out[FILES_PATH_MAX], struct error *error)
{
  const char *set = getenv("FLEETSIM_TIMING_PROFILES");
  if (set == NULL) return data_path("profiles", out, error);
  if (snprintf(out, FILES_PATH_MAX, "%s", set) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "FLEETSIM_TIMING_PROFILES is too long for a path");
}

/* A number at "a.b.c"; false where it is missing or no number. */
static bool number_at(const json_t *root, const char *path, double *out)
{
  char text[128];
  char *rest = NULL;
  snprintf(text, sizeof text, "%s", path);
  const json_t *at = root;
  for (char *key = strtok_r(text, ".", &rest); key != NULL && at != NULL;
       key = strtok_r(NULL, ".", &rest))
    at = json_object_get(at, key);
  *out = at != NULL ? json_number_value(at) : 0;
  return at != NULL && json_is_number(at) && isfinite(*out);
}

struct field {
  const char *path;
  double *to;
  bool may_be_zero;
};

static int read_numbers(const json_t *root, struct timing_profile *out, struct error *error)
{
  const struct field fields[] = {
      {"clock_hz", &out->clock_hz, false},
      {"operations.keygen.cycles", &out->keygen, false},
      {"operations.public_key.cycles", &out->public_key, false},
      {"operations.ecdh.cycles", &out->ecdh, false},
      {"operations.sign.cycles", &out->sign, false},
      {"operations.verify.cycles", &out->verify, false},
      {"operations.sha256.cycles_per_byte", &out->sha256_byte, false},
      {"operations.aes_gcm.cycles_per_byte", &out->aes_gcm_byte, false},
      {"operations.aes_gcm.cycles_per_record", &out->aes_gcm_record, true},
      {"handshake.rest_cycles", &out->handshake_rest, true},
      {"k_mem.low", &out->k_low, false},
      {"k_mem.nominal", &out->k_nominal, false},
      {"k_mem.high", &out->k_high, false},
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    bool found = number_at(root, fields[i].path, fields[i].to);
    if (!found || *fields[i].to < 0 || (*fields[i].to == 0 && !fields[i].may_be_zero))
      return error_set(error, EXIT_CODE_USAGE, "%s: '%s' must be a number %s 0", out->path,
                       fields[i].path, fields[i].may_be_zero ? "of at least" : "above");
  }
  if (out->k_low <= out->k_nominal && out->k_nominal <= out->k_high) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s: k_mem must be in order: low, nominal, high",
                   out->path);
}

/* Sizes that a report shows where the profile knows them. */
static void read_budget(const json_t *root, struct timing_profile *out)
{
  const struct {
    const char *path;
    uint32_t *to;
  } sizes[] = {{"memory.rom_bytes", &out->rom_bytes},
               {"memory.ram_static_bytes", &out->ram_static_bytes},
               {"memory.heap_peak_bytes", &out->heap_peak_bytes},
               {"memory.stack_peak_bytes", &out->stack_peak_bytes}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    double value;
    bool known = number_at(root, sizes[i].path, &value) && value >= 0 && value < UINT32_MAX;
    *sizes[i].to = known ? (uint32_t) value : 0;
  }
}

static int read_profile(const json_t *root, struct timing_profile *out, struct error *error)
{
  const char *schema = json_string_value(json_object_get(root, "schema"));
  const char *name = json_string_value(json_object_get(root, "name"));
  if (schema == NULL || strcmp(schema, SCHEMA) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is no timing profile: its \"schema\" must be \"%s\"", out->path, SCHEMA);
  if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof out->name)
    return error_set(error, EXIT_CODE_USAGE, "%s: \"name\" must be a text of 1 to %zu characters",
                     out->path, sizeof out->name - 1);
  strcpy(out->name, name);
  read_budget(root, out);
  return read_numbers(root, out, error);
}

static bool is_path(const char *name)
{
  size_t size = strlen(name);
  return strchr(name, '/') != NULL || (size > 5 && strcmp(name + size - 5, ".json") == 0);
}

struct listing {
  char *text;
  size_t size, used;
};

static void list_name(void *ctx, const char *name)
{
  struct listing *listing = ctx;
  int n = snprintf(listing->text + listing->used, listing->size - listing->used, "%s%s",
                   listing->used > 0 ? ", " : "", name);
  if (n > 0 && (size_t) n < listing->size - listing->used) listing->used += (size_t) n;
}

static int no_such_profile(const char *name, struct error *error)
{
  char names[512] = "", folder[FILES_PATH_MAX];
  struct listing listing = {.text = names, .size = sizeof names};
  (void) timing_each(list_name, &listing, NULL);
  if (names[0] == '\0' && timing_folder(folder, error) == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "there is no timing profile in %.300s: has the program been moved without the "
                     "folder 'share' beside it? Or give the path of a .json file",
                     folder);
  return error_set(
      error, EXIT_CODE_USAGE,
      "there is no timing profile '%s'; there are: %s; or give the path of a .json file", name,
      names);
}

int timing_load(const char *name, struct timing_profile *out, struct error *error)
{
  char folder[FILES_PATH_MAX];
  *out = (struct timing_profile){0};
  if (!is_path(name) && timing_folder(folder, error) != 0) return -1;
  int n = is_path(name) ? snprintf(out->path, sizeof out->path, "%s", name)
                        : snprintf(out->path, sizeof out->path, "%s/%s.json", folder, name);
  if (n < 0 || (size_t) n >= sizeof out->path) return no_such_profile(name, error);
  uint8_t *text;
  size_t size;
  struct error reading;
  if (files_read(out->path, FILE_MAX, &text, &size, &reading) != 0) {
    if (!is_path(name) && reading.code == EXIT_CODE_USAGE) return no_such_profile(name, error);
    return error_set(error, reading.code, "timing profile: %s", reading.text);
  }
  json_error_t where;
  json_t *root = json_loadb((const char *) text, size, JSON_REJECT_DUPLICATES, &where);
  free(text);
  /* without memory jansson may have no text either, and no place */
  bool starved = root == NULL && (json_error_code(&where) == json_error_out_of_memory ||
                                  where.text[0] == '\0' || where.line < 1);
  if (starved) return error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", out->path);
  if (root == NULL)
    return error_set(error, EXIT_CODE_USAGE, "%s:%d:%d: %s", out->path, where.line, where.column,
                     where.text);
  int result = read_profile(root, out, error);
  json_decref(root);
  return result;
}

static int is_profile(const struct dirent *entry)
{
  size_t size = strlen(entry->d_name);
  return size > 5 && size < TIMING_NAME_MAX && strcmp(entry->d_name + size - 5, ".json") == 0;
}

int timing_each(void (*each)(void *ctx, const char *name), void *ctx, struct error *error)
{
  char folder[FILES_PATH_MAX];
  struct dirent **entries;
  if (timing_folder(folder, error) != 0) return -1;
  int count = scandir(folder, &entries, is_profile, alphasort);
  if (count < 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot read the folder of timing profiles, %s; set FLEETSIM_TIMING_PROFILES",
                     folder);
  for (int i = 0; i < count; i++) {
    entries[i]->d_name[strlen(entries[i]->d_name) - 5] = '\0';
    each(ctx, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  return 0;
}

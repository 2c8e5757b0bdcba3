/* A list of renewals: which files each device has, by its index. The list is kept, not what the files
 * hold: they are read when they are judged, and again when they are sent. */
#define _POSIX_C_SOURCE 200809L
#include "pki/renewals.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/csv.h"
#include "pki/renewals_part.h"

struct line {
  size_t number; /* 0: the device has none */
  char *path, *more;
};

struct pki_renewals {
  char path[FILES_PATH_MAX];
  size_t count; /* of devices */
  struct line line[];
};

void pki_renewals_close(struct pki_renewals *renewals)
{
  if (renewals == NULL) return;
  for (size_t i = 0; i < renewals->count; i++) {
    free(renewals->line[i].path);
    free(renewals->line[i].more);
  }
  free(renewals);
}

/* A path in the list is relative to the list; NULL: it is too long, or there is no memory. */
static char *resolve_renewal(const char *csv, const char *name, struct error *error)
{
  const char *slash = strrchr(csv, '/');
  int folder = name[0] == '\0' || name[0] == '/' || slash == NULL ? 0 : (int) (slash - csv) + 1;
  size_t room = strlen(name) + (size_t) folder + 1;
  char *out = room > FILES_PATH_MAX ? NULL : malloc(room);
  if (out != NULL)
    snprintf(out, room, "%.*s%s", folder, csv, name);
  else
    error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", name);
  return out;
}

static int take_renewal_line(struct pki *pki, struct pki_renewals *out, const struct pki_csv *csv,
                             struct error *error)
{
  const char *name = pki_csv_cell(csv, PKI_CSV_ID), *path = pki_csv_cell(csv, PKI_CSV_CERTIFICATE);
  size_t index;
  int found = pki_find_name(pki, name, &index, error);
  if (found < 0) return -1;
  if (found == 0) return error_set(error, EXIT_CODE_USAGE, "the fleet has no device '%.80s'", name);
  struct line *line = &out->line[index];
  if (line->number != 0)
    return error_set(error, EXIT_CODE_USAGE, "device %s has a certificate in line %zu already",
                     name, line->number);
  if (path[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE, "'certificate' names no file for device %s", name);
  line->number = csv->line;
  line->path = resolve_renewal(out->path, path, error);
  line->more = resolve_renewal(out->path, pki_csv_cell(csv, PKI_CSV_CHAIN), error);
  return line->path == NULL || line->more == NULL ? -1 : 0;
}

static int check_renewal_columns(const struct pki_csv *csv, struct error *error)
{
  if (csv->columns > 0 && csv->column[PKI_CSV_ID] >= 0 && csv->column[PKI_CSV_CERTIFICATE] >= 0)
    return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%.200s:%zu: a list of new certificates begins with a header that names the "
                   "columns 'id' and 'certificate'",
                   csv->path, csv->line);
}

static int read_list(struct pki *pki, struct pki_csv *csv, struct pki_renewals *out,
                     struct error *error)
{
  static const char *const usual[PKI_CSV_ROLES];
  int more, result = 0;
  if (pki_csv_begin(csv, usual, error) != 0 || check_renewal_columns(csv, error) != 0) return -1;
  while (result == 0 && (more = pki_csv_next(csv, error)) != 0) {
    result = more < 0 ? -1 : take_renewal_line(pki, out, csv, error);
    if (result != 0) error_wrap(error, "%.200s:%zu", csv->path, csv->line);
  }
  return result;
}

int pki_renewals_open(struct pki *pki, const char *path, struct pki_renewals **out,
                      struct error *error)
{
  struct pki_csv csv;
  struct pki_renewals *made = calloc(1, sizeof *made + pki->device_count * sizeof made->line[0]);
  if (made == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a list");
  made->count = pki->device_count;
  if (strlen(path) >= sizeof made->path || pki_csv_open(path, &csv, error) != 0) {
    free(made);
    return -1;
  }
  strcpy(made->path, path);
  int result = read_list(pki, &csv, made, error);
  pki_csv_close(&csv);
  if (result == 0)
    *out = made;
  else
    pki_renewals_close(made);
  return result;
}

bool pki_renewals_has(const struct pki_renewals *renewals, size_t index)
{
  return index < renewals->count && renewals->line[index].number != 0;
}

static int take_one(struct pki *pki, const struct pki_renewals *renewals, size_t index,
                    const char *root, bool enter, uint8_t *out, size_t capacity, size_t *size,
                    struct error *error)
{
  const struct line *line = &renewals->line[index];
  struct pki_renewal renewal = {.index = index, .path = line->path, .more = line->more};
  assert(pki_renewals_has(renewals, index));
  int result = pki_renewal_take(pki, &renewal, root, enter, out, capacity, error);
  *size = renewal.size;
  return result == 0 ? 0 : error_wrap(error, "%.200s:%zu", renewals->path, line->number);
}

int pki_renewals_check(struct pki *pki, const struct pki_renewals *renewals, const char *root,
                       struct error *error)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size, found = 0;
  for (size_t i = 0; i < renewals->count; i++) {
    if (!pki_renewals_has(renewals, i)) continue;
    found++;
    if (take_one(pki, renewals, i, root, false, chain, sizeof chain, &size, error) != 0) return -1;
  }
  if (found > 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%.200s names no device", renewals->path);
}

int pki_renewals_take(struct pki *pki, const struct pki_renewals *renewals, size_t index,
                      const char *root, uint8_t *out, size_t capacity, size_t *size,
                      struct error *error)
{
  return take_one(pki, renewals, index, root, true, out, capacity, size, error);
}

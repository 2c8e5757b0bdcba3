/* Every record has a name: the first that has none ends it, and so does a list without records. */
#include "pki/name_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "pki/csv.h"

static int take_all(struct pki_csv *csv, struct pki_name_list *out, struct error *error)
{
  int status = pki_csv_begin_names(csv, error);
  if (status != 0) return -1;
  out->name = calloc(pki_csv_lines(csv) + 1, sizeof *out->name);
  if (out->name == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a list of names");
  while ((status = pki_csv_next(csv, error)) > 0) {
    const char *name = pki_csv_cell(csv, PKI_CSV_ID);
    if (name_check(name, error) != 0) break;
    strcpy(out->name[out->count++], name);
  }
  if (status != 0) return error_wrap(error, "%.200s:%zu", csv->path, csv->line);
  if (out->count > 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%.200s has no name in it: write one a line", csv->path);
}

int pki_name_list_read(const char *path, struct pki_name_list *out, struct error *error)
{
  struct pki_csv csv;
  *out = (struct pki_name_list){.count = 0};
  if (pki_csv_open(path, &csv, error) != 0) return -1;
  int result = take_all(&csv, out, error);
  pki_csv_close(&csv);
  if (result == 0) return 0;
  free(out->name);
  *out = (struct pki_name_list){.count = 0};
  return -1;
}

/* Every record has a name: the first that has none ends it, and so does a list without records. */
#include "pki/name_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "pki/csv.h"

static int take_all(struct pki_csv *csv, struct pki_name_list *out, struct error *error)
{
  int status = pki_csv_begin_names(csv, error);
  if (status != 0) return -1;
  size_t most = pki_csv_lines(csv) + 1;
  out->name = calloc(most, sizeof *out->name);
  out->field = calloc(most * csv->columns + 1, sizeof *out->field);
  if (out->name == NULL || out->field == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a list of names");
  while ((status = pki_csv_next(csv, error)) > 0) {
    const char *name = pki_csv_cell(csv, PKI_CSV_ID);
    if (name_check(name, error) != 0) break;
    for (size_t i = 0; i < csv->columns; i++)
      out->field[out->count * csv->columns + i] = csv->field[i];
    strcpy(out->name[out->count++], name);
  }
  if (status != 0) return error_wrap(error, "%.200s:%zu", csv->path, csv->line);
  if (out->count > 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%.200s has no name in it: write one a line", csv->path);
}

int pki_name_list_read(const char *path, struct pki_name_list *out, struct error *error)
{
  *out = (struct pki_name_list){.count = 0};
  if (pki_csv_open(path, &out->csv, error) != 0) return -1;
  if (take_all(&out->csv, out, error) == 0) return 0;
  pki_name_list_free(out);
  return -1;
}

void pki_name_list_free(struct pki_name_list *list)
{
  if (list->csv.text != NULL) pki_csv_close(&list->csv);
  free(list->name);
  free(list->field);
  *list = (struct pki_name_list){.count = 0};
}

bool pki_name_list_column(const struct pki_name_list *list, size_t index, size_t column,
                          const char **name, const char **value)
{
  const struct pki_csv *csv = &list->csv;
  assert(index < list->count);
  if (column >= csv->columns) return false;
  *name = csv->name[column];
  *value = list->field[index * csv->columns + column];
  for (size_t role = PKI_CSV_KEY; role < PKI_CSV_ROLES; role++)
    if (csv->column[role] == (int) column) *value = NULL;
  return true;
}

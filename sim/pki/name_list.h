/* The names of devices that are to be made, from a list of their owner's: one a line, or the column
 * 'id' of a CSV (pki/csv.h). */
#ifndef FLEETSIM_PKI_NAME_LIST_H
#define FLEETSIM_PKI_NAME_LIST_H

#include <stdbool.h>

#include "pki/csv.h"

struct pki_name_list {
  char (*name)[65]; /* by the list's order */
  size_t count;
  struct pki_csv csv; /* of which the rest is */
  char **field;       /* csv.columns of each name; NULL: the list has no header */
};

/* USAGE with FILE:LINE for what is no name (base/name.h), and for an empty list. To be freed after a
 * success. */
int pki_name_list_read(const char *path, struct pki_name_list *out, struct error *error);
void pki_name_list_free(struct pki_name_list *list);

/* What the list says of a name in its column `column`, but for those that name its files; false: it
 * has no such column. *value is NULL where the column is one of files. */
bool pki_name_list_column(const struct pki_name_list *list, size_t index, size_t column,
                          const char **name, const char **value);

#endif

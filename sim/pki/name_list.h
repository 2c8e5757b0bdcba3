/* The names of devices that are to be made, from a list of their owner's: one a line, or the column
 * 'id' of a CSV (pki/csv.h). */
#ifndef FLEETSIM_PKI_NAME_LIST_H
#define FLEETSIM_PKI_NAME_LIST_H

#include <stddef.h>

#include "base/error.h"

struct pki_name_list {
  char (*name)[65]; /* by the list's order; to be freed */
  size_t count;
};

/* USAGE with FILE:LINE for what is no name (base/name.h), and for an empty list. */
int pki_name_list_read(const char *path, struct pki_name_list *out, struct error *error);

#endif

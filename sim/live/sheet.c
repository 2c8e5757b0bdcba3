/* Readers on the server's thread, one writer on the run's: the count alone is shared. */
#include "live/sheet.h"

#include <stdlib.h>

struct sheet *sheet_of(char *text, size_t size)
{
  struct sheet *sheet = text != NULL ? malloc(sizeof *sheet) : NULL;
  if (sheet == NULL) {
    free(text);
    return NULL;
  }
  atomic_init(&sheet->holders, 1);
  sheet->size = size;
  sheet->text = text;
  return sheet;
}

struct sheet *sheet_hold(struct sheet *sheet)
{
  atomic_fetch_add(&sheet->holders, 1);
  return sheet;
}

void sheet_drop(struct sheet *sheet)
{
  if (sheet == NULL || atomic_fetch_sub(&sheet->holders, 1) != 1) return;
  free(sheet->text);
  free(sheet);
}

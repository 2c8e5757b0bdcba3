/* Files that are put together in memory. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/report_markup.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/files.h"

void report_markup_begin(struct report_markup *page)
{
  *page = (struct report_markup){.text = NULL};
  page->out = open_memstream(&page->text, &page->size);
}

const char *report_markup_text(struct report_markup *page)
{
  bool whole = page->out != NULL && ferror(page->out) == 0;
  if (page->out != NULL && fclose(page->out) != 0) whole = false;
  page->out = NULL;
  return whole ? page->text : NULL;
}

void report_markup_release(struct report_markup *page)
{
  if (page->out != NULL) fclose(page->out);
  free(page->text);
  *page = (struct report_markup){.text = NULL};
}

int report_markup_end(struct report_markup *page, const char *folder, const char *name,
                      struct error *error)
{
  char path[FILES_PATH_MAX];
  const char *text = report_markup_text(page);
  int status = files_join(path, folder, name, error);
  if (status == 0)
    status = text != NULL
                 ? files_write(path, text, page->size, 0644, error)
                 : error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  report_markup_release(page);
  return status;
}

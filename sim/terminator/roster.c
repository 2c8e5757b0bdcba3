/* The file is read whole at the start, and sorted: each client that comes is looked up once. */
#include "terminator/roster.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define ROSTER_MAX (256u * 1024 * 1024) /* bytes of the file: a million devices with long names */

struct line {
  const char *cn, *id;
};

struct roster {
  char *text;
  size_t count;
  struct line *lines;
};

static int by_cn(const void *a, const void *b)
{
  return strcmp(((const struct line *) a)->cn, ((const struct line *) b)->cn);
}

static size_t count_lines(const char *text)
{
  size_t count = 0;
  for (; *text != '\0'; text++) count += *text == '\n';
  return count;
}

static int split(struct roster *roster, const char *path, struct error *error)
{
  char *at = roster->text;
  while (*at != '\0') {
    char *end = strchr(at, '\n'), *tab = strchr(at, '\t');
    if (end == NULL || tab == NULL || tab == at || tab + 1 >= end)
      return error_set(error, EXIT_CODE_USAGE, "%s:%zu: a line is a CN, a tab and a client id",
                       path, roster->count + 1);
    *tab = *end = '\0';
    roster->lines[roster->count++] = (struct line){at, tab + 1};
    at = end + 1;
  }
  qsort(roster->lines, roster->count, sizeof *roster->lines, by_cn);
  return 0;
}

int roster_load(const char *path, struct roster **out, struct error *error)
{
  struct roster *roster = calloc(1, sizeof *roster);
  size_t size;
  if (roster == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for the client ids");
  if (files_read(path, ROSTER_MAX, (uint8_t **) &roster->text, &size, error) != 0) {
    free(roster);
    return -1;
  }
  roster->lines = calloc(count_lines(roster->text) + 1, sizeof *roster->lines);
  int result = roster->lines != NULL
                   ? split(roster, path, error)
                   : error_set(error, EXIT_CODE_INTERNAL, "no memory for the client ids");
  if (result == 0)
    *out = roster;
  else
    roster_free(roster);
  return result;
}

void roster_free(struct roster *roster)
{
  if (roster == NULL) return;
  free(roster->lines);
  free(roster->text);
  free(roster);
}

const char *roster_id(const struct roster *roster, const char *cn)
{
  const struct line wanted = {.cn = cn};
  if (roster == NULL || roster->count == 0) return cn;
  const struct line *found =
      bsearch(&wanted, roster->lines, roster->count, sizeof *roster->lines, by_cn);
  return found != NULL ? found->id : cn;
}

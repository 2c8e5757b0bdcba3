/* The whole file is read, then taken apart in place, a line at a time. What is no text, a quote
 * that is not closed, and a line with too few fields are refused; the caller puts the line's
 * number before the sentence. */
#include "pki/csv.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

#define CSV_MAX ((size_t) 256 << 20)
#define BLANKS  " \t"

static size_t count_lines(const char *text, size_t size)
{
  size_t lines = 1;
  for (size_t i = 0; i < size; i++)
    lines += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
  return lines;
}

static int check_text(const char *path, const char *text, size_t size, struct error *error)
{
  const char *nul = memchr(text, '\0', size);
  bool marked = size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
  if (marked || (nul != NULL && nul - text < 2))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is UTF-16 text; save it as UTF-8 (in a spreadsheet: 'CSV UTF-8'), or: "
                     "iconv -f UTF-16 -t UTF-8",
                     path);
  if (nul == NULL) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s:%zu: a NUL byte stands in this line: the file is damaged; write it anew",
                   path, count_lines(text, (size_t) (nul - text)));
}

int pki_csv_open(const char *path, struct pki_csv *out, struct error *error)
{
  uint8_t *data = NULL;
  size_t size = 0;
  if (files_read(path, CSV_MAX, &data, &size, error) != 0) return -1;
  if (check_text(path, (const char *) data, size, error) != 0) {
    free(data);
    return -1;
  }
  bool marked = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
  *out = (struct pki_csv){
      .path = path, .text = (char *) data, .next = (char *) data + (marked ? 3 : 0)};
  return 0;
}

void pki_csv_close(struct pki_csv *csv)
{
  free(csv->text);
  csv->text = NULL;
}

size_t pki_csv_lines(const struct pki_csv *csv)
{
  return count_lines(csv->next, strlen(csv->next));
}

/* The next line, cut off at its end; NULL after the last. */
static char *take_line(struct pki_csv *csv)
{
  char *line = csv->next;
  if (line == NULL) return NULL;
  char *end = line + strcspn(line, "\r\n");
  bool last = *end == '\0', pair = end[0] == '\r' && end[1] == '\n';
  *end = '\0';
  csv->next = last ? NULL : end + 1 + pair;
  csv->line++;
  return line + strspn(line, BLANKS);
}

static void trim(char *text)
{
  size_t size = strlen(text);
  while (size > 0 && strchr(BLANKS, text[size - 1]) != NULL) text[--size] = '\0';
}

/* A field that begins behind `text`'s quote; *end comes to stand behind the closing one. False:
   there is none. */
static bool unquote(char *text, char **end)
{
  char *to = text;
  for (char *from = text; *from != '\0'; from++) {
    if (*from == '"' && *++from != '"') {
      *end = from + strspn(from, BLANKS);
      char after = **end;
      *to = '\0';
      return after == ',' || after == '\0';
    }
    *to++ = *from;
  }
  return false;
}

/* How many fields the line has, of which the first three are kept; -1: a quote is not closed. */
static int split(char *line, char *field[PKI_CSV_FIELDS])
{
  int count = 0;
  for (bool more = true; more; count++) {
    char *start = line + strspn(line, BLANKS), *end;
    bool quoted = *start == '"';
    if (quoted) {
      if (!unquote(++start, &end)) return -1;
    } else
      end = start + strcspn(start, ",");
    more = *end == ',';
    line = end + more;
    if (more) *end = '\0';
    if (!quoted) trim(start);
    if (count < PKI_CSV_FIELDS) field[count] = start;
  }
  return count;
}

static bool is_nothing(const char *line)
{
  return line[strspn(line, "," BLANKS)] == '\0' || line[0] == '#';
}

int pki_csv_next(struct pki_csv *csv, char *field[PKI_CSV_FIELDS], struct error *error)
{
  char *line = take_line(csv);
  while (line != NULL && (is_nothing(line) || (csv->line == 1 && strcmp(line, "sep=,") == 0)))
    line = take_line(csv);
  if (line == NULL) return 0;
  bool semicolons = strchr(line, ',') == NULL && strchr(line, ';') != NULL;
  int count = split(line, field);
  if (semicolons)
    return error_set(error, EXIT_CODE_USAGE,
                     "the fields are separated by semicolons; save the list with commas: 'id,key "
                     "path,certificate path'");
  if (count < 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "a quoted field does not end on its line, or more than a comma follows it: "
                     "write \"a \"\"b\"\", c\"");
  if (count == PKI_CSV_FIELDS && field[0][0] != '\0' && field[1][0] != '\0' && field[2][0] != '\0')
    return 1;
  return error_set(error, EXIT_CODE_USAGE, "a line is 'id,key path,certificate path'");
}

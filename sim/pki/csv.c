/* The whole file is read, then taken apart in place, a record at a time. What is no text, a quote
 * that is not closed, and a record with other fields than its list has are refused; the caller puts
 * the line's number before the sentence. */
#include "pki/csv.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/files.h"
#include "base/text.h"

#define CSV_MAX    ((size_t) 256 << 20)
#define BLANKS     " \t"
#define BARE_LINE  "a line is 'id,key path,certificate path'"
#define BARE_COUNT 3

/* Names of columns in small letters, without what is no letter or digit; the first that the list
   has counts. */
static const char *const usual[PKI_CSV_ROLES][12] = {
    [PKI_CSV_ID] = {"id", "deviceid", "device", "name", "devicename", "serialnumber", "serial",
                    "clientid", "commonname", "cn"},
    [PKI_CSV_KEY] = {"key", "keyfile", "keypath", "privatekey", "privatekeyfile", "privatekeypath"},
    [PKI_CSV_CERTIFICATE] = {"certificate", "cert", "crt", "certificatefile", "certfile",
                             "certificatepath", "certpath"},
    [PKI_CSV_CHAIN] = {"chain", "chainfile", "chainpath", "intermediates", "intermediate"},
};

/* --- The file --------------------------------------------------------------------------------- */

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
  *out = (struct pki_csv){.path = path,
                          .text = (char *) data,
                          .next = (char *) data + (marked ? 3 : 0),
                          .column = {0, 1, 2, -1}};
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

/* --- Records ---------------------------------------------------------------------------------- */

static bool is_end(char c)
{
  return c == '\0' || c == '\n' || c == '\r';
}

/* Behind the line end at `at`, which is counted. */
static char *pass_end(struct pki_csv *csv, char *at)
{
  if (*at == '\0') return at;
  csv->lines++;
  return at + (at[0] == '\r' && at[1] == '\n' ? 2 : 1);
}

static char *line_end(char *at)
{
  return at + strcspn(at, "\r\n");
}

static bool is_nothing(const struct pki_csv *csv, const char *line)
{
  char nothing[] = {' ', '\t', ',', csv->separator, '\0'};
  return line[0] == '#' || is_end(line[strspn(line, nothing)]);
}

/* To the next line with something in it; false: there is none. */
static bool find_record(struct pki_csv *csv)
{
  for (; *csv->next != '\0'; csv->next = pass_end(csv, line_end(csv->next))) {
    csv->next += strspn(csv->next, BLANKS);
    if (!is_nothing(csv, csv->next)) break;
  }
  csv->line = csv->lines + 1;
  return *csv->next != '\0';
}

/* A field behind its opening quote; the place behind the closing one, or NULL: there is none. */
static char *unquote(struct pki_csv *csv, char *text)
{
  char *to = text;
  for (char *from = text; *from != '\0'; from++) {
    if (*from == '"' && *++from != '"') {
      char *after = from + strspn(from, BLANKS);
      bool ends = *after == csv->separator || is_end(*after);
      *to = '\0'; /* the closing quote at most, which was read */
      return ends ? after : NULL;
    }
    csv->lines += *from == '\n' || (*from == '\r' && from[1] != '\n');
    *to++ = *from;
  }
  return NULL;
}

static char *bare(struct pki_csv *csv, char *text)
{
  char *end = text;
  while (*end != csv->separator && !is_end(*end)) end++;
  return end;
}

/* Ends the field at `end`, without the blanks before that where it was not quoted. */
static void cut(char *start, char *end, bool quoted)
{
  if (!quoted)
    while (end > start && strchr(BLANKS, end[-1]) != NULL) end--;
  if (!quoted) *end = '\0';
}

static int refuse_quote(struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "a quoted field is not closed, or more than a separator follows it: write \"a "
                   "\"\"b\"\", c\"");
}

/* Takes the record at csv->next apart. */
static int split(struct pki_csv *csv, struct error *error)
{
  char *at = csv->next;
  bool more = true;
  for (csv->fields = 0; more;) {
    char *start = at + strspn(at, BLANKS), *end;
    bool quoted = *start == '"';
    end = quoted ? unquote(csv, ++start) : bare(csv, start);
    if (end == NULL) return refuse_quote(error);
    more = *end == csv->separator;
    at = more ? end + 1 : pass_end(csv, end);
    cut(start, end, quoted);
    if (csv->fields == PKI_CSV_COLUMNS_MAX)
      return error_set(error, EXIT_CODE_USAGE, "more than %d fields: leave out what is not needed",
                       PKI_CSV_COLUMNS_MAX);
    if (strlen(start) > PKI_CSV_CELL_MAX)
      return error_set(
          error, EXIT_CODE_USAGE,
          "the field number %zu has %zu bytes, and %d is the most: is a quote missing?",
          csv->fields + 1, strlen(start), PKI_CSV_CELL_MAX);
    csv->field[csv->fields++] = start;
  }
  csv->next = at;
  return 0;
}

/* --- The header ------------------------------------------------------------------------------- */

/* The first comma or semicolon of the first record, outside of quotes: a list with semicolons may
   have a comma in a column's name. 0: neither, but tabs. */
static char find_separator(const char *record)
{
  size_t tabs = 0;
  bool quoted = false;
  for (; *record != '\0' && (quoted || !is_end(*record)); record++) {
    quoted ^= *record == '"';
    if (!quoted && (*record == ',' || *record == ';')) return *record;
    tabs += !quoted && *record == '\t';
  }
  return tabs >= 2 ? '\0' : ',';
}

/* "sep=;" in front is what some spreadsheets want to be told. */
static bool take_hint(struct pki_csv *csv)
{
  char *end = line_end(csv->next);
  if (strncmp(csv->next, "sep=", 4) != 0 || end != csv->next + 5) return false;
  if (csv->next[4] != ',' && csv->next[4] != ';') return false;
  csv->separator = csv->next[4];
  csv->next = pass_end(csv, end);
  return true;
}

/* `name` in small letters and digits is `plain`. */
static bool is_called(const char *name, const char *plain)
{
  for (; *name != '\0'; name++) {
    char c = *name >= 'A' && *name <= 'Z' ? (char) (*name - 'A' + 'a') : *name;
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && (c & 0x80) == 0) continue;
    if (c != *plain) return false;
    plain++;
  }
  return *plain == '\0';
}

static int find_usual(const struct pki_csv *csv, enum pki_csv_role role)
{
  for (size_t k = 0; usual[role][k] != NULL; k++)
    for (size_t i = 0; i < csv->fields; i++)
      if (is_called(csv->field[i], usual[role][k])) return (int) i;
  return -1;
}

static int find_named(const struct pki_csv *csv, const char *name)
{
  for (size_t i = 0; i < csv->fields; i++)
    if (strcasecmp(csv->field[i], name) == 0) return (int) i;
  return -1;
}

static bool is_header(const struct pki_csv *csv, const char *const named[PKI_CSV_ROLES])
{
  for (size_t role = 0; role < PKI_CSV_ROLES; role++)
    if (named[role] != NULL || find_usual(csv, (enum pki_csv_role) role) >= 0) return true;
  return false;
}

static int check_utf8(const struct pki_csv *csv, struct error *error)
{
  for (size_t i = 0; i < csv->fields; i++)
    for (const char *at = csv->field[i]; *at != '\0';) {
      unsigned letter = text_letter(at);
      if (letter == 0)
        return error_set(error, EXIT_CODE_USAGE,
                         "the field number %zu is no UTF-8: save the list as UTF-8 (in a "
                         "spreadsheet: 'CSV UTF-8'), or: iconv -f ISO-8859-1 -t UTF-8",
                         i + 1);
      at += letter;
    }
  return 0;
}

static int check_names(const struct pki_csv *csv, struct error *error)
{
  if (check_utf8(csv, error) != 0) return -1;
  for (size_t i = 0; i < csv->fields; i++) {
    const char *name = csv->field[i];
    if (name[0] == '\0')
      return error_set(error, EXIT_CODE_USAGE, "the column number %zu has no name: give it one",
                       i + 1);
    if (strlen(name) > PKI_CSV_NAME_MAX || strpbrk(name, "\r\n") != NULL)
      return error_set(error, EXIT_CODE_USAGE,
                       "the name of column number %zu is longer than %d bytes or a line: '%.40s'",
                       i + 1, PKI_CSV_NAME_MAX, name);
    for (size_t k = 0; k < i; k++)
      if (strcasecmp(name, csv->field[k]) == 0)
        return error_set(error, EXIT_CODE_USAGE,
                         "two columns are called '%s': give each a name of its own", name);
  }
  return 0;
}

static int take_header(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES],
                       struct error *error)
{
  if (check_names(csv, error) != 0) return -1;
  for (size_t role = 0; role < PKI_CSV_ROLES; role++) {
    const char *name = named[role];
    csv->column[role] =
        name == NULL ? find_usual(csv, (enum pki_csv_role) role) : find_named(csv, name);
    if (name != NULL && csv->column[role] < 0)
      return error_set(error, EXIT_CODE_USAGE, "the header names no column '%.64s'", name);
    for (size_t k = 0; k < role; k++)
      if (csv->column[k] >= 0 && csv->column[k] == csv->column[role])
        return error_set(error, EXIT_CODE_USAGE, "the column '%s' cannot be both %s and %s",
                         csv->field[csv->column[k]], usual[k][0], usual[role][0]);
  }
  if (csv->bare == 1 && csv->column[PKI_CSV_ID] < 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the header names no column 'id': that says what a device is called");
  if (csv->bare > 1 && !csv->keyless && csv->column[PKI_CSV_KEY] < 0 &&
      csv->column[PKI_CSV_CERTIFICATE] < 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the header names no column 'key' or 'certificate': these say where a "
                     "device's files are");
  csv->columns = csv->fields;
  memcpy(csv->name, csv->field, sizeof csv->name);
  return 0;
}

/* The first record was no header: it is read again. */
struct place {
  char *next;
  size_t lines;
};

/* Whether the first record is a header is seen on a copy of it: what is no header is taken apart
   anew as the first device. */
static int look_for_header(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES],
                           struct error *error)
{
  struct place first = {csv->next, csv->lines};
  size_t size = strlen(csv->next) + 1;
  /* a record that is longer cannot be a header, and its first fields show that */
  size_t most = PKI_CSV_COLUMNS_MAX * (PKI_CSV_NAME_MAX + 4) * 2;
  if (size > most) size = most;
  char *copy = malloc(size);
  if (copy == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a list's header");
  memcpy(copy, csv->next, size);
  copy[size - 1] = '\0';
  csv->next = copy;
  bool header = split(csv, NULL) == 0 && is_header(csv, named);
  free(copy);
  csv->next = first.next;
  csv->lines = first.lines;
  if (!header) return 0;
  if (split(csv, error) == 0 && take_header(csv, named, error) == 0) return 0;
  return error_wrap(error, "%.200s:%zu", csv->path, csv->line);
}

static int begin(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES], size_t bare,
                 struct error *error)
{
  static const char *const nobody[PKI_CSV_ROLES];
  assert(csv->separator == '\0' && csv->columns == 0);
  csv->bare = bare;
  if (!find_record(csv)) return 0;
  if (take_hint(csv) && !find_record(csv)) return 0;
  if (csv->separator == '\0') csv->separator = find_separator(csv->next);
  if (csv->separator == '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "%.200s:%zu: the fields are separated by tabs; save the list with commas",
                     csv->path, csv->line);
  return look_for_header(csv, named == NULL ? nobody : named, error);
}

int pki_csv_begin(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES], struct error *error)
{
  return begin(csv, named, BARE_COUNT, error);
}

int pki_csv_begin_keyless(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES],
                          struct error *error)
{
  csv->keyless = true;
  return begin(csv, named, BARE_COUNT, error);
}

int pki_csv_begin_names(struct pki_csv *csv, struct error *error)
{
  return begin(csv, NULL, 1, error);
}

/* --- Devices ---------------------------------------------------------------------------------- */

int pki_csv_next(struct pki_csv *csv, struct error *error)
{
  if (!find_record(csv)) return 0;
  if (split(csv, error) != 0) return -1;
  if (csv->columns == 0) {
    bool whole = csv->fields == csv->bare;
    for (size_t i = 0; whole && i < csv->bare; i++) whole = csv->field[i][0] != '\0';
    if (whole) return 1;
    if (csv->bare == 1)
      return error_set(error, EXIT_CODE_USAGE,
                       "%zu fields: a line is one name; where a list has more columns a header in "
                       "the first line names them, 'id' among them",
                       csv->fields);
    return error_set(error, EXIT_CODE_USAGE,
                     BARE_LINE "; other columns are named by a header in the first line");
  }
  if (csv->fields != csv->columns)
    return error_set(error, EXIT_CODE_USAGE,
                     "%zu field%s, and the header names %zu column%s: quote a field that has a "
                     "'%c' in it",
                     csv->fields, csv->fields == 1 ? "" : "s", csv->columns,
                     csv->columns == 1 ? "" : "s", csv->separator);
  return check_utf8(csv, error) == 0 ? 1 : -1;
}

const char *pki_csv_cell(const struct pki_csv *csv, enum pki_csv_role role)
{
  int column = csv->column[role];
  assert(column < (int) csv->fields);
  return column < 0 ? "" : csv->field[column];
}

const char *pki_csv_role_name(enum pki_csv_role role)
{
  return usual[role][0];
}

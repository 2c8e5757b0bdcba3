/* One walk takes a template apart, piece by piece: letters as they stand, and places. Whoever checks,
 * fills in or makes a filter looks at these. */
#include "base/template.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_MAX 20

static const char *const names[TEMPLATE_PLACES] = {
    [TEMPLATE_ID] = "id",         [TEMPLATE_INDEX] = "index", [TEMPLATE_CN] = "cn",
    [TEMPLATE_COHORT] = "cohort", [TEMPLATE_COLUMN] = "", /* whatever else it is */
};

static const char no_such_place[] =
    "there is no such place: {id}, {index}, {cn} and {cohort} are known";

struct piece {
  int place; /* -1: `letter` */
  char letter;
  const char *column; /* its name, of `size` bytes */
  size_t size;
  int width;        /* least digits of an index */
  const char *next; /* what comes behind it */
  const char *why;  /* NULL, or what is wrong with it */
};

static int find_place(const char *name, size_t size)
{
  for (int place = 0; place < TEMPLATE_COLUMN; place++)
    if (strlen(names[place]) == size && memcmp(names[place], name, size) == 0) return place;
  return TEMPLATE_COLUMN;
}

/* ":06" -> 6; -1: it is none. */
static int take_width(const char *text, size_t size)
{
  int width = 0;
  if (size < 3 || size > 4 || text[0] != ':' || text[1] != '0') return -1;
  for (size_t i = 2; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return -1;
    width = width * 10 + text[i] - '0';
  }
  return width >= 1 && width <= WIDTH_MAX ? width : -1;
}

static struct piece take_place(const char *at)
{
  size_t size = strcspn(at + 1, "{}"), name = strcspn(at + 1, ":{}");
  struct piece piece = {
      .place = find_place(at + 1, name), .column = at + 1, .size = size, .next = at + 1 + size + 1};
  if (at[1 + size] != '}')
    piece.why = "a '{' without its '}': a brace that is meant is written twice, '{{'";
  else if (size == 0)
    piece.why = no_such_place;
  else if (piece.place == TEMPLATE_COLUMN)
    return piece;
  else if (name < size && piece.place != TEMPLATE_INDEX)
    piece.why = "only {index} takes a number of digits";
  else if (name < size && (piece.width = take_width(at + 1 + name, size - name)) < 0)
    piece.why = "digits are written as in {index:06}, 01 to 020";
  return piece;
}

static struct piece take_piece(const char *at)
{
  bool brace = *at == '{' || *at == '}';
  if (!brace) return (struct piece){.place = -1, .letter = *at, .next = at + 1};
  if (at[1] == *at) return (struct piece){.place = -1, .letter = *at, .next = at + 2};
  if (*at == '{') return take_place(at);
  return (struct piece){
      .place = -1, .why = "a '}' without its '{': a brace that is meant is written twice, '}}'"};
}

int template_check(const char *text, unsigned places, unsigned *has, struct error *error)
{
  *has = 0;
  for (const char *at = text; *at != '\0';) {
    struct piece piece = take_piece(at);
    size_t where = (size_t) (at - text) + 1;
    if (piece.why != NULL)
      return error_set(error, EXIT_CODE_USAGE, "'%s', character %zu: %s", text, where, piece.why);
    if (piece.place == TEMPLATE_COLUMN && (places & TEMPLATE_BIT(TEMPLATE_COLUMN)) == 0)
      return error_set(error, EXIT_CODE_USAGE, "'%s', character %zu: %s", text, where,
                       no_such_place);
    if (piece.place >= 0 && (places & TEMPLATE_BIT(piece.place)) == 0)
      return error_set(error, EXIT_CODE_USAGE, "'%s', character %zu: {%s} is not known here", text,
                       where, names[piece.place]);
    if (piece.place >= 0) *has |= TEMPLATE_BIT(piece.place);
    at = piece.next;
  }
  return 0;
}

/* NULL: the device has none. */
static const char *value_of(const struct piece *piece, const struct template_values *values,
                            char number[WIDTH_MAX + 4])
{
  switch (piece->place) {
  case TEMPLATE_ID: return values->id;
  case TEMPLATE_CN: return values->cn;
  case TEMPLATE_COHORT: return values->cohort;
  case TEMPLATE_COLUMN:
    return values->column != NULL ? values->column(values->ctx, piece->column, piece->size) : NULL;
  case TEMPLATE_INDEX:
    snprintf(number, WIDTH_MAX + 4, "%0*zu", piece->width, values->index);
    return number;
  default:
    number[0] = piece->letter;
    number[1] = '\0';
    return number;
  }
}

int template_expand(const char *text, const struct template_values *values, char *out, size_t size)
{
  size_t used = 0;
  for (const char *at = text; *at != '\0';) {
    char number[WIDTH_MAX + 4];
    struct piece piece = take_piece(at);
    const char *value = value_of(&piece, values, number);
    assert(piece.why == NULL);
    if (value == NULL || *value == '\0') return TEMPLATE_LACKS;
    size_t more = strlen(value);
    if (more >= size - used) return TEMPLATE_TOO_LONG;
    memcpy(out + used, value, more);
    used += more;
    at = piece.next;
  }
  out[used] = '\0';
  return (int) used;
}

const char *template_lacking(const char *text, const struct template_values *values, size_t *size)
{
  for (const char *at = text; *at != '\0';) {
    char number[WIDTH_MAX + 4];
    struct piece piece = take_piece(at);
    const char *value = value_of(&piece, values, number);
    *size = (size_t) (piece.next - at);
    if (value == NULL || *value == '\0') return at;
    at = piece.next;
  }
  *size = 0;
  return text;
}

int template_filter(const char *text, char *out, size_t size)
{
  size_t used = 0, level = 0; /* where the level begins in `out` */
  bool varies = false;
  for (const char *at = text; *at != '\0';) {
    struct piece piece = take_piece(at);
    assert(piece.why == NULL);
    at = piece.next;
    if (piece.place >= 0) {
      varies = true;
      used = level;
    }
    bool ends = piece.place < 0 && piece.letter == '/';
    if (varies && !ends && used > level) continue; /* its '+' stands already */
    if (used + 1 >= size) return -1;
    out[used++] = varies && !ends ? '+' : piece.letter;
    if (!ends) continue;
    level = used;
    varies = false;
  }
  out[used] = '\0';
  return (int) used;
}

/* A path is walked step by step through jansson's tree; a text is looked for byte by byte, and the
 * first of its places with a digit behind it counts. */
#include "base/payload_place.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 16u
#define KEY_MAX    64u

/* One step of a path: into an object by `key`, or into an array by `index`. */
struct step {
  bool by_key;
  char key[KEY_MAX];
  size_t index;
  const char *next;
  const char *why; /* NULL, or what is wrong with it */
};

bool payload_place_is_path(const char *place)
{
  return place[0] == '$';
}

static bool is_decimal(int character)
{
  return character >= '0' && character <= '9';
}

static struct step take_key(const char *at, size_t size, const char *next)
{
  struct step step = {.by_key = true, .next = next};
  if (size == 0)
    step.why = "a key is missing: write $.meta.seq";
  else if (size >= KEY_MAX)
    step.why = "a key has at most 63 bytes";
  else
    memcpy(step.key, at, size);
  return step;
}

static struct step take_index(const char *at)
{
  size_t digits = strspn(at, "0123456789");
  struct step step = {.next = at + digits + 1};
  if (digits == 0 || digits > 4 || at[digits] != ']')
    step.why = "behind '[' comes a number or a key in quotes, and then ']': $.values[0]";
  else
    step.index = strtoul(at, NULL, 10);
  return step;
}

/* `at` is behind the '$' or behind a step, and not at the end. */
static struct step take_step(const char *at)
{
  if (*at == '.') {
    size_t size = strcspn(at + 1, ".[");
    return take_key(at + 1, size, at + 1 + size);
  }
  if (*at != '[') return (struct step){.why = "a step of a path is .key, ['key'] or [0]"};
  if (at[1] != '\'') return take_index(at + 1);
  size_t size = strcspn(at + 2, "'");
  if (at[2 + size] != '\'' || at[3 + size] != ']')
    return (struct step){.why = "a key in brackets is written ['key']"};
  return take_key(at + 2, size, at + 4 + size);
}

const char *payload_place_check(const char *place)
{
  if (!payload_place_is_path(place)) return NULL;
  for (const char *at = place + 1; *at != '\0';) {
    struct step step = take_step(at);
    if (step.why != NULL) return step.why;
    at = step.next;
  }
  return NULL;
}

/* At most DIGITS_MAX of them, up to `end` or to what is no digit. */
static bool take_number(const char *at, const char *end, uint64_t *out)
{
  uint64_t value = 0;
  size_t digits = 0;
  for (; at < end && is_decimal((unsigned char) *at); at++, digits++) {
    if (digits == DIGITS_MAX) return false;
    value = value * 10 + (uint64_t) (*at - '0');
  }
  *out = value;
  return digits > 0;
}

static bool read_json(const json_t *value, uint64_t *out)
{
  if (json_is_integer(value)) {
    json_int_t number = json_integer_value(value);
    *out = (uint64_t) number;
    return number >= 0;
  }
  if (!json_is_string(value)) return false;
  const char *text = json_string_value(value), *end = text + json_string_length(value);
  for (const char *at = text; at < end; at++)
    if (!is_decimal((unsigned char) *at)) return false;
  return take_number(text, end, out);
}

static bool read_path(const char *path, struct payload_view *view, uint64_t *out)
{
  if (!view->parsed)
    view->json = json_loadb((const char *) view->data, view->size, JSON_DECODE_ANY, NULL);
  view->parsed = true;
  const json_t *value = view->json;
  for (const char *at = path + 1; value != NULL && *at != '\0';) {
    struct step step = take_step(at);
    assert(step.why == NULL && step.next != NULL);
    value = step.by_key ? json_object_get(value, step.key) : json_array_get(value, step.index);
    at = step.next;
  }
  return value != NULL && read_json(value, out);
}

static bool read_behind(const char *text, const struct payload_view *view, uint64_t *out)
{
  size_t size = strlen(text);
  if (view->size <= size) return false; /* it may have no bytes at all, and be nowhere */
  const char *data = (const char *) view->data, *end = data + view->size;
  for (const char *at = data; (size_t) (end - at) > size; at++)
    if (memcmp(at, text, size) == 0 && is_decimal((unsigned char) at[size]))
      return take_number(at + size, end, out);
  return false;
}

bool payload_place_read(const char *place, struct payload_view *view, uint64_t *out)
{
  return payload_place_is_path(place) ? read_path(place, view, out) : read_behind(place, view, out);
}

void payload_view_close(struct payload_view *view)
{
  json_decref(view->json);
}

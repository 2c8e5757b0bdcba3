/* An event as a line of JSON, by the table of its kind's fields. The one place where its texts are
 * escaped. A line that would be too long keeps its head and loses its fields: half of them would be
 * no JSON. */
#include "report/event.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* the structs of all kinds are in one union */
#define FIELDS_AT     offsetof(struct event, run)
#define COUNT_OF(...) (sizeof((struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define TAIL_SIZE     3u /* "}\n" and the zero */

static const struct {
  const char *name;
  struct event_field fields[EVENT_FIELDS_MAX];
  size_t count;
} kinds[EVENT_KIND_COUNT] = {
#define F(member, type, field, says) \
  {#field, says, EVENT_TYPE_##type, FIELDS_AT + offsetof(struct event_##member, field)},
#define X(symbol, member, name, fields) \
  [EVENT_##symbol] = {name, {fields(F, member)}, COUNT_OF(fields(F, member))},
    EVENTS(X)
#undef X
#undef F
};

const char *event_name(enum event_kind kind)
{
  assert(kind < EVENT_KIND_COUNT);
  return kinds[kind].name;
}

const struct event_field *event_fields(enum event_kind kind, size_t *count)
{
  assert(kind < EVENT_KIND_COUNT);
  *count = kinds[kind].count;
  return kinds[kind].fields;
}

/* What did not fit is left out, and then everything after it. */
struct line {
  char *text;
  size_t used;
  bool full;
};

static void put(struct line *line, const char *text, size_t size)
{
  line->full = line->full || size > EVENT_LINE_MAX - TAIL_SIZE - 1 - line->used;
  if (line->full) return;
  memcpy(line->text + line->used, text, size);
  line->used += size;
}

__attribute__((format(printf, 2, 3))) static void put_words(struct line *line, const char *format,
                                                            ...)
{
  char text[96];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  assert(n >= 0 && (size_t) n < sizeof text);
  put(line, text, (size_t) n);
}

/* Writes the escape of the character at *text and moves on; a byte that is no UTF-8 becomes
   U+FFFD. */
static void put_escaped(struct line *line, const char **text)
{
  const char *at = *text;
  unsigned size = text_letter(at);
  *text += size > 0 ? size : 1;
  if (size == 0)
    put_words(line, "\\ufffd");
  else if (*at == '"' || *at == '\\')
    put_words(line, "\\%c", *at);
  else if ((unsigned char) *at < 0x20 || *at == 0x7f)
    put_words(line, "\\u%04x", (unsigned) *at);
  else
    put(line, at, size);
}

static void put_text(struct line *line, const char *text)
{
  put(line, "\"", 1);
  while (*text != '\0') put_escaped(line, &text);
  put(line, "\"", 1);
}

static void put_version(struct line *line, uint32_t version)
{
  char text[DEVICE_VERSION_TEXT];
  device_version_text(version, text);
  put_text(line, text);
}

static void put_value(struct line *line, enum event_type type, const void *at)
{
  switch (type) {
  case EVENT_TYPE_TEXT: put_text(line, *(const event_TEXT *) at); break;
  case EVENT_TYPE_FLAG: put_words(line, *(const event_FLAG *) at ? "true" : "false"); break;
  case EVENT_TYPE_INT: put_words(line, "%d", *(const event_INT *) at); break;
  case EVENT_TYPE_COUNT:
    put_words(line, "%llu", (unsigned long long) *(const event_COUNT *) at);
    break;
  case EVENT_TYPE_FAILURE: put_text(line, device_failure_name(*(const event_FAILURE *) at)); break;
  case EVENT_TYPE_UPDATE: put_text(line, device_update_name(*(const event_UPDATE *) at)); break;
  case EVENT_TYPE_OTA: put_text(line, device_ota_status_name(*(const event_OTA *) at)); break;
  case EVENT_TYPE_VERSION: put_version(line, *(const event_VERSION *) at); break;
  }
}

static void put_head(struct line *line, const struct event *event, const struct names *names)
{
  char name[NAMES_TEXT];
  put_words(line, "{\"t\": %.6f", event->t_s);
  if (event->device != 0) {
    put_words(line, ", \"device\": ");
    put_text(line, names_text(names, event->device, name));
  }
  put_words(line, ", \"event\": \"%s\"", event_name(event->kind));
}

size_t event_line(const struct event *event, const struct names *names, char line[EVENT_LINE_MAX])
{
  struct line out = {.text = line};
  size_t count;
  const struct event_field *fields = event_fields(event->kind, &count);
  put_head(&out, event, names);
  size_t head = out.used;
  for (size_t f = 0; f < count; f++) {
    put_words(&out, ", \"%s\": ", fields[f].name);
    put_value(&out, fields[f].type, (const char *) event + fields[f].offset);
  }
  if (out.full) out.used = head;
  memcpy(line + out.used, "}\n", TAIL_SIZE);
  return out.used + TAIL_SIZE - 1;
}

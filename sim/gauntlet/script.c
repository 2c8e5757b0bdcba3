/* Steps are parted by semicolons, which may also stand inside quotes; words by blanks. What is
 * wrong ends with a sentence that quotes the step. */
#define _GNU_SOURCE
#include "gauntlet/script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64 /* so that a sentence that quotes one is read to its end */

struct reading {
  const char *at; /* what is left of the text */
  char layer;
  struct script *out;
  char *why;
  size_t why_size;
};

static const struct {
  const char *word, *where;
} verbs[] = {
#define X(symbol, word, where) {word, where},
    SCRIPT_VERBS(X)
#undef X
};

const char *script_word(enum script_verb verb)
{
  return verbs[verb].word;
}

static int complain_of(struct reading *r, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vsnprintf(r->why, r->why_size, format, args);
  va_end(args);
  return -1;
}

/* --- Words ------------------------------------------------------------------------------------ */

static void skip_blanks(struct reading *r)
{
  r->at += strspn(r->at, " \t");
}

/* Whether the step goes on. */
static bool has_more(struct reading *r)
{
  skip_blanks(r);
  return *r->at != '\0' && *r->at != ';';
}

/* The next word, cut to fit: a longer one is none that is known. */
static const char *next_word(struct reading *r, char word[WORD_MAX])
{
  skip_blanks(r);
  size_t size = strcspn(r->at, " \t;");
  snprintf(word, WORD_MAX, "%.*s", (int) size, r->at);
  r->at += size;
  return word;
}

static bool next_is(struct reading *r, const char *wanted)
{
  const char *before = r->at;
  char word[WORD_MAX];
  if (has_more(r) && strcmp(next_word(r, word), wanted) == 0) return true;
  r->at = before;
  return false;
}

static int take_number(struct reading *r, uint32_t least, uint32_t most, const char *what,
                       uint32_t *out)
{
  char word[WORD_MAX], *end;
  unsigned long value = strtoul(has_more(r) ? next_word(r, word) : strcpy(word, ""), &end, 10);
  if (!isdigit((unsigned char) word[0]) || *end != '\0' || value < least || value > most)
    return complain_of(r, "'%s' is no %s: write a number from %u to %u", word, what, least, most);
  *out = (uint32_t) value;
  return 0;
}

/* "500ms" or "5s" */
static int take_time(struct reading *r, uint32_t *ms)
{
  char word[WORD_MAX], *end;
  unsigned long value = strtoul(has_more(r) ? next_word(r, word) : strcpy(word, ""), &end, 10);
  bool seconds = strcmp(end, "s") == 0;
  if (!isdigit((unsigned char) word[0]) || (!seconds && strcmp(end, "ms") != 0) || value == 0 ||
      value > (seconds ? 600u : 600000u))
    return complain_of(r, "'%s' is no time: write it like 500ms or 5s, up to 600s", word);
  *ms = (uint32_t) value * (seconds ? 1000u : 1u);
  return 0;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static int add(struct reading *r, struct script_bytes *bytes, uint8_t byte, size_t times)
{
  if (times > SCRIPT_BYTES_MAX - bytes->size)
    return complain_of(r, "more than %u bytes in one step: use flood", SCRIPT_BYTES_MAX);
  uint8_t *more = realloc(bytes->data, bytes->size + times);
  if (more == NULL) return complain_of(r, "out of memory");
  memset(more + bytes->size, byte, times);
  bytes->data = more;
  bytes->size += times;
  return 0;
}

/* -1: none */
static int hex_digits(const char *text)
{
  static const char digits[] = "0123456789abcdef";
  const char *high = text[0] != '\0' ? strchr(digits, tolower((unsigned char) text[0])) : NULL;
  const char *low =
      high != NULL && text[1] != '\0' ? strchr(digits, tolower((unsigned char) text[1])) : NULL;
  return low != NULL ? (int) ((high - digits) * 16 + (low - digits)) : -1;
}

/* The escape that `r->at` stands behind the backslash of; -1: none that is known. */
static int take_escape(struct reading *r)
{
  static const char letters[] = "rnt\"\\", values[] = "\r\n\t\"\\";
  char c = *r->at;
  const char *known = c != '\0' ? strchr(letters, c) : NULL;
  if (known != NULL) {
    r->at++;
    return values[known - letters];
  }
  int value = c == 'x' ? hex_digits(r->at + 1) : -1;
  if (value >= 0) r->at += 3;
  return value;
}

static int take_text(struct reading *r, struct script_bytes *bytes)
{
  for (r->at++; *r->at != '"';) {
    if (*r->at == '\0') return complain_of(r, "a text that has no end: close it with '\"'");
    int byte = (uint8_t) *r->at++;
    if (byte == '\\') byte = take_escape(r);
    if (byte < 0)
      return complain_of(r, "'\\%.1s' is no escape: \\r \\n \\t \\\" \\\\ \\xHH", r->at);
    if (add(r, bytes, (uint8_t) byte, 1) != 0) return -1;
  }
  r->at++;
  return 0;
}

static int take_id(struct reading *r, struct script_bytes *bytes)
{
  if (bytes->ids == SCRIPT_IDS_MAX)
    return complain_of(r, "more than %d packet ids in one step", SCRIPT_IDS_MAX);
  bytes->id_at[bytes->ids++] = bytes->size;
  return add(r, bytes, 0, 2);
}

/* "1f" or "1000*00" */
static int take_hex(struct reading *r, struct script_bytes *bytes)
{
  char word[WORD_MAX], *star;
  size_t times = 1;
  const char *hex = next_word(r, word);
  if ((star = strchr(word, '*')) != NULL) {
    char *end;
    times = strtoul(word, &end, 10);
    if (end != star || times == 0)
      hex = "";
    else
      hex = star + 1;
  }
  int byte = hex_digits(hex);
  if (byte < 0 || hex[2] != '\0')
    return complain_of(r, "'%s' is no byte: write 1f, 1000*00, ID or \"text\"", word);
  return add(r, bytes, (uint8_t) byte, times);
}

static int take_step_bytes(struct reading *r, struct script_bytes *bytes)
{
  while (has_more(r) && *r->at != '|') {
    int result;
    if (*r->at == '"')
      result = take_text(r, bytes);
    else if (r->layer == 'M' && next_is(r, "ID"))
      result = take_id(r, bytes);
    else
      result = take_hex(r, bytes);
    if (result != 0) return -1;
  }
  return bytes->size > 0 ? 0 : complain_of(r, "nothing to send: write bytes");
}

static int take_both(struct reading *r, struct script_step *step)
{
  if (take_step_bytes(r, &step->bytes) != 0) return -1;
  if (*r->at != '|') return 0;
  r->at++;
  return r->layer == 'M' ? take_step_bytes(r, &step->bytes5)
                         : complain_of(r, "'|' parts MQTT 3.1.1 from MQTT 5, and this is no MQTT");
}

/* --- Steps ------------------------------------------------------------------------------------ */

static int take_filter(struct reading *r, struct script_step *step)
{
  static const struct {
    const char *word;
    enum script_filter filter;
  } filters[] = {{"cut", SCRIPT_CUT},     {"flip", SCRIPT_FLIP}, {"drop", SCRIPT_DROP},
                 {"twice", SCRIPT_TWICE}, {"swap", SCRIPT_SWAP}, {"finished", SCRIPT_FINISHED}};
  char word[WORD_MAX];
  if (!has_more(r)) return 0;
  next_word(r, word);
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
    if (strcmp(word, filters[i].word) == 0) step->filter = filters[i].filter;
  if (step->filter == SCRIPT_WHOLE)
    return complain_of(r, "'tls %s' is unknown: cut, flip, drop, twice, swap or finished", word);
  if (step->filter == SCRIPT_FINISHED) return 0;
  if (take_number(r, 1, 1000000, step->filter == SCRIPT_CUT ? "count of bytes" : "record",
                  &step->number) != 0)
    return -1;
  return step->filter == SCRIPT_FLIP ? take_number(r, 1, 20000, "byte", &step->byte) : 0;
}

static int take_without(struct reading *r, struct script_step *step)
{
  char word[WORD_MAX];
  if (!next_is(r, "without")) return 0;
  while (has_more(r)) {
    next_word(r, word);
    if (strcmp(word, "suback") == 0)
      step->without |= SCRIPT_WITHOUT_SUBACK;
    else if (strcmp(word, "puback") == 0)
      step->without |= SCRIPT_WITHOUT_PUBACK;
    else if (strcmp(word, "pingresp") == 0)
      step->without |= SCRIPT_WITHOUT_PINGRESP;
    else
      return complain_of(r, "'polite without %s' is unknown: suback, puback or pingresp", word);
  }
  return step->without != 0 ? 0 : complain_of(r, "without what? suback, puback or pingresp");
}

static int take_arguments(struct reading *r, struct script_step *step)
{
  switch (step->verb) {
  case SCRIPT_FLOOD:
    if (take_number(r, 1, 100000000, "count", &step->times) != 0) return -1;
    return take_both(r, step);
  case SCRIPT_SEND: return take_both(r, step);
  case SCRIPT_WAIT:
  case SCRIPT_SLOWLY: return take_time(r, &step->ms);
  case SCRIPT_TLS: return take_filter(r, step);
  case SCRIPT_POLITE: return take_without(r, step);
  default: return 0;
  }
}

/* Nothing may follow what ends a connection, nor TLS but the end of what was cut. */
static int check_order(struct reading *r)
{
  const struct script *s = r->out;
  for (size_t i = 0; i + 1 < s->count; i++) {
    enum script_verb verb = s->step[i].verb, next = s->step[i + 1].verb;
    bool last = verb == SCRIPT_CLOSE || verb == SCRIPT_RESET || verb == SCRIPT_SILENCE ||
                verb == SCRIPT_POLITE;
    bool ends = next == SCRIPT_CLOSE || next == SCRIPT_RESET || next == SCRIPT_SILENCE;
    if (last || (verb == SCRIPT_TLS && !(s->step[i].filter == SCRIPT_CUT && ends)))
      return complain_of(r, "'%s' cannot come after '%s'", script_word(next), script_word(verb));
  }
  return s->count > 0 ? 0 : complain_of(r, "no step at all");
}

static int take_step(struct reading *r)
{
  char word[WORD_MAX];
  if (r->out->count == SCRIPT_STEPS_MAX)
    return complain_of(r, "more than %d steps", SCRIPT_STEPS_MAX);
  struct script_step *step = &r->out->step[r->out->count++];
  next_word(r, word);
  while (step->verb < SCRIPT_VERB_COUNT &&
         (strcmp(verbs[step->verb].word, word) != 0 || !strchr(verbs[step->verb].where, r->layer)))
    step->verb++;
  if (step->verb == SCRIPT_VERB_COUNT) {
    step->verb = SCRIPT_SILENCE;
    return complain_of(r, "'%s' is no step of %s", word,
                       r->layer == 'W'   ? "the wire"
                       : r->layer == 'M' ? "MQTT"
                                         : "HTTPS");
  }
  if (take_arguments(r, step) != 0) return -1;
  return has_more(r) ? complain_of(r, "'%s' has something behind it: '%.20s'", word, r->at) : 0;
}

int script_parse(const char *text, char layer, struct script *out, char *why, size_t why_size)
{
  struct reading r = {.at = text, .layer = layer, .out = out, .why = why, .why_size = why_size};
  memset(out, 0, sizeof *out);
  for (;;) {
    if (has_more(&r) && take_step(&r) != 0) return -1;
    if (*r.at == '\0') return check_order(&r);
    r.at++;
  }
}

static bool begins_with(const struct script_bytes *bytes, const uint8_t *good, size_t size)
{
  return bytes->size >= size && memcmp(bytes->data, good, size) == 0;
}

bool script_begins_well(const struct script *script)
{
  static const uint8_t good[] = {0x20, 2, 0, 0}, good5[] = {0x20, 3, 0, 0, 0};
  for (size_t i = 0; i < script->count; i++) {
    const struct script_step *step = &script->step[i];
    if (step->verb == SCRIPT_POLITE) return true;
    if (step->bytes.data == NULL) continue;
    bool five = step->bytes5.data == NULL && begins_with(&step->bytes, good5, sizeof good5);
    return five || begins_with(&step->bytes, good, sizeof good);
  }
  return false;
}

void script_free(struct script *script)
{
  for (size_t i = 0; i < script->count; i++) {
    free(script->step[i].bytes.data);
    free(script->step[i].bytes5.data);
  }
  memset(script, 0, sizeof *script);
}

/* One walk takes a text apart, piece by piece: stretches as they stand, and places. Whoever checks,
 * writes or compares looks at these. What cannot be written as it was read was not sent so. */
#include "base/payload_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/payload_place.h"
#include "base/random.h"

#define RUN_LEAST    100000000u /* nine digits, and with the sequence number below 2^53 */
#define RUN_COUNT    800719925u
#define RUN_DIGITS   9
#define DECIMALS_MAX 6
#define NUMBER_MAX   (1ll << 50)
#define FIELD_MAX    80u /* bytes of what stands at a place, with a zero */

enum place { STANDS, SEQ, UNIX_MS, ID, COUNTER, RANDOM };

static const struct {
  const char *name;
  enum place place;
} places[] = {
    {"seq", SEQ}, {"unix_ms", UNIX_MS}, {"id", ID}, {"counter", COUNTER}, {"random", RANDOM}};

struct piece {
  enum place place;
  size_t size; /* STANDS: so many bytes as they are */
  int64_t from, to;
  int decimals;     /* RANDOM: `from` to `to` of the last of them */
  const char *next; /* what comes behind it */
  const char *why;  /* NULL, or what is wrong with it */
};

/* --- Taking it apart -------------------------------------------------------------------------- */

static bool is_digit(char character)
{
  return character >= '0' && character <= '9';
}

/* "-18.05" with two decimals -> -1805. False: it is no number, or too long a one. */
static bool take_decimal(const char **at, const char *end, int64_t *value, int *decimals)
{
  bool negative = *at < end && **at == '-', any = false;
  *at += negative;
  *value = 0;
  *decimals = 0;
  for (bool behind = false; *at < end; (*at)++) {
    bool dot = **at == '.' && !behind && *at + 1 < end && is_digit((*at)[1]);
    if (!dot && !is_digit(**at)) break;
    behind = behind || dot;
    if (dot) continue;
    any = true;
    *decimals += behind;
    *value = *value * 10 + (**at - '0');
    if (*value > NUMBER_MAX || *decimals > DECIMALS_MAX) return false;
  }
  if (negative) *value = -*value;
  return any;
}

static bool scale(int64_t *value, int from, int to)
{
  for (; from < to; from++) {
    *value *= 10;
    if (llabs(*value) > NUMBER_MAX) return false;
  }
  return true;
}

/* "18.0..24.0" */
static bool take_range(const char *at, size_t size, struct piece *out)
{
  const char *end = at + size;
  int low = 0, high = 0;
  if (!take_decimal(&at, end, &out->from, &low) || end - at < 3 || memcmp(at, "..", 2) != 0)
    return false;
  at += 2;
  if (!take_decimal(&at, end, &out->to, &high) || at != end) return false;
  out->decimals = low > high ? low : high;
  return scale(&out->from, low, out->decimals) && scale(&out->to, high, out->decimals) &&
         out->from < out->to;
}

/* {name} or {name:...}: how many bytes the name has; 0: it is a brace like any other. */
static size_t name_of(const char *at)
{
  size_t size = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
  if (size == 0 || is_digit(at[1])) return 0;
  if (at[1 + size] == '}') return size;
  size_t all = strcspn(at + 1, "{}\"\n");
  return at[1 + size] == ':' && at[1 + all] == '}' ? size : 0;
}

static struct piece take_word(const char *at, size_t name)
{
  size_t all = strcspn(at + 1, "}");
  struct piece piece = {.next = at + 1 + all + 1};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (strlen(places[i].name) == name && memcmp(places[i].name, at + 1, name) == 0)
      piece.place = places[i].place;
  if (piece.place == STANDS)
    piece.why = "there is no such place: {seq}, {unix_ms}, {id}, {counter} and {random:A..B} are "
                "known";
  else if (piece.place != RANDOM && name < all)
    piece.why = "only {random:A..B} has something behind a ':'";
  else if (piece.place == RANDOM &&
           (name == all || !take_range(at + 2 + name, all - name - 1, &piece)))
    piece.why = "{random:A..B} takes two numbers, the lower one first, as in {random:18.0..24.0}, "
                "with at most 6 decimals";
  return piece;
}

static struct piece take_part(const char *at)
{
  size_t name = *at == '{' ? name_of(at) : 0;
  if (name > 0) return take_word(at, name);
  struct piece piece = {.size = 1};
  while (at[piece.size] != '\0' && (at[piece.size] != '{' || name_of(at + piece.size) == 0))
    piece.size++;
  piece.next = at + piece.size;
  return piece;
}

static bool has_place(const char *text, enum place place)
{
  for (const char *at = text; *at != '\0';) {
    struct piece piece = take_part(at);
    if (piece.place == place) return true;
    at = piece.next;
  }
  return false;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Of nine digits; two marks that differ in their last bit have two. */
static uint32_t run_of(uint32_t mark)
{
  return RUN_LEAST + mark % RUN_COUNT;
}

static uint64_t number_of(const struct payload *payload)
{
  uint32_t sequence =
      payload->sequence < PAYLOAD_SEQUENCES ? payload->sequence : PAYLOAD_SEQUENCES - 1;
  return (uint64_t) run_of(payload->mark) * PAYLOAD_SEQUENCES + sequence;
}

/* The dice of a message, which whoever knows the run and the device can throw again. */
static uint64_t dice_of(const struct payload *payload, const char *name)
{
  uint64_t state = (uint64_t) payload->mark << 32 | payload->sequence;
  for (const char *at = name; *at != '\0'; at++)
    state = (state ^ (unsigned char) *at) * UINT64_C(0x100000001b3);
  return state;
}

static int print_scaled(char *out, int64_t value, int decimals)
{
  static const int64_t units[DECIMALS_MAX + 1] = {1, 10, 100, 1000, 10000, 100000, 1000000};
  const char *sign = value < 0 ? "-" : "";
  int64_t size = value < 0 ? -value : value, unit = units[decimals];
  if (decimals == 0) return snprintf(out, FIELD_MAX, "%s%" PRId64, sign, size);
  return snprintf(out, FIELD_MAX, "%s%" PRId64 ".%0*" PRId64, sign, size / unit, decimals,
                  size % unit);
}

/* What stands at the place in this message; its size. */
static size_t fill(const struct piece *piece, const struct payload_sender *sender,
                   const struct payload *payload, uint64_t *dice, char out[FIELD_MAX])
{
  int size = 0;
  switch (piece->place) {
  case SEQ: size = snprintf(out, FIELD_MAX, "%" PRIu64, number_of(payload)); break;
  case UNIX_MS:
    size = snprintf(out, FIELD_MAX, "%" PRId64,
                    sender->began_unix_ms + (int64_t) (payload->sent_us / 1000));
    break;
  case ID: size = snprintf(out, FIELD_MAX, "%s", sender->name); break;
  case COUNTER: size = snprintf(out, FIELD_MAX, "%" PRIu32, payload->sequence); break;
  case RANDOM: {
    uint64_t values = (uint64_t) (piece->to - piece->from) + 1;
    size = print_scaled(out, piece->from + (int64_t) (random_next(dice) % values), piece->decimals);
    break;
  }
  case STANDS: break;
  }
  assert(size >= 0 && (size_t) size < FIELD_MAX);
  return (size_t) size;
}

size_t payload_text_write(const struct payload_text *text, const struct payload_sender *sender,
                          const struct payload *payload, uint8_t out[PAYLOAD_MAX])
{
  uint64_t dice = dice_of(payload, sender->name);
  size_t used = 0;
  for (const char *at = text->text; *at != '\0';) {
    char field[FIELD_MAX];
    struct piece piece = take_part(at);
    const char *from = piece.place == STANDS ? at : field;
    size_t size = piece.place == STANDS ? piece.size : fill(&piece, sender, payload, &dice, field);
    assert(piece.why == NULL && size <= PAYLOAD_MAX - used);
    memcpy(out + used, from, size);
    used += size;
    at = piece.next;
  }
  return used;
}

/* --- Checking --------------------------------------------------------------------------------- */

static int find_fault(struct payload_text_fault *out, const char *of, size_t at, const char *why)
{
  *out = (struct payload_text_fault){.of = of, .at = at};
  snprintf(out->why, sizeof out->why, "%s", why);
  return -1;
}

static size_t longest(const struct piece *piece)
{
  char field[FIELD_MAX];
  switch (piece->place) {
  case STANDS: return piece->size;
  case SEQ: return 16;
  case UNIX_MS: return 13;
  case ID: return PAYLOAD_NAME_BYTES;
  case COUNTER: return 10;
  case RANDOM: {
    int low = print_scaled(field, piece->from, piece->decimals);
    int high = print_scaled(field, piece->to, piece->decimals);
    return (size_t) (low > high ? low : high);
  }
  }
  return 0;
}

static int check_pieces(const char *text, struct payload_text_fault *out)
{
  size_t most = 0;
  for (const char *at = text; *at != '\0';) {
    struct piece piece = take_part(at);
    if (piece.why != NULL) return find_fault(out, "payload", (size_t) (at - text), piece.why);
    most += longest(&piece);
    at = piece.next;
  }
  if (most == 0) return find_fault(out, "payload", 0, "a payload of no bytes says nothing");
  if (most <= PAYLOAD_MAX) return 0;
  char why[120];
  snprintf(why, sizeof why,
           "a message of it may have %zu bytes, with a name of %u: %u are the most that a device "
           "sends",
           most, PAYLOAD_NAME_BYTES, PAYLOAD_MAX);
  return find_fault(out, "payload", 0, why);
}

/* Whether a sample gives back what was put in. */
static int check_place(const char *key, const char *place, const char *name,
                       struct payload_view *view, uint64_t wanted, struct payload_text_fault *out)
{
  uint64_t seen;
  char why[sizeof out->why];
  const char *wrong = payload_place_check(place);
  if (wrong != NULL) return find_fault(out, key, 0, wrong);
  if (payload_place_read(place, view, &seen) && seen == wanted) return 0;
  if (payload_place_is_path(place) && view->json == NULL) {
    json_error_t error;
    json_decref(json_loadb((const char *) view->data, view->size, JSON_DECODE_ANY, &error));
    snprintf(why, sizeof why,
             "a path needs a payload that is JSON, and a message of this one is not: %.100s; or "
             "write the text right before {%s}",
             error.text, name);
  } else
    snprintf(why, sizeof why,
             "'%.60s' does not lead to {%s} in a message of this payload: write its JSON path, as "
             "in $.meta.seq, or the text right before it",
             place, name);
  return find_fault(out, key, 0, why);
}

/* As one message has them. */
static int check_places(const struct payload_text *text, const struct payload_sender *sender,
                        const struct payload *sample, struct payload_text_fault *out)
{
  uint8_t message[PAYLOAD_MAX];
  struct payload_view view = {.data = message};
  view.size = payload_text_write(text, sender, sample, message);
  int status = 0;
  if (text->seq_at[0] != '\0')
    status = check_place("seq-at", text->seq_at, "seq", &view, number_of(sample), out);
  if (status == 0 && text->time_at[0] != '\0')
    status = check_place("time-at", text->time_at, "unix_ms", &view,
                         (uint64_t) sender->began_unix_ms + sample->sent_us / 1000, out);
  payload_view_close(&view);
  return status;
}

/* Several messages: a place that only some of them have is none. */
int payload_text_check(const struct payload_text *text, struct payload_text_fault *out)
{
  static const struct payload_sender senders[] = {
      {.began_unix_ms = 1800000000123, .name = "sample"},
      {.began_unix_ms = 1700000000000, .name = "00000009"}};
  static const struct payload samples[] = {{.mark = 1, .sequence = 42, .sent_us = 7000},
                                           {.mark = 0x89abcdef, .sequence = 1, .sent_us = 0},
                                           {.mark = UINT32_MAX, .sequence = 1234567}};
  if (check_pieces(text->text, out) != 0) return -1;
  if (text->seq_at[0] != '\0' && !has_place(text->text, SEQ))
    return find_fault(out, "seq-at", 0, "the payload has no {seq}");
  if (text->time_at[0] != '\0' && !has_place(text->text, UNIX_MS))
    return find_fault(out, "time-at", 0, "the payload has no {unix_ms}");
  for (size_t i = 0; i < 6; i++)
    if (check_places(text, &senders[i % 2], &samples[i / 2], out) != 0) return -1;
  return 0;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Whether these are the bytes of that message; of a time that is not known any digits are. */
static bool is_message(const struct payload_text *text, const struct payload_sender *sender,
                       const struct payload *payload, const uint8_t *data, size_t size)
{
  uint64_t dice = dice_of(payload, sender->name);
  const uint8_t *end = data + size;
  for (const char *at = text->text; *at != '\0';) {
    char field[FIELD_MAX];
    struct piece piece = take_part(at);
    bool stands = piece.place == STANDS;
    if (piece.place == UNIX_MS && payload->sent_us == PAYLOAD_UNTIMED) {
      const uint8_t *digits = data;
      while (data < end && data - digits < 13 && is_digit((char) *data)) data++;
      if (data - digits != 13) return false;
    } else {
      size_t more = stands ? piece.size : fill(&piece, sender, payload, &dice, field);
      if ((size_t) (end - data) < more || memcmp(data, stands ? at : field, more) != 0)
        return false;
      data += more;
    }
    at = piece.next;
  }
  return data == end;
}

static bool is_ours(const struct payload_texts *texts, uint32_t mark)
{
  return mark == texts->mark || (mark == texts->clones_mark && mark != 0);
}

/* Of another run: neither of the two, which differ in their last bit or one of which is 0. */
static uint32_t mark_of(const struct payload_texts *texts, uint64_t run)
{
  if (run == run_of(texts->mark)) return texts->mark;
  if (texts->clones_mark != 0 && run == run_of(texts->clones_mark)) return texts->clones_mark;
  return texts->mark ^ 2;
}

/* Somewhere in what is left of a message. */
static bool has_run(const uint8_t *data, size_t size, uint32_t mark)
{
  char run[RUN_DIGITS + 1];
  snprintf(run, sizeof run, "%" PRIu32, run_of(mark));
  for (size_t at = 0; at + RUN_DIGITS <= size; at++)
    if (memcmp(data + at, run, RUN_DIGITS) == 0) return true;
  return false;
}

/* NONE: it has no number where this text has one. */
static enum payload_reading read_text(const struct payload_texts *texts,
                                      const struct payload_text *text,
                                      const struct payload_sender *sender,
                                      struct payload_view *view, struct payload *out)
{
  uint64_t number, unix_ms;
  if (text->seq_at[0] == '\0' || !payload_place_read(text->seq_at, view, &number))
    return PAYLOAD_NONE;
  *out = (struct payload){.mark = mark_of(texts, number / PAYLOAD_SEQUENCES),
                          .sequence = (uint32_t) (number % PAYLOAD_SEQUENCES),
                          .sent_us = PAYLOAD_UNTIMED};
  if (!is_ours(texts, out->mark)) return PAYLOAD_WHOLE;
  if (text->time_at[0] != '\0') {
    if (!payload_place_read(text->time_at, view, &unix_ms)) return PAYLOAD_ALTERED;
    out->sent_us = (unix_ms - (uint64_t) sender->began_unix_ms) * 1000;
  }
  return is_message(text, sender, out, view->data, view->size) ? PAYLOAD_WHOLE : PAYLOAD_ALTERED;
}

/* What none of the texts has a number in: of this run where its number is in it somewhere. */
static enum payload_reading read_rest(const struct payload_texts *texts, const uint8_t *data,
                                      size_t size, struct payload *out)
{
  bool own = has_run(data, size, texts->mark);
  bool clones = !own && texts->clones_mark != 0 && has_run(data, size, texts->clones_mark);
  *out = (struct payload){.mark = clones ? texts->clones_mark : texts->mark};
  return own || clones ? PAYLOAD_ALTERED : PAYLOAD_NONE;
}

enum payload_reading payload_text_read(const struct payload_texts *texts,
                                       const struct payload_sender *sender, const uint8_t *data,
                                       size_t size, struct payload *out)
{
  enum payload_reading best = PAYLOAD_NONE,
                       reading = payload_read(data, size, payload_sender_of(sender->name), out);
  if (texts->count == 0 || reading == PAYLOAD_WHOLE ||
      (reading == PAYLOAD_ALTERED && is_ours(texts, out->mark)))
    return reading;
  struct payload_view view = {.data = data, .size = size, .parsed = size > PAYLOAD_MAX};
  struct payload seen = {.mark = 0};
  bool ours = false;
  for (size_t i = 0; i < texts->count && (best != PAYLOAD_WHOLE || !ours); i++) {
    struct payload of;
    reading = read_text(texts, texts->text[i], sender, &view, &of);
    bool is_other = reading == PAYLOAD_WHOLE && !is_ours(texts, of.mark);
    if (reading == PAYLOAD_NONE || (is_other && ours)) continue;
    best = reading;
    seen = of;
    ours = is_ours(texts, of.mark);
  }
  payload_view_close(&view);
  *out = seen;
  return best == PAYLOAD_NONE ? read_rest(texts, data, size, out) : best;
}

/* From the wire to a struct hello: the records' payloads are put together, then the message is read
 * field by field. Each check is made as soon as its bytes are there and depends on no later ones,
 * so that bytes in any pieces lead to the same answer; what is no ClientHello is told by its first
 * bytes. */
#include "gauntlet/hello.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "gauntlet/hello_part.h"
#include "gauntlet/hello_suites.h"

enum {
  RECORD_HEAD = 5,
  RECORD_MAX = 16384, /* RFC 8446, 5.1 */
  RECORD_ALERT = 21,
  RECORD_HANDSHAKE = 22,
  MESSAGE_HEAD = 4,
  MESSAGE_HELLO = 1,
  RANDOM_SIZE = 32,
  SESSION_ID_MAX = 32,
};

static const struct {
  const char *word, *sentence;
} wrongs[] = {
#define X(symbol, word, sentence) {word, sentence},
    HELLO_WRONGS(X)
#undef X
};

const char *hello_wrong_word(enum hello_wrong wrong)
{
  assert((size_t) wrong < sizeof wrongs / sizeof wrongs[0]);
  return wrongs[wrong].word;
}

static int refuse_as(struct hello *out, enum hello_wrong wrong)
{
  out->wrong = wrong;
  snprintf(out->why, sizeof out->why, "%s", wrongs[wrong].sentence);
  return -1;
}

static int refuse_malformed(struct hello *out, const char *why)
{
  out->wrong = HELLO_MALFORMED;
  snprintf(out->why, sizeof out->why, "%s", why);
  return -1;
}

/* --- Records ---------------------------------------------------------------------------------- */

/* CONNECT begins with its type, one to four bytes of length and the protocol's name. */
static int looks_like_mqtt(const uint8_t *data, size_t size)
{
  static const struct {
    const char *bytes;
    size_t size;
  } names[] = {{"\0\4MQTT", 6}, {"\0\6MQIsdp", 8}};
  size_t at = 1;
  while (at < size && at < 4 && (data[at] & 0x80) != 0) at++;
  at++;
  if (at >= size) return 0;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    size_t there = size - at < names[i].size ? size - at : names[i].size;
    if (memcmp(data + at, names[i].bytes, there) == 0) return there == names[i].size;
  }
  return -1;
}

/* The first byte is not that of a handshake record. */
static int refuse_foreign(const uint8_t *data, size_t size, struct hello *out)
{
  if (data[0] == 0x10) {
    int mqtt = looks_like_mqtt(data, size);
    return mqtt == 0 ? 0 : refuse_as(out, mqtt > 0 ? HELLO_PLAIN_MQTT : HELLO_NOT_TLS);
  }
  if (isprint(data[0])) return refuse_as(out, HELLO_PLAIN_TEXT);
  if (data[0] == RECORD_ALERT) {
    if (size < 2) return 0;
    return refuse_as(out, data[1] == 3 ? HELLO_ALERT : HELLO_NOT_TLS);
  }
  if ((data[0] & 0x80) == 0) return refuse_as(out, HELLO_NOT_TLS);
  if (size < 3) return 0; /* a length of two bytes, and the type of SSL 2's CLIENT-HELLO */
  return refuse_as(out, data[2] == MESSAGE_HELLO ? HELLO_SSL2 : HELLO_NOT_TLS);
}

static int read_record_head(const uint8_t *data, size_t size, struct hello *out, size_t *length)
{
  if (size == 0) return 0;
  if (data[0] != RECORD_HANDSHAKE)
    return out->records == 0 ? refuse_foreign(data, size, out)
                             : refuse_malformed(out, "another record stands between its pieces");
  if (size < 2) return 0;
  if (data[1] != 3)
    return out->records == 0 ? refuse_as(out, HELLO_NOT_TLS)
                             : refuse_malformed(out, "a record of it is of no version of TLS");
  if (size < RECORD_HEAD) return 0;
  *length = (size_t) data[3] << 8 | data[4];
  if (*length == 0) return refuse_malformed(out, "a record of it is empty (RFC 8446, 5.1)");
  if (*length > RECORD_MAX)
    return refuse_malformed(out, "a record is longer than 16,384 bytes (RFC 8446, 5.1)");
  if (out->records == 0) out->record_version = (uint16_t) (data[1] << 8 | data[2]);
  return 1;
}

/* The message, as far as it has come. */
struct gathered {
  size_t size, whole; /* whole 0: its head has not come */
  uint8_t data[HELLO_MAX];
};

/* `here` bytes of a record of `length` have come. */
static int take_fragment(struct gathered *message, const uint8_t *data, size_t here, size_t length,
                         struct hello *out)
{
  size_t end = message->size + length, room = sizeof message->data - message->size;
  size_t taken = here < room ? here : room;
  memcpy(message->data + message->size, data, taken);
  message->size += taken;
  if (message->size == 0) return 0;
  if (message->data[0] != MESSAGE_HELLO)
    return refuse_malformed(out, "its first message is another one");
  if (message->size < MESSAGE_HEAD) return 0;
  struct hello_part head = {message->data + 1, 3, false};
  message->whole = MESSAGE_HEAD + hello_part_number(&head, 3);
  if (message->whole > HELLO_MAX) return refuse_as(out, HELLO_TOO_LARGE);
  if (end > message->whole)
    return refuse_malformed(out, "something follows it in its record (RFC 8446, 5.1)");
  return message->size == message->whole;
}

static int gather(const uint8_t *data, size_t size, struct gathered *message, struct hello *out)
{
  for (size_t at = 0;;) {
    size_t length = 0;
    int result = read_record_head(data + at, size - at, out, &length);
    if (result <= 0) return result;
    at += RECORD_HEAD;
    if (at + length > HELLO_WIRE_MAX) return refuse_as(out, HELLO_TOO_LARGE);
    out->records++;
    size_t here = size - at < length ? size - at : length;
    result = take_fragment(message, data + at, here, length, out);
    at += here;
    out->wire_size = (uint16_t) at;
    if (result != 0 || here < length) return result;
  }
}

/* --- Fields ----------------------------------------------------------------------------------- */

bool hello_part_numbers(struct hello_part part, struct hello_numbers *out)
{
  if (part.left == 0 || part.left % 2 != 0) return false;
  while (part.left > 0) {
    uint16_t value = (uint16_t) hello_part_number(&part, 2);
    if (out->count < HELLO_NUMBERS)
      out->value[out->count++] = value;
    else
      out->more++;
  }
  return true;
}

bool hello_part_bytes(struct hello_part part, struct hello_bytes *out)
{
  if (part.left == 0) return false;
  while (part.left > 0) {
    uint8_t value = (uint8_t) hello_part_number(&part, 1);
    if (out->count < sizeof out->value)
      out->value[out->count++] = value;
    else
      out->more++;
  }
  return true;
}

static int read_fields(struct hello_part body, struct hello *out)
{
  out->legacy_version = (uint16_t) hello_part_number(&body, 2);
  hello_part_skip(&body, RANDOM_SIZE);
  struct hello_part session_id = hello_part_inner(&body, 1);
  struct hello_part suites = hello_part_inner(&body, 2);
  struct hello_part compressions = hello_part_inner(&body, 1);
  if (body.broken) return refuse_malformed(out, "it ends within its suites, or before them");
  if (session_id.left > SESSION_ID_MAX)
    return refuse_malformed(out, "its session id is longer than 32 bytes");
  out->session_id_size = (uint8_t) session_id.left;
  if (!hello_part_numbers(suites, &out->suites))
    return refuse_malformed(out, "its cipher suites are no list of numbers");
  if (!hello_part_bytes(compressions, &out->compressions))
    return refuse_malformed(out, "it has no compression method, not even none");
  if (body.left == 0) return 1; /* no extensions: as before RFC 3546 */
  if (hello_extensions_read(body, out)) return 1;
  out->wrong = HELLO_MALFORMED;
  return -1;
}

static bool any_grease(const struct hello_numbers *list)
{
  for (size_t i = 0; i < list->count; i++)
    if (hello_is_grease(list->value[i])) return true;
  return false;
}

static void look_for_grease(struct hello *out)
{
  out->grease = any_grease(&out->suites) || any_grease(&out->versions) ||
                any_grease(&out->groups) || any_grease(&out->schemes);
  for (size_t i = 0; i < out->extension_count; i++)
    out->grease |= hello_is_grease(out->extension[i].number);
}

/* Without the extension a client names its highest version only (RFC 8446, 4.2.1). Where each of
   its suites needs TLS 1.2, so does it. */
static void derive_from_legacy(struct hello *out)
{
  out->highest = out->legacy_version < HELLO_TLS12 ? out->legacy_version : HELLO_TLS12;
  if (out->highest < HELLO_TLS12 || out->suites.more > 0) return;
  for (size_t i = 0; i < out->suites.count; i++) {
    uint16_t suite = out->suites.value[i];
    unsigned traits = hello_suite_traits(suite);
    if (hello_is_grease(suite) || (traits & HELLO_SUITE_SIGNAL) != 0) continue;
    if ((traits & (HELLO_SUITE_TLS12 | HELLO_SUITE_TLS13)) == 0) return;
  }
  out->lowest = HELLO_TLS12;
}

static void derive_versions(struct hello *out)
{
  if (!hello_has(out, HELLO_SUPPORTED_VERSIONS)) {
    derive_from_legacy(out);
    return;
  }
  for (size_t i = 0; i < out->versions.count; i++) {
    uint16_t version = out->versions.value[i];
    if (version < HELLO_SSL3 || version > HELLO_TLS13) continue;
    if (version > out->highest) out->highest = version;
    if (version < out->lowest || out->lowest == 0) out->lowest = version;
  }
}

int hello_read(const uint8_t *data, size_t size, struct hello *out)
{
  struct gathered message;
  message.size = message.whole = 0;
  memset(out, 0, sizeof *out);
  if (size == 0) return 0;
  int result = gather(data, size, &message, out);
  if (result <= 0) return result;
  struct hello_part body = {message.data + MESSAGE_HEAD, message.whole - MESSAGE_HEAD, false};
  out->size = (uint16_t) message.whole;
  result = read_fields(body, out);
  if (result <= 0) return result;
  look_for_grease(out);
  derive_versions(out);
  return 1;
}

/* --- Asked of it ------------------------------------------------------------------------------ */

int hello_extension_size(const struct hello *hello, uint16_t number)
{
  for (size_t i = 0; i < hello->extension_count; i++)
    if (hello->extension[i].number == number) return hello->extension[i].size;
  return -1;
}

bool hello_has(const struct hello *hello, uint16_t extension)
{
  return hello_extension_size(hello, extension) >= 0;
}

bool hello_lists(const struct hello_numbers *list, uint16_t value)
{
  for (size_t i = 0; i < list->count; i++)
    if (list->value[i] == value) return true;
  return false;
}

bool hello_is_grease(uint16_t number)
{
  return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
}

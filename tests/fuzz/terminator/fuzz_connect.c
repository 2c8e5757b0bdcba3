/* Any bytes as the first that a client sends: what is taken for its CONNECT is handed on whole,
 * with the certificate's name as user name and nothing else changed; what is refused is refused
 * however it was cut into pieces.
 *
 * The input: 1 byte {bit 0 any client id, bits 1-2 which certificate}, then the client's bytes. */
#include "fuzz.h"
#include "terminator/connect.h"
#include "terminator/terminator.h"

/* Fields that come before the payload's client id: name, level, flags, keep-alive, properties. */
static size_t head_size(const uint8_t *body, size_t size)
{
  size_t at = 2u + ((size_t) body[0] << 8 | body[1]) + 4;
  if ((body[at - 4] & 0x7f) != 5) return at;
  size_t length = 0;
  for (unsigned shift = 0; at < size; shift += 7) {
    length |= (size_t) (body[at] & 0x7f) << shift;
    if ((body[at++] & 0x80) == 0) break;
  }
  return at + length;
}

static const uint8_t *body_of(const uint8_t *packet)
{
  size_t at = 1;
  while ((packet[at++] & 0x80) != 0)
    ;
  return packet + at;
}

static void check_taken(const struct terminator_connect *taken, const uint8_t *data,
                        const uint8_t *out, const char *name)
{
  const uint8_t *from = body_of(data), *to = body_of(out);
  size_t from_size = taken->taken - (size_t) (from - data),
         to_size = taken->size - (size_t) (to - out);
  size_t name_size = strlen(name), flags = 2u + ((size_t) from[0] << 8 | from[1]) + 1;
  require(out[0] == data[0] && to_size == from_size + 2 + name_size, "one field longer");
  require(memcmp(to, from, flags) == 0 && to[flags] == (from[flags] | 0x80),
          "a user name is announced");
  require(memcmp(to + flags + 1, from + flags + 1, from_size - flags - 1) == 0,
          "the rest is handed on");
  require(memcmp(to + to_size - name_size, name, name_size) == 0, "the name is the certificate's");
  require(head_size(from, from_size) + 2 <= from_size, "there is a client id");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const names[] = {"00000007", "", "a name of an operator", "0000002a"};
  struct fuzz_input in = {data, size};
  uint32_t head = fuzz_number(&in, 1);
  const char *name = names[head >> 1 & 3];
  const char *id = (head & 1) != 0 ? NULL : name;
  uint8_t *out = malloc(in.left + TERMINATOR_NAME_MAX + 8);
  require(out != NULL, "there is memory");
  struct terminator_connect whole = terminator_connect(in.at, in.left, name, id, out);
  require(whole.taken <= in.left && whole.size <= in.left + TERMINATOR_NAME_MAX + 8,
          "stays inside");
  require(whole.wrong == NULL || whole.taken == 0, "who must go is not let in");
  if (whole.taken > 0) {
    check_taken(&whole, in.at, out, name);
    struct terminator_connect early = terminator_connect(in.at, whole.taken - 1, name, id, out);
    require(early.taken == 0 && early.wrong == NULL, "waits for the last byte");
  }
  for (size_t piece = 0; piece < in.left && piece < 8; piece++) {
    struct terminator_connect part = terminator_connect(in.at, piece, name, id, out);
    require(part.taken == 0 || part.taken == whole.taken, "pieces change nothing");
  }
  free(out);
  return 0;
}

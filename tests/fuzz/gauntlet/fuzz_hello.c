#define _POSIX_C_SOURCE 200809L
/* Any bytes as the first that a client sends: read in whatever pieces they come, they are the same
 * hello, or wrong for the same reason; and whatever is read can be told.
 *
 * The input is tried three times: as it is, as the fields of a hello, and as its extensions, each
 * with heads of the right length before it. */
#include "fuzz.h"
#include "gauntlet/hello.h"

enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4, FIELDS = 2 + 32 + 1 + 4 + 2 };

static void count_finding(void *ctx, const struct hello_finding *finding)
{
  unsigned *count = ctx;
  ++*count;
  require(finding->id[0] != '\0' && strlen(finding->sentence) + 1 < sizeof finding->sentence,
          "a finding is a whole sentence");
  require(strstr(finding->sentence, finding->reference) != NULL, "and has its reference");
}

static void check_facts(const struct hello *hello)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  require(out != NULL, "there is memory");
  hello_print_facts(hello, out);
  fclose(out);
  for (size_t i = 0; i < size; i++)
    require(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f), "facts leave a terminal alone");
  free(text);
}

static void check_told(const struct hello *hello)
{
  char ja3[HELLO_JA3], ja4[HELLO_JA4];
  unsigned findings = 0;
  hello_stands_out(hello, count_finding, &findings);
  require(findings < 64, "a finding comes once");
  check_facts(hello);
  json_t *json = hello_json(hello);
  require(json_object_size(json) > 30, "all facts are there");
  json_decref(json);
  require(hello_ja3(hello, ja3) == (strlen(ja3) == HELLO_JA3 - 1), "JA3 is whole or none");
  require(hello_ja4(hello, ja4) == (strlen(ja4) == HELLO_JA4 - 1), "JA4 is whole or none");
}

static void check_bounds(const struct hello *hello)
{
  require(hello->suites.count > 0 && hello->suites.count <= HELLO_NUMBERS, "suites are bounded");
  require(hello->groups.count <= HELLO_NUMBERS && hello->schemes.count <= HELLO_NUMBERS &&
              hello->versions.count <= HELLO_NUMBERS && hello->psk_sizes.count <= HELLO_NUMBERS,
          "lists are bounded");
  require(hello->extension_count <= HELLO_EXTENSIONS && hello->share_count <= HELLO_SHARES &&
              hello->protocol_count <= HELLO_PROTOCOLS,
          "what is counted is there");
  require(hello->lowest <= hello->highest, "versions are in their order");
  require(hello->size <= HELLO_MAX && hello->wire_size <= HELLO_WIRE_MAX, "it is not too large");
}

/* In records of that many bytes: the same but for what is said of records. */
static void check_in_pieces(const uint8_t *wire, const struct hello *whole, size_t piece)
{
  uint8_t *cut = malloc(whole->size + RECORD_HEAD * (whole->size / piece + 1u));
  size_t size = 0, copied = 0;
  struct hello hello;
  require(cut != NULL, "there is memory");
  for (; copied < whole->size; copied += piece) {
    size_t left = whole->size - copied, now = left < piece ? left : piece;
    memcpy(cut + size, (uint8_t[]){22, 3, wire[2], (uint8_t) (now >> 8), (uint8_t) now},
           RECORD_HEAD);
    memcpy(cut + size + RECORD_HEAD, wire + RECORD_HEAD + copied, now);
    size += RECORD_HEAD + now;
  }
  int result = hello_read(cut, size, &hello);
  free(cut);
  require(size > HELLO_WIRE_MAX ? result == -1 : result == 1, "pieces are put together");
  if (result != 1) return;
  require(hello.wire_size == size, "all of them are it");
  hello.wire_size = whole->wire_size;
  hello.records = whole->records;
  require(memcmp(&hello, whole, sizeof hello) == 0, "pieces change nothing");
}

static void check_early(const uint8_t *wire, size_t cut, int result, const struct hello *whole)
{
  struct hello hello;
  int early = hello_read(wire, cut, &hello);
  require(early == 0 || (early == -1 && result == -1 && hello.wrong == whole->wrong),
          "what is wrong early is wrong for the same reason");
}

static void try_wire(const uint8_t *wire, size_t size)
{
  struct hello hello, again;
  int result = hello_read(wire, size, &hello);
  require(result >= -1 && result <= 1, "there are three answers");
  require((result == -1) == (hello.wrong != HELLO_NOTHING), "what is none has a reason");
  require((result == -1) == (hello.why[0] != '\0'), "and a sentence");
  size_t end = result == 1 ? hello.wire_size : size;
  for (size_t cut = 0; cut < end && cut < 48; cut++) check_early(wire, cut, result, &hello);
  for (size_t cut = end > 8 ? end - 8 : 0; cut < end; cut++) check_early(wire, cut, result, &hello);
  if (result != 1) return;
  check_bounds(&hello);
  require(hello_read(wire, hello.wire_size, &again) == 1 &&
              memcmp(&again, &hello, sizeof again) == 0,
          "what follows is not looked at");
  if (hello.records == 1) check_in_pieces(wire, &hello, 1 + hello.size % 300u);
  check_told(&hello);
}

static void put_length(uint8_t *out, size_t bytes, size_t length)
{
  for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t) (length >> (8 * (bytes - 1 - i)));
}

/* Puts the heads of a record and of a hello before `size` bytes that stand behind their room. */
static void try_message(uint8_t *wire, size_t size)
{
  memcpy(wire, "\x16\3\1", 3);
  put_length(wire + 3, 2, MESSAGE_HEAD + size);
  wire[RECORD_HEAD] = 1;
  put_length(wire + RECORD_HEAD + 1, 3, size);
  try_wire(wire, RECORD_HEAD + MESSAGE_HEAD + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint8_t suites[] = {0, 2, 0x13, 0x01, 1, 0};
  try_wire(data, size);
  if (size == 0 || size > HELLO_MAX - MESSAGE_HEAD - FIELDS - 2) return 0;
  uint8_t *wire = calloc(1, RECORD_HEAD + MESSAGE_HEAD + FIELDS + 2 + size);
  require(wire != NULL, "there is memory");
  memcpy(wire + RECORD_HEAD + MESSAGE_HEAD, data, size);
  try_message(wire, size);
  uint8_t *body = wire + RECORD_HEAD + MESSAGE_HEAD;
  memset(body, 3, FIELDS + 2);
  body[2 + 32] = 0; /* no session id */
  memcpy(body + 2 + 32 + 1, suites, sizeof suites);
  put_length(body + FIELDS, 2, size);
  memcpy(body + FIELDS + 2, data, size);
  try_message(wire, FIELDS + 2 + size);
  free(wire);
  return 0;
}

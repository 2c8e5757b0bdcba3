/* Any bytes that a client sends through the gate, cut into any pieces: it is taken for one that has
 * finished its handshake when, and only when, a record of application data has begun.
 *
 * The input: 1 byte that chooses the pieces, then the client's bytes. */
#include "broker/records.h"
#include "fuzz.h"

/* The same over the whole, by jumps from header to header: how many bytes must have come. SIZE_MAX:
 * it never happens.
 */
static size_t expected(const uint8_t *data, size_t size)
{
  for (size_t at = 0; at + RECORDS_HEADER <= size;) {
    if (data[at] == 0x17) return at + RECORDS_HEADER;
    at += RECORDS_HEADER + ((size_t) data[at + 3] << 8 | data[at + 4]);
  }
  return SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct records whole = {.header_size = 0}, pieces = {.header_size = 0};
  uint32_t cut = fuzz_number(&in, 1);
  size_t wanted = expected(in.at, in.left), came = 0;
  require(records_pass(&whole, in.at, in.left) == (wanted != SIZE_MAX), "at once");
  while (in.left > 0) {
    size_t piece;
    const uint8_t *bytes = fuzz_take(&in, 1 + (cut = cut * 5 + 1) % 11, &piece);
    bool passed = records_pass(&pieces, bytes, piece);
    require(pieces.header_size <= RECORDS_HEADER, "a header has its size");
    came += piece;
    require(passed == (came >= wanted), "in pieces");
    if (passed) break;
  }
  return 0;
}

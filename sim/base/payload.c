/* Telemetry is written and read in one place, so that both sides mean the same bytes. Any size is
 * read: it comes from a broker. */
#include "base/payload.h"

#include <assert.h>
#include <string.h>

enum { SEQUENCE = 4, TIME = 8, TIME_SIZE = 5, CHECK = 13, CHECK_SIZE = 3, MARK_SIZE = 4 };

#define TIME_MASK ((UINT64_C(1) << 8 * TIME_SIZE) - 1)
#define CRC_INIT  0xb704ceu
#define CRC_MASK  0xffffffu
#define PADDING   'x'

/* Polynomial 0x864cfb: what the upper and the lower half of a byte leave. */
static const uint32_t crc_of[2][16] = {
    {0x000000, 0xc54e89, 0x0cd1e9, 0xc99f60, 0x19a3d2, 0xdced5b, 0x15723b, 0xd03cb2, 0x3347a4,
     0xf6092d, 0x3f964d, 0xfad8c4, 0x2ae476, 0xefaaff, 0x26359f, 0xe37b16},
    {0x000000, 0x864cfb, 0x8ad50d, 0x0c99f6, 0x93e6e1, 0x15aa1a, 0x1933ec, 0x9f7f17, 0xa18139,
     0x27cdc2, 0x2b5434, 0xad18cf, 0x3267d8, 0xb42b23, 0xb8b2d5, 0x3efe2e},
};

static uint32_t crc(uint32_t sum, const uint8_t *data, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    uint32_t byte = (sum >> 16 ^ data[i]) & 0xff;
    sum = (sum << 8 & CRC_MASK) ^ crc_of[0][byte >> 4] ^ crc_of[1][byte & 15];
  }
  return sum;
}

/* The padding is not in it: a message is checked in 0.1 us, whatever its size. */
static uint32_t check_of(const uint8_t *data, size_t size)
{
  const uint8_t size_bytes[2] = {(uint8_t) (size >> 8), (uint8_t) size};
  return crc(crc(CRC_INIT, data, CHECK), size_bytes, sizeof size_bytes);
}

static bool is_padding(const uint8_t *bytes, size_t size)
{
  return size == 0 || (bytes[0] == PADDING && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void put(uint8_t *out, int size, uint64_t value)
{
  for (int i = size - 1; i >= 0; i--, value >>= 8) out[i] = (uint8_t) value;
}

static uint64_t get(const uint8_t *bytes, int size)
{
  uint64_t value = 0;
  for (int i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

void payload_write(uint8_t *out, size_t size, const struct payload *payload)
{
  assert(size >= PAYLOAD_MIN && size <= PAYLOAD_MAX);
  put(out, MARK_SIZE, payload->mark);
  put(out + SEQUENCE, TIME - SEQUENCE, payload->sequence);
  put(out + TIME, TIME_SIZE, payload->sent_us);
  memset(out + PAYLOAD_MIN, PADDING, size - PAYLOAD_MIN);
  put(out + CHECK, CHECK_SIZE, check_of(out, size));
}

enum payload_reading payload_read(const uint8_t *data, size_t size, struct payload *out)
{
  *out = (struct payload){.mark = 0};
  if (size < MARK_SIZE) return PAYLOAD_NONE;
  out->mark = (uint32_t) get(data, MARK_SIZE);
  if (size < PAYLOAD_MIN || size > PAYLOAD_MAX ||
      get(data + CHECK, CHECK_SIZE) != check_of(data, size) ||
      !is_padding(data + PAYLOAD_MIN, size - PAYLOAD_MIN))
    return PAYLOAD_ALTERED;
  out->sequence = (uint32_t) get(data + SEQUENCE, TIME - SEQUENCE);
  out->sent_us = get(data + TIME, TIME_SIZE);
  return PAYLOAD_WHOLE;
}

uint64_t payload_age_us(const struct payload *payload, uint64_t now_us)
{
  uint64_t age_us = (now_us - payload->sent_us) & TIME_MASK;
  return age_us > TIME_MASK / 2 ? 0 : age_us;
}

/* Telemetry is written and read in one place, so that both sides mean the same bytes. Any size is
 * read: it comes from a broker. */
#include "base/payload.h"

#include <assert.h>
#include <string.h>

#include "base/random.h"

enum { MARK_SIZE = 4, CHECK_BITS = 24 };

#define TIME_MASK  ((UINT64_C(1) << (64 - CHECK_BITS)) - 1)
#define CHECK_MASK ((UINT64_C(1) << CHECK_BITS) - 1)
#define PADDING    'x'

/* The padding is not in it, and it is a dozen operations on two registers: a device of a fleet that
 * publishes as fast as it can would feel more. The factor is odd, so that no change of `head` alone
 * is lost; SplitMix64 leaves no two states the same. */
static uint64_t check_of(uint64_t head, uint64_t sent_us, size_t size, uint64_t sender)
{
  uint64_t state = head * UINT64_C(0x9fb21c651e98df25) + (sent_us << CHECK_BITS | size) + sender;
  return random_next(&state) >> (64 - CHECK_BITS);
}

static bool is_padding(const uint8_t *bytes, size_t size)
{
  return size == 0 || (bytes[0] == PADDING && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Spelled out, a compiler makes one store or load of each. */
static void put(uint8_t *out, uint64_t value)
{
  out[0] = (uint8_t) (value >> 56);
  out[1] = (uint8_t) (value >> 48);
  out[2] = (uint8_t) (value >> 40);
  out[3] = (uint8_t) (value >> 32);
  out[4] = (uint8_t) (value >> 24);
  out[5] = (uint8_t) (value >> 16);
  out[6] = (uint8_t) (value >> 8);
  out[7] = (uint8_t) value;
}

static uint64_t get(const uint8_t *bytes, size_t size)
{
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

/* Eight bytes at a time, as each message needs it. */
uint64_t payload_sender_of(const char *name)
{
  uint64_t state = 0, word;
  for (size_t left = strlen(name), size; left > 0; left -= size, name += size) {
    word = 0;
    size = left < sizeof word ? left : sizeof word;
    memcpy(&word, name, size);
    state = (state ^ word) * UINT64_C(0xd6e8feb86659fd93);
    state ^= state >> 32;
  }
  return state;
}

void payload_write(uint8_t *out, size_t size, const struct payload *payload)
{
  assert(size >= PAYLOAD_MIN && size <= PAYLOAD_MAX);
  uint64_t head = (uint64_t) payload->mark << 32 | payload->sequence;
  uint64_t sent_us = payload->sent_us & TIME_MASK;
  put(out, head);
  put(out + 8, sent_us << CHECK_BITS | check_of(head, sent_us, size, payload->sender));
  memset(out + PAYLOAD_MIN, PADDING, size - PAYLOAD_MIN);
}

enum payload_reading payload_read(const uint8_t *data, size_t size, uint64_t sender,
                                  struct payload *out)
{
  *out = (struct payload){.mark = 0};
  if (size < MARK_SIZE) return PAYLOAD_NONE;
  out->mark = (uint32_t) get(data, MARK_SIZE);
  if (size < PAYLOAD_MIN || size > PAYLOAD_MAX) return PAYLOAD_ALTERED;
  uint64_t head = get(data, 8), tail = get(data + 8, 8), sent_us = tail >> CHECK_BITS;
  if ((tail & CHECK_MASK) != check_of(head, sent_us, size, sender) ||
      !is_padding(data + PAYLOAD_MIN, size - PAYLOAD_MIN))
    return PAYLOAD_ALTERED;
  out->sequence = (uint32_t) head;
  out->sent_us = sent_us;
  return PAYLOAD_WHOLE;
}

uint64_t payload_age_us(const struct payload *payload, uint64_t now_us)
{
  uint64_t age_us = (now_us - payload->sent_us) & TIME_MASK;
  return age_us > TIME_MASK / 2 ? 0 : age_us;
}

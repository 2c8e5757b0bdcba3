/* Telemetry is read as it was written, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/payload.h"

static const struct payload sample = {0xa1b2c3d4, 0x00010203, 0x0405060708, 0};

/* As an independent implementation has it: Python's, with integers of any size, in the same order:
 * z = (0xa1b2c3d400010203 * 0x9fb21c651e98df25 + (0x0405060708 << 24 | 1024)) mod 2^64, and the
 * upper three bytes of what SplitMix64 makes of it. */
static void the_bytes_are_as_the_header_says(void **state)
{
  (void) state;
  uint8_t bytes[PAYLOAD_MAX];
  payload_write(bytes, sizeof bytes, &sample);
  const uint8_t expected[] = {0xa1, 0xb2, 0xc3, 0xd4, 0,    1,    2,    3,  4,
                              5,    6,    7,    8,    0x3f, 0x33, 0x0a, 'x'};
  assert_memory_equal(bytes, expected, sizeof expected);
  assert_int_equal(bytes[PAYLOAD_MAX - 1], 'x');
}

static void what_was_written_is_read(void **state)
{
  (void) state;
  static const size_t sizes[] = {PAYLOAD_MIN, 17, 64, PAYLOAD_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint8_t bytes[PAYLOAD_MAX];
    struct payload read;
    payload_write(bytes, sizes[i], &sample);
    assert_int_equal(payload_read(bytes, sizes[i], sample.sender, &read), PAYLOAD_WHOLE);
    assert_int_equal(read.mark, sample.mark);
    assert_int_equal(read.sequence, sample.sequence);
    assert_int_equal(read.sent_us, sample.sent_us);
  }
}

static void another_device_s_is_altered(void **state)
{
  (void) state;
  static const char *const names[] = {"", "00000001", "00000002", "SN-2026-000001",
                                      "SN-2026-100000"};
  enum { NAMES = sizeof names / sizeof *names };
  for (size_t of = 0; of < NAMES; of++)
    for (size_t under = 0; under < NAMES; under++) {
      uint8_t bytes[PAYLOAD_MIN];
      struct payload read, sent = sample;
      sent.sender = payload_sender_of(names[of]);
      payload_write(bytes, sizeof bytes, &sent);
      assert_int_equal(payload_read(bytes, sizeof bytes, payload_sender_of(names[under]), &read),
                       of == under ? PAYLOAD_WHOLE : PAYLOAD_ALTERED);
      assert_int_equal(read.mark, sample.mark);
    }
}

static void every_bit_and_every_byte_of_it_counts(void **state)
{
  (void) state;
  enum { SIZE = 64 };
  uint8_t bytes[SIZE + 1];
  struct payload read;
  payload_write(bytes, SIZE, &sample);
  for (size_t bit = 0; bit < 8 * SIZE; bit++) {
    bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    if (payload_read(bytes, SIZE, sample.sender, &read) != PAYLOAD_ALTERED)
      fail_msg("bit %zu", bit);
    bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
  }
  for (size_t size = 4; size < SIZE; size++) {
    if (payload_read(bytes, size, sample.sender, &read) != PAYLOAD_ALTERED)
      fail_msg("cut to %zu bytes", size);
    assert_int_equal(read.mark, sample.mark);
  }
  bytes[SIZE] = 'x';
  assert_int_equal(payload_read(bytes, SIZE + 1, sample.sender, &read), PAYLOAD_ALTERED);
  assert_int_equal(payload_read(bytes, 3, sample.sender, &read), PAYLOAD_NONE);
}

static void an_age_is_right_over_the_end_of_the_clock(void **state)
{
  (void) state;
  const uint64_t end = UINT64_C(1) << 40;
  const struct payload late = {.sent_us = end - 10}, early = {.sent_us = 100};
  assert_int_equal(payload_age_us(&late, end + 5), 15);
  assert_int_equal(payload_age_us(&early, 350), 250);
  assert_int_equal(payload_age_us(&early, 99), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_bytes_are_as_the_header_says),
      cmocka_unit_test(what_was_written_is_read),
      cmocka_unit_test(another_device_s_is_altered),
      cmocka_unit_test(every_bit_and_every_byte_of_it_counts),
      cmocka_unit_test(an_age_is_right_over_the_end_of_the_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

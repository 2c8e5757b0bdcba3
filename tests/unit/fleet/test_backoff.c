#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "fleet/backoff.h"

#define SEED 20260101u

static void expect_delays(enum backoff_kind kind, uint32_t random, const uint64_t *delays,
                          size_t count)
{
  const struct backoff_policy policy = {kind, 1000, 30000};
  struct backoff_state state = {0};
  for (size_t i = 0; i < count; i++) {
    uint64_t delay_ms = backoff_next_ms(&policy, &state, random);
    if (delay_ms != delays[i])
      fail_msg("attempt %zu: %ju ms, not %ju", i, (uintmax_t) delay_ms, (uintmax_t) delays[i]);
  }
}

static void immediate_and_fixed_never_grow(void **state)
{
  (void) state;
  expect_delays(BACKOFF_IMMEDIATE, 12345, (const uint64_t[]){0, 0, 0}, 3);
  expect_delays(BACKOFF_FIXED, 12345, (const uint64_t[]){1000, 1000, 1000}, 3);
}

static void exponential_doubles_up_to_the_cap(void **state)
{
  (void) state;
  expect_delays(BACKOFF_EXPONENTIAL, 7,
                (const uint64_t[]){1000, 2000, 4000, 8000, 16000, 30000, 30000}, 7);
}

static void twenty_percent_reaches_both_ends(void **state)
{
  (void) state;
  expect_delays(BACKOFF_EXPONENTIAL_20, 0, (const uint64_t[]){800, 1600, 3200}, 3);
  expect_delays(BACKOFF_EXPONENTIAL_20, UINT32_MAX, (const uint64_t[]){1200, 2400, 4800}, 3);
}

static void full_jitter_reaches_zero_and_the_whole_step(void **state)
{
  (void) state;
  expect_delays(BACKOFF_FULL_JITTER, 0, (const uint64_t[]){0, 0, 0}, 3);
  expect_delays(BACKOFF_FULL_JITTER, UINT32_MAX,
                (const uint64_t[]){1000, 2000, 4000, 8000, 16000, 30000}, 6);
}

static void decorrelated_grows_from_its_own_last_delay(void **state)
{
  (void) state;
  expect_delays(BACKOFF_DECORRELATED, 0, (const uint64_t[]){1000, 1000, 1000}, 3);
  expect_delays(BACKOFF_DECORRELATED, UINT32_MAX,
                (const uint64_t[]){3000, 9000, 27000, 30000, 30000}, 5);
}

static void a_reset_starts_over(void **state)
{
  (void) state;
  for (enum backoff_kind kind = BACKOFF_IMMEDIATE; kind <= BACKOFF_DECORRELATED; kind++) {
    const struct backoff_policy policy = {kind, 500, 60000};
    struct backoff_state device = {0};
    uint64_t first_ms = backoff_next_ms(&policy, &device, 99);
    for (int i = 0; i < 5; i++) backoff_next_ms(&policy, &device, UINT32_MAX);
    backoff_reset(&device);
    assert_int_equal(backoff_next_ms(&policy, &device, 99), first_ms);
  }
}

/* For any policy of sensible numbers: never above the cap (+20 % where that is the policy). */
static void no_delay_is_ever_above_the_cap(void **state)
{
  (void) state;
  uint64_t random = SEED;
  for (int round = 0; round < 600; round++) {
    struct backoff_policy policy = {(enum backoff_kind)(round % 6), random_next(&random) % 100000,
                                    0};
    policy.cap_ms = policy.base_ms + (uint32_t) random_next(&random) / 2;
    struct backoff_state device = {0};
    for (int attempt = 0; attempt < 100; attempt++) {
      uint64_t delay_ms = backoff_next_ms(&policy, &device, (uint32_t) random_next(&random));
      uint64_t most_ms =
          policy.kind == BACKOFF_EXPONENTIAL_20 ? policy.cap_ms + policy.cap_ms / 5 : policy.cap_ms;
      if (delay_ms > most_ms)
        fail_msg("seed %u, kind %d, base %ju, cap %ju, attempt %d: %ju ms", SEED, policy.kind,
                 (uintmax_t) policy.base_ms, (uintmax_t) policy.cap_ms, attempt,
                 (uintmax_t) delay_ms);
    }
  }
}

static void the_largest_numbers_do_not_overflow(void **state)
{
  (void) state;
  for (enum backoff_kind kind = BACKOFF_FIXED; kind <= BACKOFF_DECORRELATED; kind++) {
    const struct backoff_policy policy = {kind, UINT32_MAX, UINT32_MAX};
    struct backoff_state device = {.attempts = UINT32_MAX - 1, .previous_ms = UINT32_MAX};
    for (int i = 0; i < 3; i++)
      assert_in_range(backoff_next_ms(&policy, &device, UINT32_MAX), UINT32_MAX, 6000000000u);
  }
}

static void full_jitter_spreads_a_fleet_evenly(void **state)
{
  (void) state;
  const struct backoff_policy policy = {BACKOFF_FULL_JITTER, 10000, 10000};
  uint64_t random = SEED;
  size_t in_tenth[10] = {0};
  for (int device = 0; device < 100000; device++) {
    struct backoff_state fresh = {0};
    uint64_t delay_ms = backoff_next_ms(&policy, &fresh, (uint32_t) (random_next(&random) >> 32));
    in_tenth[delay_ms < 10000 ? delay_ms / 1000 : 9]++;
  }
  /* four standard deviations */
  for (size_t i = 0; i < 10; i++) assert_in_range(in_tenth[i], 9600, 10400);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(immediate_and_fixed_never_grow),
      cmocka_unit_test(exponential_doubles_up_to_the_cap),
      cmocka_unit_test(twenty_percent_reaches_both_ends),
      cmocka_unit_test(full_jitter_reaches_zero_and_the_whole_step),
      cmocka_unit_test(decorrelated_grows_from_its_own_last_delay),
      cmocka_unit_test(a_reset_starts_over),
      cmocka_unit_test(no_delay_is_ever_above_the_cap),
      cmocka_unit_test(the_largest_numbers_do_not_overflow),
      cmocka_unit_test(full_jitter_spreads_a_fleet_evenly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

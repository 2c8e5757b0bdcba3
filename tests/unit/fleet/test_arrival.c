#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/arrival.h"

#define SEED 7u

static void two_hundred_a_second_is_one_every_five_milliseconds(void **state)
{
  (void) state;
  struct arrival arrival;
  arrival_begin(&arrival, 200, false, SEED);
  for (uint64_t i = 0; i < 1000; i++) assert_int_equal(arrival_next_us(&arrival), i * 5000);
}

static void a_rate_that_does_not_divide_a_second_does_not_drift(void **state)
{
  (void) state;
  struct arrival arrival;
  arrival_begin(&arrival, 3, false, SEED);
  uint64_t at_us = 0;
  for (int i = 0; i <= 3000000; i++) at_us = arrival_next_us(&arrival);
  assert_int_equal(at_us, 1000000000000u);
}

static void no_rate_means_all_at_once(void **state)
{
  (void) state;
  struct arrival arrival;
  for (int poisson = 0; poisson <= 1; poisson++) {
    arrival_begin(&arrival, 0, poisson != 0, SEED);
    for (int i = 0; i < 10; i++) assert_int_equal(arrival_next_us(&arrival), 0);
  }
}

/* Poisson: as many gaps as their mean says (1/e of them above it), and in any second about `rate`
   arrivals. */
static void poisson_gaps_are_exponential(void **state)
{
  (void) state;
  struct arrival arrival;
  const uint64_t count = 100000;
  arrival_begin(&arrival, 1000, true, SEED);
  uint64_t before_us = 0, longer_than_mean = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t at_us = arrival_next_us(&arrival);
    if (at_us < before_us)
      fail_msg("arrival %ju goes back: %ju after %ju", (uintmax_t) i, (uintmax_t) at_us,
               (uintmax_t) before_us);
    longer_than_mean += at_us - before_us > 1000;
    before_us = at_us;
  }
  assert_in_range(before_us, 98700000, 101300000); /* 100 s, four standard deviations */
  assert_in_range(longer_than_mean, 36100, 37500); /* 36,788 */
}

static void the_same_seed_gives_the_same_times(void **state)
{
  (void) state;
  struct arrival one, same, other;
  arrival_begin(&one, 50, true, SEED);
  arrival_begin(&same, 50, true, SEED);
  arrival_begin(&other, 50, true, SEED + 1);
  size_t different = 0;
  for (int i = 0; i < 100; i++) {
    uint64_t at_us = arrival_next_us(&one);
    assert_int_equal(at_us, arrival_next_us(&same));
    different += at_us != arrival_next_us(&other);
  }
  assert_in_range(different, 90, 100);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_hundred_a_second_is_one_every_five_milliseconds),
      cmocka_unit_test(a_rate_that_does_not_divide_a_second_does_not_drift),
      cmocka_unit_test(no_rate_means_all_at_once),
      cmocka_unit_test(poisson_gaps_are_exponential),
      cmocka_unit_test(the_same_seed_gives_the_same_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

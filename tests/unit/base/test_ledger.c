#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ledger.h"

static void tells_new_from_again_in_any_order(void **state)
{
  (void) state;
  struct ledger ledger = {0};
  for (uint64_t n = 1000; n >= 1; n--) assert_int_equal(ledger_enter(&ledger, n), LEDGER_NEW);
  for (uint64_t n = 1; n <= 1000; n++) assert_int_equal(ledger_enter(&ledger, n), LEDGER_AGAIN);
  assert_int_equal(ledger_missing(&ledger, 1000), 0);
  assert_int_equal(ledger_missing(&ledger, 1010), 10);
  free(ledger.words);
}

static void missing_counts_only_up_to_the_last(void **state)
{
  (void) state;
  struct ledger ledger = {0};
  assert_int_equal(ledger_missing(&ledger, 0), 0);
  assert_int_equal(ledger_missing(&ledger, 5), 5);
  ledger_enter(&ledger, 1);
  ledger_enter(&ledger, 64);
  ledger_enter(&ledger, 65);
  ledger_enter(&ledger, 500);
  assert_int_equal(ledger_missing(&ledger, 1), 0);
  assert_int_equal(ledger_missing(&ledger, 63), 62);
  assert_int_equal(ledger_missing(&ledger, 64), 62);
  assert_int_equal(ledger_missing(&ledger, 65), 62);
  assert_int_equal(ledger_missing(&ledger, 100000), 99996);
  free(ledger.words);
}

static void a_long_run_costs_no_more_than_a_short_one(void **state)
{
  (void) state;
  struct ledger ledger = {0};
  for (uint64_t n = 1; n <= 100000; n++) {
    /* two in the wrong order */
    if (n % 7 == 0) assert_int_equal(ledger_enter(&ledger, n + 1), LEDGER_NEW);
    assert_int_equal(ledger_enter(&ledger, n), n % 7 == 1 && n > 1 ? LEDGER_AGAIN : LEDGER_NEW);
  }
  assert_in_range(ledger.word_count, 1, 4);
  assert_int_equal(ledger_missing(&ledger, 100001), 1);
  assert_int_equal(ledger_missing(&ledger, 50), 0);
  free(ledger.words);
}

static void what_is_missing_stays_missing_behind_a_long_run(void **state)
{
  (void) state;
  struct ledger ledger = {0};
  for (uint64_t n = 1; n <= 10000; n++)
    if (n != 300 && n != 5000) assert_int_equal(ledger_enter(&ledger, n), LEDGER_NEW);
  assert_int_equal(ledger_missing(&ledger, 10000), 2);
  assert_int_equal(ledger_missing(&ledger, 299), 0);
  assert_int_equal(ledger_missing(&ledger, 300), 1);
  assert_false(ledger_has(&ledger, 0));
  assert_true(ledger_has(&ledger, 1));
  assert_true(ledger_has(&ledger, 299));
  assert_false(ledger_has(&ledger, 300));
  assert_false(ledger_has(&ledger, 10001));
  assert_int_equal(ledger_enter(&ledger, 300), LEDGER_NEW);
  assert_int_equal(ledger_enter(&ledger, 300), LEDGER_AGAIN);
  assert_true(ledger_has(&ledger, 300));
  assert_int_equal(ledger_missing(&ledger, 10000), 1);
  free(ledger.words);
}

static void has_a_limit_and_says_so(void **state)
{
  (void) state;
  struct ledger ledger = {0};
  assert_int_equal(ledger_enter(&ledger, 0), LEDGER_INVALID);
  assert_int_equal(ledger_enter(&ledger, LEDGER_MAX + UINT64_C(1)), LEDGER_BEYOND);
  assert_int_equal(ledger_enter(&ledger, UINT64_MAX), LEDGER_BEYOND);
  assert_int_equal(ledger.word_count, 0);
  assert_int_equal(ledger_enter(&ledger, LEDGER_MAX), LEDGER_NEW);
  assert_int_equal(ledger_missing(&ledger, LEDGER_MAX), LEDGER_MAX - 1);
  free(ledger.words);
}

static void two_ledgers_can_be_compared(void **state)
{
  (void) state;
  struct ledger acked = {0}, arrived = {0};
  for (uint64_t n = 1; n <= 200; n++) ledger_enter(&acked, n);
  ledger_enter(&arrived, 7);
  ledger_enter(&arrived, 64);
  ledger_enter(&arrived, 1000);
  assert_int_equal(ledger_count(&acked), 200);
  assert_int_equal(ledger_count(&arrived), 3);
  assert_int_equal(ledger_lacks(&arrived, &acked), 198);
  assert_int_equal(ledger_lacks(&acked, &arrived), 1);
  assert_true(ledger_has(&arrived, 64));
  assert_false(ledger_has(&arrived, 65) || ledger_has(&arrived, 0) || ledger_has(&arrived, 100000));
  free(acked.words);
  free(arrived.words);
}

static void ledgers_with_and_without_a_beginning_can_be_compared(void **state)
{
  (void) state;
  struct ledger most = {0}, few = {0};
  for (uint64_t n = 1; n <= 1000; n++)
    if (n != 130) assert_int_equal(ledger_enter(&most, n), LEDGER_NEW);
  for (uint64_t n = 1; n <= 640; n++)
    if (n != 3) assert_int_equal(ledger_enter(&few, n), LEDGER_NEW);
  assert_int_equal(ledger_count(&most), 999);
  assert_int_equal(ledger_count(&few), 639);
  assert_int_equal(ledger_lacks(&few, &most), 1 + 360);
  assert_int_equal(ledger_lacks(&most, &few), 1);
  assert_int_equal(ledger_lacks(&most, &most), 0);
  assert_int_equal(ledger_enter(&few, 3), LEDGER_NEW);
  assert_int_equal(ledger_lacks(&few, &most), 360);
  free(most.words);
  free(few.words);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_new_from_again_in_any_order),
      cmocka_unit_test(missing_counts_only_up_to_the_last),
      cmocka_unit_test(a_long_run_costs_no_more_than_a_short_one),
      cmocka_unit_test(what_is_missing_stays_missing_behind_a_long_run),
      cmocka_unit_test(has_a_limit_and_says_so),
      cmocka_unit_test(two_ledgers_can_be_compared),
      cmocka_unit_test(ledgers_with_and_without_a_beginning_can_be_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_new_from_again_in_any_order),
      cmocka_unit_test(missing_counts_only_up_to_the_last),
      cmocka_unit_test(has_a_limit_and_says_so),
      cmocka_unit_test(two_ledgers_can_be_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/peak.h"

static void the_most_of_one_second_stays(void **state)
{
  (void) state;
  struct peak peak = {0};
  assert_int_equal(peak.most, 0);
  peak_add(&peak, 5000, 3);
  peak_add(&peak, 5999, 4);
  assert_int_equal(peak.most, 7);
  peak_add(&peak, 6000, 6);
  assert_int_equal(peak.most, 7);
  peak_add(&peak, 6001, 2);
  assert_int_equal(peak.most, 8);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_most_of_one_second_stays)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who has to go so that there is a place for the next one: whoever says nothing, then whoever has waited longest
 * for an answer, and never somebody who looks on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live/guests.h"

static struct guest at[5];

static int begin(void **state)
{
  static struct guests guests;
  guests = (struct guests){0};
  for (size_t g = 0; g < 5; g++) {
    at[g] = (struct guest){.fd = (int) g};
    guests_arrive(&guests, &at[g]);
  }
  *state = &guests;
  return 0;
}

static void the_oldest_who_says_nothing_goes_first(void **state)
{
  struct guests *guests = *state;
  at[0].asked = at[1].asked = true;
  assert_int_equal(guests->count, 5);
  assert_ptr_equal(guests_dispensable(guests), &at[2]);
  guests_leave(guests, &at[2]);
  assert_int_equal(guests->count, 4);
  assert_ptr_equal(guests_dispensable(guests), &at[3]);
}

static void of_those_who_are_answered_the_oldest_goes(void **state)
{
  struct guests *guests = *state;
  for (size_t g = 0; g < 5; g++) at[g].asked = true;
  at[0].looks_on = true;
  assert_ptr_equal(guests_dispensable(guests), &at[1]);
}

static void who_looks_on_stays_and_nobody_goes_twice(void **state)
{
  struct guests *guests = *state;
  for (size_t g = 0; g < 4; g++) at[g].asked = at[g].looks_on = true;
  assert_ptr_equal(guests_dispensable(guests), &at[4]);
  at[4].leaving = true;
  assert_null(guests_dispensable(guests));
  assert_int_equal(guests_looking_on(guests), 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(the_oldest_who_says_nothing_goes_first, begin),
      cmocka_unit_test_setup(of_those_who_are_answered_the_oldest_goes, begin),
      cmocka_unit_test_setup(who_looks_on_stays_and_nobody_goes_twice, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

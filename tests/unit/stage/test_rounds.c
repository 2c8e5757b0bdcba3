/* Under which client ids a run looks at brokers that another run may look at, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stage/rounds.h"

static void two_runs_share_the_id_that_some_brokers_want_and_no_other(void **state)
{
  (void) state;
  static struct stage one = {.results.run_id = "3fa9c0ffee00000000000000000000aa"},
                      other = {.results.run_id = "9b21c0ffee00000000000000000000aa"};
  char of_one[STAGE_PROBE_ID], of_other[STAGE_PROBE_ID];
  stage_probe_id(&one, 0, of_one);
  assert_string_equal(of_one, "fleetsim-probe");
  for (unsigned number = 1; number <= 999; number++) {
    stage_probe_id(&one, number, of_one);
    stage_probe_id(&other, number, of_other);
    assert_string_not_equal(of_one, of_other);
    assert_in_range(strlen(of_one), 1, 23);
  }
  assert_string_equal(of_one, "fleetsim-probe-3fa9-999");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_runs_share_the_id_that_some_brokers_want_and_no_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

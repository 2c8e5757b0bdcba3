/* Under which client ids a run looks at brokers that another run may look at, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage/rounds.h"

static void two_runs_share_the_id_that_some_brokers_want_and_no_other(void **state)
{
  (void) state;
  static struct stage one = {.results.run_id = "3fa9c0ffee00000000000000000000aa"},
                      other = {.results.run_id = "9b21c0ffee00000000000000000000aa"};
  char of_one[STAGE_PROBE_ID], of_other[STAGE_PROBE_ID];
  stage_probe_id(&one, true, of_one);
  stage_probe_id(&other, true, of_other);
  assert_string_equal(of_one, "fleetsim-probe");
  assert_string_equal(of_other, "fleetsim-probe");
  stage_probe_id(&one, false, of_one);
  stage_probe_id(&other, false, of_other);
  assert_string_equal(of_one, "fleetsim-probe-3fa9-1");
  assert_string_equal(of_other, "fleetsim-probe-9b21-1");
}

static void no_id_comes_twice_in_46655_looks_and_none_is_too_long(void **state)
{
  (void) state;
  static struct stage stage = {.results.run_id = "3fa9c0ffee00000000000000000000aa"};
  static bool seen[36 * 36 * 36];
  char id[STAGE_PROBE_ID];
  for (unsigned n = 1; n < 36 * 36 * 36; n++) {
    stage_probe_id(&stage, false, id);
    assert_in_range(strlen(id), 1, 23);
    unsigned long number = strtoul(strrchr(id, '-') + 1, NULL, 36);
    assert_in_range(number, 1, 36 * 36 * 36 - 1);
    assert_false(seen[number]);
    seen[number] = true;
  }
  assert_string_equal(id, "fleetsim-probe-3fa9-zzz");
  stage_probe_id(&stage, false, id);
  assert_string_equal(id, "fleetsim-probe-3fa9-1");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_runs_share_the_id_that_some_brokers_want_and_no_other),
      cmocka_unit_test(no_id_comes_twice_in_46655_looks_and_none_is_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

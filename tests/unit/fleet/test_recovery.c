/* How long an outage lasts, and the most of something in one second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet/recovery.h"

#define S UINT64_C(1000000)

static void marks_count_from_the_first_loss(void **state)
{
  (void) state;
  struct recovery r = {.happened = false};
  assert_false(recovery_is_under_way(&r));
  recovery_begin(&r, 100 * S);
  for (size_t online = 200; online-- > 0;) recovery_update(&r, 101 * S, online, 200);
  assert_true(recovery_is_under_way(&r));
  for (size_t online = 1; online <= 200; online++)
    recovery_update(&r, (102 + online) * S, online, 200);
  assert_false(recovery_is_under_way(&r));
  assert_int_equal(r.missing, 200);
  assert_int_equal(r.back_us[RECOVERY_P50], 102 * S);
  assert_int_equal(r.back_us[RECOVERY_P90], 182 * S);
  assert_int_equal(r.back_us[RECOVERY_P99], 200 * S);
  assert_int_equal(r.back_us[RECOVERY_ALL], 202 * S);
}

static void who_is_lost_again_takes_the_mark_back(void **state)
{
  (void) state;
  struct recovery r;
  recovery_begin(&r, 0);
  recovery_update(&r, 1 * S, 4, 10);
  recovery_update(&r, 2 * S, 5, 10);
  assert_int_equal(r.back_us[RECOVERY_P50], 2 * S);
  recovery_update(&r, 3 * S, 4, 10);
  assert_true(r.back_us[RECOVERY_P50] == RECOVERY_NEVER);
  recovery_update(&r, 4 * S, 6, 10);
  assert_int_equal(r.back_us[RECOVERY_P50], 4 * S);
  assert_true(r.back_us[RECOVERY_P90] == RECOVERY_NEVER);
  assert_int_equal(r.missing, 6);
}

static void of_three_devices_ninety_per_cent_are_all(void **state)
{
  (void) state;
  struct recovery r;
  recovery_begin(&r, 0);
  recovery_update(&r, 1 * S, 1, 3);
  assert_true(r.back_us[RECOVERY_P50] == RECOVERY_NEVER);
  recovery_update(&r, 2 * S, 2, 3);
  assert_int_equal(r.back_us[RECOVERY_P50], 2 * S);
  assert_true(r.back_us[RECOVERY_P90] == RECOVERY_NEVER);
  recovery_update(&r, 2 * S, 2, 2); /* the third is not wanted any more */
  assert_int_equal(r.back_us[RECOVERY_ALL], 2 * S);
}

static void the_peak_is_of_one_second_of_the_clock(void **state)
{
  (void) state;
  struct surge s = {.total = 0};
  for (int i = 0; i < 5; i++) recovery_surge_add(&s, 7 * S + (uint64_t) i);
  for (int i = 0; i < 9; i++) recovery_surge_add(&s, 8 * S + (uint64_t) i * S / 10);
  for (int i = 0; i < 3; i++) recovery_surge_add(&s, 20 * S);
  assert_int_equal(s.total, 17);
  assert_int_equal(s.peak, 9);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(marks_count_from_the_first_loss),
      cmocka_unit_test(who_is_lost_again_takes_the_mark_back),
      cmocka_unit_test(of_three_devices_ninety_per_cent_are_all),
      cmocka_unit_test(the_peak_is_of_one_second_of_the_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "m4/emulator/tally.h"

static struct m4_tally tally;
static struct error error;

static int setup(void **state)
{
  (void) state;
  memset(&error, 0, sizeof error);
  m4_tally_init(&tally);
  return 0;
}

static void adds_up_a_mark_that_repeats(void **state)
{
  (void) state;
  const uint64_t stretches[][2] = {{10, 40}, {100, 110}, {200, 250}};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(m4_tally_begin(&tally, "sign", stretches[i][0], &error), 0);
    assert_int_equal(m4_tally_end(&tally, "sign", stretches[i][1], &error), 0);
  }
  assert_int_equal(tally.mark_count, 1);
  assert_int_equal(tally.marks[0].count, 3);
  assert_int_equal(tally.marks[0].cycles, 90);
  assert_int_equal(tally.marks[0].min, 10);
  assert_int_equal(tally.marks[0].max, 50);
}

static void marks_nest(void **state)
{
  (void) state;
  assert_int_equal(m4_tally_begin(&tally, "outer", 0, &error), 0);
  assert_int_equal(m4_tally_begin(&tally, "inner", 10, &error), 0);
  assert_int_equal(m4_tally_end(&tally, "inner", 20, &error), 0);
  assert_int_equal(m4_tally_end(&tally, "outer", 35, &error), 0);
  assert_int_equal(tally.marks[0].cycles, 35);
  assert_int_equal(tally.marks[1].cycles, 10);
}

static void a_mark_has_the_bytes_of_its_stretches_only(void **state)
{
  (void) state;
  tally.sent = 1000;
  for (uint64_t i = 0; i < 2; i++) {
    assert_int_equal(m4_tally_begin(&tally, "handshake", 10 * i, &error), 0);
    tally.sent += 30;
    tally.received += 7;
    assert_int_equal(m4_tally_end(&tally, "handshake", 10 * i + 5, &error), 0);
    tally.received += 500;
  }
  assert_int_equal(tally.marks[0].sent, 60);
  assert_int_equal(tally.marks[0].received, 14);
}

static void refuses_marks_that_do_not_match(void **state)
{
  (void) state;
  assert_int_equal(m4_tally_end(&tally, "sign", 5, &error), -1);
  assert_non_null(strstr(error.text, "'sign' ends without a begin"));
  assert_int_equal(m4_tally_begin(&tally, "sign", 5, &error), 0);
  assert_int_equal(m4_tally_begin(&tally, "sign", 6, &error), -1);
  assert_non_null(strstr(error.text, "'sign' begins within itself"));
  assert_int_equal(m4_tally_finish(&tally, 9, &error), -1);
  assert_non_null(strstr(error.text, "'sign' was begun and never ended"));
}

static void every_cycle_belongs_to_one_state(void **state)
{
  (void) state;
  assert_int_equal(m4_tally_state(&tally, "open", 30, &error), 0);
  assert_int_equal(m4_tally_state(&tally, "idle", 100, &error), 0);
  assert_int_equal(m4_tally_state(&tally, "open", 101, &error), 0);
  assert_int_equal(m4_tally_finish(&tally, 111, &error), 0);
  assert_int_equal(tally.state_count, 3);
  assert_string_equal(tally.states[0].name, "reset");
  assert_int_equal(tally.states[0].cycles, 30);
  assert_int_equal(tally.states[1].cycles, 80);
  assert_int_equal(tally.states[1].entered, 2);
  assert_int_equal(tally.states[2].cycles, 1);
}

static void knows_an_image_that_names_nothing(void **state)
{
  (void) state;
  assert_false(m4_tally_any(&tally));
  assert_int_equal(m4_tally_state(&tally, "open", 1, &error), 0);
  assert_true(m4_tally_any(&tally));
}

static void refuses_the_sixty_fifth_name(void **state)
{
  (void) state;
  char name[M4_NAME_MAX];
  for (unsigned i = 0; i < M4_NAMES_MAX; i++) {
    snprintf(name, sizeof name, "mark %u", i);
    assert_int_equal(m4_tally_begin(&tally, name, i, &error), 0);
  }
  assert_int_equal(m4_tally_begin(&tally, "one more", 99, &error), -1);
  assert_non_null(strstr(error.text, "more than 64 marks"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(adds_up_a_mark_that_repeats, setup),
      cmocka_unit_test_setup(marks_nest, setup),
      cmocka_unit_test_setup(a_mark_has_the_bytes_of_its_stretches_only, setup),
      cmocka_unit_test_setup(refuses_marks_that_do_not_match, setup),
      cmocka_unit_test_setup(every_cycle_belongs_to_one_state, setup),
      cmocka_unit_test_setup(knows_an_image_that_names_nothing, setup),
      cmocka_unit_test_setup(refuses_the_sixty_fifth_name, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

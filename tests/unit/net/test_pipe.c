/* A pipe in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/pipe.h"

static void put(struct pipe *pipe, const char *text, uint64_t due_ms)
{
  assert_int_equal(pipe_put(pipe, (const uint8_t *) text, strlen(text), due_ms), 0);
}

static void expect(struct pipe *pipe, uint64_t now_ms, const char *text)
{
  char got[64] = "";
  size_t used = 0, n;
  while ((n = pipe_pop(pipe, now_ms, (uint8_t *) got + used, sizeof got - 1 - used)) > 0) used += n;
  assert_string_equal(got, text);
}

static void bytes_leave_when_they_are_due(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  assert_int_equal(pipe_next_ms(&pipe, 5), UINT64_MAX);
  put(&pipe, "one", 100);
  put(&pipe, "two", 200);
  assert_int_equal(pipe_next_ms(&pipe, 5), 100);
  expect(&pipe, 99, "");
  expect(&pipe, 100, "one");
  assert_int_equal(pipe_next_ms(&pipe, 100), 200);
  expect(&pipe, 200, "two");
  assert_int_equal(pipe.waiting + pipe.cost, 0);
}

static void order_is_kept_where_the_later_one_was_faster(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  put(&pipe, "slow ", 100);
  put(&pipe, "fast", 20);
  expect(&pipe, 99, "");
  expect(&pipe, 100, "slow fast");
}

static void a_bucket_lets_so_many_bytes_a_second_through(void **state)
{
  (void) state;
  static const uint8_t data[1000];
  uint8_t piece[1000];
  struct pipe pipe = {0};
  pipe_set_rate(&pipe, 1000, 0);
  assert_int_equal(pipe_put(&pipe, data, sizeof data, 0), 0);
  size_t passed = 0, pieces = 0, n;
  for (uint64_t now = 0; now <= 500; now = pipe_next_ms(&pipe, now))
    while ((n = pipe_pop(&pipe, now, piece, sizeof piece)) > 0) {
      assert_true(n <= 100);
      passed += n;
      pieces++;
    }
  assert_in_range(passed, 480, 600); /* a tenth of a second's was in the bucket */
  assert_in_range(pieces, 4, 7);
  pipe_clear(&pipe);
  assert_int_equal(pipe.waiting + pipe.cost, 0);
}

static void two_bytes_a_second_is_one_every_500_ms(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  pipe_set_rate(&pipe, 2, 0);
  put(&pipe, "abc", 0);
  expect(&pipe, 0, "a");
  expect(&pipe, 499, "");
  assert_in_range(pipe_next_ms(&pipe, 499), 500, 501);
  expect(&pipe, 501, "b");
  expect(&pipe, 1001, "c");
}

static void a_slice_leaves_the_rest_for_later(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  uint8_t byte;
  put(&pipe, "xy", 10);
  assert_int_equal(pipe_pop(&pipe, 10, &byte, 1), 1);
  assert_int_equal(byte, 'x');
  assert_int_equal(pipe.waiting, 1);
  assert_int_equal(pipe_pop(&pipe, 10, &byte, 0), 0);
  expect(&pipe, 10, "y");
}

static void what_is_hurried_is_due(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  put(&pipe, "late", 1000);
  pipe_hurry(&pipe, 50);
  put(&pipe, " and new", 60);
  expect(&pipe, 50, "late");
  expect(&pipe, 60, " and new");
}

static void single_bytes_cost_what_keeps_them(void **state)
{
  (void) state;
  struct pipe pipe = {0};
  for (int i = 0; i < 10; i++) put(&pipe, "x", 0);
  assert_int_equal(pipe.waiting, 10);
  assert_true(pipe.cost > 10 * sizeof(void *));
  pipe_clear(&pipe);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_leave_when_they_are_due),
      cmocka_unit_test(order_is_kept_where_the_later_one_was_faster),
      cmocka_unit_test(a_bucket_lets_so_many_bytes_a_second_through),
      cmocka_unit_test(two_bytes_a_second_is_one_every_500_ms),
      cmocka_unit_test(a_slice_leaves_the_rest_for_later),
      cmocka_unit_test(what_is_hurried_is_due),
      cmocka_unit_test(single_bytes_cost_what_keeps_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#define _GNU_SOURCE
/* What a loop's callbacks take is told, what it waits for is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/loop_delay.h"

struct world {
  uv_loop_t loop;
  struct loop_delay delay;
  uint64_t turns, longest_ms, sum_ms;
};

static void on_turn(void *ctx, uint64_t delay_ms)
{
  struct world *w = ctx;
  w->turns++;
  w->sum_ms += delay_ms;
  if (delay_ms > w->longest_ms) w->longest_ms = delay_ms;
}

static void keep_the_loop_busy(uint64_t ms)
{
  uint64_t until_ns = uv_hrtime() + ms * 1000000u;
  while (uv_hrtime() < until_ns) continue;
}

static void on_timer(uv_timer_t *timer)
{
  keep_the_loop_busy(40);
  uv_close((uv_handle_t *) timer, NULL);
}

static void on_async(uv_async_t *async)
{
  keep_the_loop_busy(40);
  uv_close((uv_handle_t *) async, NULL);
}

static void begin(struct world *w)
{
  *w = (struct world){.turns = 0};
  assert_int_equal(uv_loop_init(&w->loop), 0);
  loop_delay_start(&w->delay, &w->loop, on_turn, w);
}

static void end(struct world *w)
{
  uint64_t turns = w->turns;
  loop_delay_stop(&w->delay);
  loop_delay_stop(&w->delay);
  assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(w->turns, turns);
  assert_int_equal(uv_loop_close(&w->loop), 0);
}

/* A wait of 60 ms, then 40 ms of work, in the callback of a timer: of these 100 ms the waiting is
   nobody's delay. */
static void a_wait_is_none_and_a_timers_callback_is(void **state)
{
  (void) state;
  struct world w;
  uv_timer_t timer, last;
  begin(&w);
  uint64_t began_ms = uv_hrtime() / 1000000u;
  uv_timer_init(&w.loop, &timer);
  uv_timer_init(&w.loop, &last);
  uv_timer_start(&timer, on_timer, 60, 0);
  uv_timer_start(&last, on_timer, 200, 0);
  uv_run(&w.loop, UV_RUN_DEFAULT);
  uint64_t passed_ms = uv_hrtime() / 1000000u - began_ms;
  assert_true(w.longest_ms >= 39);
  assert_true(w.sum_ms + 60 <= passed_ms + w.turns); /* each turn's figure may be 1 ms too high */
  end(&w);
}

static void a_descriptors_callback_is_a_delay_as_well(void **state)
{
  (void) state;
  struct world w;
  uv_async_t async;
  uv_timer_t last;
  begin(&w);
  uv_async_init(&w.loop, &async, on_async);
  uv_timer_init(&w.loop, &last);
  uv_timer_start(&last, on_timer, 100, 0);
  uv_async_send(&async);
  uv_run(&w.loop, UV_RUN_DEFAULT);
  assert_true(w.longest_ms >= 39);
  end(&w);
}

static void one_that_never_began_can_be_stopped(void **state)
{
  (void) state;
  struct loop_delay never = {.turn = NULL};
  loop_delay_stop(&never);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wait_is_none_and_a_timers_callback_is),
      cmocka_unit_test(a_descriptors_callback_is_a_delay_as_well),
      cmocka_unit_test(one_that_never_began_can_be_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

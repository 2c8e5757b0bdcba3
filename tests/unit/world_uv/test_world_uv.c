#define _GNU_SOURCE
/* The contract of world.h on this machine. */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "world_uv/world_uv.h"

#define BEAT_MS 5u

struct heard {
  unsigned beats, wakes, interrupts, delays;
  int signal;
};

static void on_beat(void *ctx)
{
  ((struct heard *) ctx)->beats++;
}

static void on_woken(void *ctx)
{
  ((struct heard *) ctx)->wakes++;
}

static void on_interrupt(void *ctx, int number)
{
  struct heard *heard = ctx;
  heard->interrupts++;
  heard->signal = number;
}

static void on_delay(void *ctx, uint64_t delay_ms)
{
  (void) delay_ms;
  ((struct heard *) ctx)->delays++;
}

static const struct world_watcher watcher = {
    .beat = on_beat, .woken = on_woken, .interrupted = on_interrupt, .delayed = on_delay};

static struct world *begin(struct heard *heard)
{
  struct world *world = NULL;
  struct error error;
  *heard = (struct heard){.beats = 0};
  if (world_uv_open(&world, &error) != 0) fail_msg("%s", error.text);
  world_watch(world, &watcher, BEAT_MS, heard);
  return world;
}

static void end(struct world *world, struct heard *heard)
{
  struct heard before = *heard;
  assert_true(world_settle(world, 1000));
  assert_memory_equal(heard, &before, sizeof before);
  world_wake(world);
  world_uv_close(world);
}

static void sleep_ms(long ms)
{
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void what_this_process_takes_up_is_told_while_it_runs(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  struct world_usage before, after;
  world_usage(world, &before);
  assert_true(before.resident_bytes > 0);
  assert_true(before.peak_bytes >= before.resident_bytes / 2); /* the two are counted apart */
  do world_usage(world, &after);
  while (after.cpu_s < before.cpu_s + 0.02);
  end(world, &heard);
}

static void the_clock_stands_still_between_two_turns(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  world_turn(world, true);
  uint64_t then_ms = world_now_ms(world), then_us = world_now_us(world);
  sleep_ms(20);
  assert_int_equal(world_now_ms(world), then_ms);
  assert_true(world_now_us(world) >= then_us + 20000);
  world_turn(world, false);
  assert_true(world_now_ms(world) >= then_ms + 20);
  uint64_t now_us = world_now_us(world), now_ms = world_now_ms(world);
  assert_true(now_us / 1000 + 5 >= now_ms && now_us / 1000 <= now_ms + 1000);
  end(world, &heard);
}

static void it_beats_from_the_first_turn_on_and_late_ones_do_not_come_twice(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  assert_int_equal(heard.beats, 0);
  world_turn(world, false);
  assert_int_equal(heard.beats, 1);
  sleep_ms(10 * BEAT_MS);
  world_turn(world, false);
  assert_int_equal(heard.beats, 2);
  world_turn(world, true);
  assert_true(heard.beats > 2);
  end(world, &heard);
}

static void *wake_three_times(void *world)
{
  for (int i = 0; i < 3; i++) world_wake(world);
  return NULL;
}

static void several_words_from_a_thread_wake_it_once(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  pthread_t thread;
  world_turn(world, false);
  assert_int_equal(pthread_create(&thread, NULL, wake_three_times, world), 0);
  pthread_join(thread, NULL);
  assert_int_equal(heard.wakes, 0);
  world_turn(world, true);
  assert_int_equal(heard.wakes, 1);
  end(world, &heard);
}

struct task {
  pthread_t thread;
  bool worked, done;
};

static void do_work(void *ctx)
{
  struct task *task = ctx;
  task->thread = pthread_self();
  task->worked = true;
}

static void on_done(void *ctx)
{
  ((struct task *) ctx)->done = true;
}

static void work_is_done_on_a_thread_and_told_by_a_turn(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  struct task task = {.done = false};
  assert_int_equal(world_work(world, do_work, on_done, &task), 0);
  sleep_ms(20);
  assert_false(task.done);
  for (int turns = 0; !task.done && turns < 1000; turns++) world_turn(world, true);
  assert_true(task.worked && task.done);
  assert_false(pthread_equal(task.thread, pthread_self()));
  end(world, &heard);
}

static void each_signal_is_told_by_its_number(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  for (unsigned n = 1; n <= 2; n++) {
    raise(n == 1 ? SIGTERM : SIGINT);
    for (int turns = 0; heard.interrupts < n && turns < 1000; turns++) world_turn(world, true);
    assert_int_equal(heard.interrupts, n);
    assert_int_equal(heard.signal, n == 1 ? SIGTERM : SIGINT);
  }
  end(world, &heard);
}

static void delays_are_told_while_they_are_measured(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  for (int turns = 0; turns < 3; turns++) world_turn(world, true);
  assert_int_equal(heard.delays, 0);
  world_measure_delay(world, true);
  for (int turns = 0; turns < 3; turns++) world_turn(world, true);
  assert_true(heard.delays > 0);
  unsigned delays = heard.delays;
  world_measure_delay(world, false);
  for (int turns = 0; turns < 3; turns++) world_turn(world, true);
  assert_int_equal(heard.delays, delays);
  end(world, &heard);
}

static void names_lead_to_addresses_with_their_port_or_to_a_reason(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  struct sockaddr_storage found[4];
  const char *why = NULL;
  assert_int_equal(world_resolve(world, "127.0.0.1", 8883, found, 4, &why), 1);
  const struct sockaddr_in *v4 = (const struct sockaddr_in *) &found[0];
  assert_int_equal(v4->sin_family, AF_INET);
  assert_int_equal(ntohs(v4->sin_port), 8883);
  assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
  assert_int_equal(world_resolve(world, "", 8883, found, 4, &why), 0);
  assert_non_null(why);
  end(world, &heard);
}

static void random_bytes_are_others_each_time(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  uint8_t one[16] = {0}, other[16] = {0};
  struct error error;
  assert_int_equal(world_random(world, one, sizeof one, &error), 0);
  assert_int_equal(world_random(world, other, sizeof other, &error), 0);
  assert_memory_not_equal(one, other, sizeof one);
  end(world, &heard);
}

static void on_answer(void *ctx)
{
  *(bool *) ctx = true;
}

static void nobody_is_asked_without_a_terminal(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  bool answered = false;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  assert_int_equal(world_ask(world, on_answer, &answered), -1);
  world_turn(world, true);
  assert_false(answered);
  close(ends[0]);
  close(ends[1]);
  end(world, &heard);
}

static void on_timer(uv_timer_t *timer)
{
  uv_close((uv_handle_t *) timer, NULL);
}

static void what_is_under_way_is_waited_for_at_the_end_but_not_for_ever(void **state)
{
  (void) state;
  struct heard heard;
  struct world *world = begin(&heard);
  uv_timer_t soon;
  uv_timer_init(world_loop(world), &soon);
  uv_timer_start(&soon, on_timer, 50, 0);
  end(world, &heard);
  static uv_timer_t late; /* it stays, and so does what it lies in */
  world = begin(&heard);
  uv_timer_init(world_loop(world), &late);
  uv_timer_start(&late, on_timer, 60000, 0);
  assert_false(world_settle(world, 30));
  uv_close((uv_handle_t *) &late, NULL);
  while (uv_loop_alive(world_loop(world))) world_turn(world, true);
  world_uv_close(world);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_clock_stands_still_between_two_turns),
      cmocka_unit_test(what_this_process_takes_up_is_told_while_it_runs),
      cmocka_unit_test(it_beats_from_the_first_turn_on_and_late_ones_do_not_come_twice),
      cmocka_unit_test(several_words_from_a_thread_wake_it_once),
      cmocka_unit_test(work_is_done_on_a_thread_and_told_by_a_turn),
      cmocka_unit_test(each_signal_is_told_by_its_number),
      cmocka_unit_test(delays_are_told_while_they_are_measured),
      cmocka_unit_test(names_lead_to_addresses_with_their_port_or_to_a_reason),
      cmocka_unit_test(random_bytes_are_others_each_time),
      cmocka_unit_test(nobody_is_asked_without_a_terminal),
      cmocka_unit_test(what_is_under_way_is_waited_for_at_the_end_but_not_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

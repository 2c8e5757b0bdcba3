#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "office/rollout.h"

#define FLEET_MAX 10000u

/* A fleet on paper: who was offered the update and when, and who was told to forget it. */
struct world {
  uint32_t devices[FLEET_MAX];
  uint64_t offered_ms[FLEET_MAX]; /* 0: not so far */
  bool cancelled[FLEET_MAX];
  size_t offers, cancels;
  uint64_t now_ms;
  struct rollout *rollout;
};

static void on_offer(void *ctx, uint32_t device)
{
  struct world *world = ctx;
  assert_int_equal(world->offered_ms[device], 0); /* nobody is offered it twice */
  world->offered_ms[device] = world->now_ms;
  world->offers++;
}

static void on_cancel(void *ctx, uint32_t device)
{
  struct world *world = ctx;
  assert_true(world->offered_ms[device] > 0);
  assert_false(world->cancelled[device]);
  world->cancelled[device] = true;
  world->cancels++;
}

/* The devices in a shuffled order, as a run has them: device (i * 7919) % count is the i-th. */
static struct rollout_config plan(struct world *world, size_t count)
{
  *world = (struct world){.now_ms = 1000};
  for (size_t i = 0; i < count; i++) world->devices[i] = (uint32_t) (i * 7919 % count);
  return (struct rollout_config){.devices = world->devices,
                                 .count = count,
                                 .fleet_size = count,
                                 .until = {count},
                                 .wave_count = 1,
                                 .within_ms = 60000,
                                 .seed = 7,
                                 .offer = on_offer,
                                 .cancel = on_cancel,
                                 .ctx = world};
}

static void begin(struct world *world, const struct rollout_config *config)
{
  world->rollout = rollout_create(config);
  assert_non_null(world->rollout);
  rollout_tick(world->rollout, world->now_ms);
}

static void pass(struct world *world, uint64_t ms)
{
  world->now_ms += ms;
  rollout_tick(world->rollout, world->now_ms);
}

static void say(struct world *world, size_t position, enum device_ota_status status)
{
  rollout_report(world->rollout, world->devices[position], status, world->now_ms);
}

static void all_say(struct world *world, size_t from, size_t to, enum device_ota_status status)
{
  for (size_t i = from; i < to; i++) say(world, i, status);
}

static void three_waves(struct rollout_config *config)
{
  config->wave_count = 3;
  config->until[0] = config->count / 100;
  config->until[1] = config->count / 10;
  config->until[2] = config->count;
}

static void a_good_build_reaches_ten_thousand_devices_in_three_waves(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 10000);
  three_waves(&config);
  begin(world, &config);
  assert_int_equal(world->offers, 100);
  all_say(world, 0, 99, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  assert_int_equal(world->offers, 100); /* one of the first wave has not ended */
  say(world, 99, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  assert_int_equal(world->offers, 1000);
  all_say(world, 100, 1000, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  assert_int_equal(world->offers, 10000);
  all_say(world, 1000, 10000, DEVICE_OTA_CONFIRMED);
  pass(world, 20);

  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.state, ROLLOUT_DONE);
  assert_int_equal(summary.wave_count, 3);
  assert_int_equal(summary.wave[0].updated, 100);
  assert_int_equal(summary.wave[1].updated, 900);
  assert_int_equal(summary.wave[2].updated, 9000);
  assert_int_equal(summary.untouched, 0);
  assert_int_equal(summary.touched_after, 0);
  assert_int_equal(world->cancels, 0);
}

static void a_bad_build_stops_in_the_first_wave(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  three_waves(&config);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = DEVICE_OTA_SELF_TEST, .share = 0.05, .minimum = 3};
  begin(world, &config);
  all_say(world, 0, 10, DEVICE_OTA_DOWNLOADING);
  say(world, 0, DEVICE_OTA_TRIAL);
  say(world, 1, DEVICE_OTA_SELF_TEST);
  say(world, 2, DEVICE_OTA_SELF_TEST);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  say(world, 3, DEVICE_OTA_SELF_TEST);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
  /* not the three that failed, nor the one that has restarted */
  assert_int_equal(world->cancels, 6);
  assert_false(world->cancelled[world->devices[0]]);
  all_say(world, 4, 9, DEVICE_OTA_CANCELLED);
  for (int i = 0; i < 100; i++) pass(world, 1000);
  assert_int_equal(world->offers, 10);

  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.met, 0);
  assert_int_equal(summary.met_count, 3);
  assert_int_equal(summary.met_of, 10);
  assert_int_equal(summary.wave[0].rolled_back, 3);
  assert_int_equal(summary.wave[0].cancelled, 5);
  assert_int_equal(summary.wave[0].open, 2);
  assert_int_equal(summary.wave[1].offered, 0);
  assert_int_equal(summary.untouched, 990);
  assert_int_equal(summary.open_when_stopped, 7);
  /* the one in its trial, and the one that has not said anything yet */
  assert_int_equal(summary.touched_after, 2);
}

static void a_few_failures_below_the_share_do_not_stop_it(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .share = 0.05, .minimum = 3};
  begin(world, &config);
  say(world, 0, DEVICE_OTA_BAD_SIGNATURE);
  say(world, 1, DEVICE_OTA_NO_ANSWER);
  all_say(world, 2, 90, DEVICE_OTA_CONFIRMED);
  say(world, 90, DEVICE_OTA_UNCONFIRMED);
  say(world, 91, DEVICE_OTA_SELF_TEST); /* four of 100 */
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  say(world, 92, DEVICE_OTA_SERVER_CUT);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
}

static void a_failure_of_another_kind_does_not_count(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = DEVICE_OTA_SELF_TEST, .share = 0.01};
  begin(world, &config);
  all_say(world, 0, 50, DEVICE_OTA_NO_ANSWER);
  all_say(world, 50, 80, DEVICE_OTA_CANCELLED);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  say(world, 80, DEVICE_OTA_SELF_TEST);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
}

static void few_failures_in_a_small_wave_are_a_large_share_and_the_minimum_holds_them(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  three_waves(&config);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .share = 0.05, .minimum = 3};
  begin(world, &config);
  all_say(world, 0, 2, DEVICE_OTA_SELF_TEST); /* a fifth of ten */
  all_say(world, 2, 10, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  assert_int_equal(world->offers, 100);
}

static void of_all_is_of_everybody_that_it_is_for(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  three_waves(&config);
  config.abort[config.abort_count++] = (struct rollout_criterion){
      .status = ROLLOUT_ANY_FAILURE, .share = 0.05, .of_all = true, .minimum = 3};
  begin(world, &config);
  all_say(world, 0, 10, DEVICE_OTA_SELF_TEST);
  pass(world, 20);
  all_say(world, 10, 49, DEVICE_OTA_SELF_TEST);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  say(world, 49, DEVICE_OTA_SELF_TEST); /* 50 of 1000, of two waves */
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
}

static void a_small_wave_is_judged_by_itself(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  config.wave_count = 2;
  config.until[0] = 900;
  config.until[1] = 1000;
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .share = 0.1, .minimum = 3};
  begin(world, &config);
  all_say(world, 0, 900, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  all_say(world, 900, 909, DEVICE_OTA_SELF_TEST);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  say(world, 909, DEVICE_OTA_SELF_TEST); /* 10 of 1000, and 10 of the 100 of this wave */
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
}

static void nobody_waits_for_a_device_on_the_shelf_longer_than_the_wave(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 10);
  config.wave_count = 2;
  config.until[0] = 2;
  config.until[1] = 10;
  begin(world, &config);
  say(world, 0, DEVICE_OTA_CONFIRMED);
  pass(world, 59999);
  assert_int_equal(world->offers, 2);
  pass(world, 1);
  assert_int_equal(world->offers, 10);
  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_true(summary.wave[0].timed_out);
  assert_int_equal(summary.wave[0].open, 1);
  say(world, 1, DEVICE_OTA_CONFIRMED); /* it wakes, and counts where it was offered it */
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.wave[0].updated, 2);
  assert_int_equal(summary.wave[0].open, 0);
}

static void a_wave_is_no_herd(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  config.jitter_ms = 10000;
  begin(world, &config);
  size_t most = 0;
  while (world->offers < 1000) {
    size_t before = world->offers;
    pass(world, 1000);
    size_t begun = world->offers - before;
    if (begun > most) most = begun;
    assert_true(world->now_ms <= 1000 + 10000 + 1000);
  }
  assert_in_range(most, 100, 150);
  struct world again;
  config = plan(&again, 1000);
  config.jitter_ms = 10000;
  begin(&again, &config);
  while (again.offers < 1000) pass(&again, 1000);
  /* the seed replays it */
  assert_memory_equal(again.offered_ms, world->offered_ms, sizeof again.offered_ms);
  rollout_destroy(again.rollout);
}

static void a_pause_stops_offers_and_the_clock(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  config.wave_count = 2;
  config.until[0] = 10;
  config.until[1] = 100;
  begin(world, &config);
  pass(world, 30000);
  rollout_pause(world->rollout, world->now_ms);
  all_say(world, 0, 9, DEVICE_OTA_CONFIRMED);
  for (int i = 0; i < 10; i++) pass(world, 60000);
  assert_int_equal(world->offers, 10);
  rollout_resume(world->rollout, world->now_ms);
  pass(world, 29999);
  assert_int_equal(world->offers, 10);
  pass(world, 1);
  assert_int_equal(world->offers, 100);
}

static void a_paused_rollout_is_judged_all_the_same(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .minimum = 2};
  begin(world, &config);
  rollout_pause(world->rollout, world->now_ms);
  say(world, 0, DEVICE_OTA_HASH_MISMATCH);
  say(world, 1, DEVICE_OTA_HASH_MISMATCH);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
  assert_int_equal(world->cancels, 98);
  rollout_resume(world->rollout, world->now_ms); /* nothing brings it back */
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
}

static void a_late_report_after_the_abort_counts_and_changes_nothing_else(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  config.wave_count = 2;
  config.until[0] = 50;
  config.until[1] = 100;
  config.abort[config.abort_count++] = (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE};
  begin(world, &config);
  say(world, 0, DEVICE_OTA_SELF_TEST);
  assert_int_equal(world->cancels, 49);
  say(world, 1, DEVICE_OTA_CONFIRMED); /* it was past the point where a cancel helps */
  say(world, 2, DEVICE_OTA_SELF_TEST);
  say(world, 3, DEVICE_OTA_CANCELLED);
  say(world, 70, DEVICE_OTA_CONFIRMED); /* nobody has offered it that */
  pass(world, 1000);
  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.met_count, 1);
  assert_int_equal(summary.wave[0].updated, 1);
  assert_int_equal(summary.wave[0].rolled_back, 2);
  assert_int_equal(summary.wave[0].cancelled, 1);
  assert_int_equal(summary.wave[1].updated, 0);
  assert_int_equal(summary.touched_after, 48);
  assert_int_equal(world->cancels, 49);
  assert_int_equal(world->offers, 50);
}

static void reports_that_come_again_are_not_counted_again(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 10);
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .share = 0, .minimum = 2};
  begin(world, &config);
  for (int i = 0; i < 3; i++) { /* the session broke off: QoS 1 sends all of them again */
    say(world, 0, DEVICE_OTA_DOWNLOADING);
    say(world, 0, DEVICE_OTA_BAD_SIGNATURE);
  }
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  assert_int_equal(rollout_heard(world->rollout, world->devices[0]), DEVICE_OTA_BAD_SIGNATURE);
  say(world, 0, DEVICE_OTA_CONFIRMED); /* what it says last is what counts */
  say(world, 1, DEVICE_OTA_BAD_SIGNATURE);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_RUNNING);
  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.wave[0].updated, 1);
  assert_int_equal(summary.wave[0].refused, 1);
  assert_int_equal(summary.wave[0].open, 8);
}

static void somebody_calls_it_off(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 100);
  three_waves(&config);
  begin(world, &config);
  say(world, 0, DEVICE_OTA_CONFIRMED);
  pass(world, 20);
  assert_int_equal(world->offers, 10);
  rollout_cancel(world->rollout, world->now_ms);
  rollout_cancel(world->rollout, world->now_ms);
  assert_int_equal(world->cancels, 9);
  pass(world, 100000);
  assert_int_equal(world->offers, 10);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_CANCELLED);
}

static void the_rate_doubles_with_every_ten_successes(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  config.wave_count = 0;
  config.rate = 10;
  config.growth = 2;
  config.successes = 10;
  begin(world, &config);
  assert_int_equal(world->offers, 1);
  for (int i = 0; i < 10; i++) pass(world, 100);
  assert_int_equal(world->offers, 11); /* one every 100 ms */
  all_say(world, 0, 11, DEVICE_OTA_CONFIRMED);
  for (int i = 0; i < 10; i++) pass(world, 100);
  assert_in_range(world->offers, 30, 31);
  all_say(world, 11, 30, DEVICE_OTA_SAME);
  for (int i = 0; i < 10; i++) pass(world, 100);
  assert_in_range(world->offers, 104, 112); /* 30 successes: 80 a second */
  struct rollout_summary summary;
  rollout_summary(world->rollout, &summary);
  assert_int_equal(summary.wave_count, 3);
  assert_int_equal(summary.wave[0].devices, 11);
}

static void at_a_rate_a_bad_build_touches_only_who_was_under_way(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 1000);
  config.wave_count = 0;
  config.rate = 20;
  config.growth = 1.5;
  config.successes = 10;
  config.abort[config.abort_count++] =
      (struct rollout_criterion){.status = ROLLOUT_ANY_FAILURE, .share = 0.1, .minimum = 3};
  begin(world, &config);
  for (int second = 0; second < 10; second++) { /* whoever is offered it fails a second later */
    size_t before = world->offers;
    for (int i = 0; i < 10; i++) pass(world, 100);
    all_say(world, 0, before, DEVICE_OTA_SELF_TEST);
  }
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_ABORTED);
  assert_in_range(world->offers, 35, 45);
}

static void at_a_rate_it_ends_when_all_have_ended_or_the_time_is_over(void **state)
{
  struct world *world = *state;
  struct rollout_config config = plan(world, 10);
  config.wave_count = 0;
  config.rate = 100;
  config.growth = 1;
  begin(world, &config);
  for (int i = 0; i < 20; i++) pass(world, 10);
  assert_int_equal(world->offers, 10);
  all_say(world, 0, 9, DEVICE_OTA_CONFIRMED);
  pass(world, 30000);
  assert_false(rollout_is_over(world->rollout));
  pass(world, 30000);
  assert_int_equal(rollout_state(world->rollout), ROLLOUT_DONE);
}

static int make_world(void **state)
{
  *state = calloc(1, sizeof(struct world));
  return *state != NULL ? 0 : -1;
}

static int end_world(void **state)
{
  struct world *world = *state;
  rollout_destroy(world->rollout);
  free(world);
  return 0;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
  const struct CMUnitTest tests[] = {
      STORY(a_good_build_reaches_ten_thousand_devices_in_three_waves),
      STORY(a_bad_build_stops_in_the_first_wave),
      STORY(a_few_failures_below_the_share_do_not_stop_it),
      STORY(a_failure_of_another_kind_does_not_count),
      STORY(few_failures_in_a_small_wave_are_a_large_share_and_the_minimum_holds_them),
      STORY(of_all_is_of_everybody_that_it_is_for),
      STORY(a_small_wave_is_judged_by_itself),
      STORY(nobody_waits_for_a_device_on_the_shelf_longer_than_the_wave),
      STORY(a_wave_is_no_herd),
      STORY(a_pause_stops_offers_and_the_clock),
      STORY(a_paused_rollout_is_judged_all_the_same),
      STORY(a_late_report_after_the_abort_counts_and_changes_nothing_else),
      STORY(reports_that_come_again_are_not_counted_again),
      STORY(somebody_calls_it_off),
      STORY(the_rate_doubles_with_every_ten_successes),
      STORY(at_a_rate_a_bad_build_touches_only_who_was_under_way),
      STORY(at_a_rate_it_ends_when_all_have_ended_or_the_time_is_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

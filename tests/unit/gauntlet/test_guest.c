/* A device that comes by itself: which trial it is at, connection by connection. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "gauntlet/guest.h"
#include "rig.h"

static const char text[] =
    "defaults\n cert root: ca=yes\n cert leaf: issuer=root\n trusts: root\n sends: leaf\n"
    " host: broker.test\n clock: 2026\n tls: 1.2 1.3\n why: w\n expect: accept\n"
    "case good\n clients: accept\n control: yes\n"
    "case one\n clients: refuse\n flaw: trust\n"
    "case two\n clients: refuse\n flaw: name\n"
    "case reset at once\n clients: either\n wire: reset\n";

static struct cases *cases;

static int read_cases(void **state)
{
  (void) state;
  cases = rig_cases(text);
  return 0;
}

static int free_cases(void **state)
{
  (void) state;
  cases_free(cases);
  return 0;
}

/* In the order of a plan: the control in both versions, then the others; and the control once more. */
enum { GOOD12, GOOD13, ONE12, ONE13, TWO12, TWO13, TRIALS, LAST12 = TRIALS, LAST13, ALL };

struct stage {
  struct trial_result result[ALL];
  struct guest guest;
};

static void begin(struct stage *stage)
{
  *stage = (struct stage){
      .guest = {.controls = 2, .began_ms = -1, .ended_ms = -1, .heard_ms = -1, .back_ms = -1}};
  for (size_t i = 0; i < ALL; i++)
    stage->result[i] = (struct trial_result){.c = cases->item[i < TRIALS ? i / 2 : 0],
                                             .tls = i % 2 == 0 ? 12 : 13,
                                             .verdict = VERDICT_NOT_SHOWN,
                                             .seen = {.first_ms = -1, .last_ms = -1}};
  stage->guest.report.result = stage->result;
  stage->guest.report.count = TRIALS;
}

static const struct observation
    content = {.connections = 1,
               .has_hello = true,
               .said = true,
               .shaken = true,
               .asked = true,
               .application_bytes = 30,
               .end = OBSERVATION_CLIENT,
               .hello = {.lowest = HELLO_TLS10 + 2, .highest = HELLO_TLS10 + 3}},
    refusal = {.connections = 1,
               .has_hello = true,
               .said = true,
               .alerted = true,
               .alert = 48,
               .end = OBSERVATION_CLIENT,
               .hello = {.lowest = HELLO_TLS10 + 2, .highest = HELLO_TLS10 + 3}},
    mute = {.connections = 1, .end = OBSERVATION_CLIENT},
    early = {.connections = 1, .has_hello = true, .end = OBSERVATION_CLIENT},
    old = {.connections = 1,
           .has_hello = true,
           .said = true,
           .shaken = true,
           .asked = true,
           .application_bytes = 30,
           .end = OBSERVATION_CLIENT,
           .hello = {.lowest = HELLO_TLS10 + 2, .highest = HELLO_TLS10 + 2}};

/* One connection, at that time and for a second. Returns whether its trial is over. */
static bool call_at(struct stage *stage, size_t port, size_t trial, const struct observation *seen,
                    double at_ms)
{
  struct observation at = *seen;
  size_t next = guest_next(&stage->guest, port, at_ms);
  if (next != trial) fail_msg("the device is at trial %zd, not %zu", (ssize_t) next, trial);
  at.first_ms = at.last_ms = at_ms;
  return guest_seen(&stage->guest, trial, &at, at_ms + 1000);
}

static bool call(struct stage *stage, size_t trial, const struct observation *seen, double at_ms)
{
  return call_at(stage, 0, trial, seen, at_ms);
}

static void trials_come_in_their_order_each_once(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (size_t i = 0; i < TRIALS; i++) {
    assert_false(guest_is_through(&stage.guest));
    assert_true(call(&stage, i, i < ONE12 ? &content : &refusal, 2000.0 * (double) i));
    assert_int_equal(stage.result[i].verdict, VERDICT_PASS);
  }
  assert_false(guest_is_through(&stage.guest));
  assert_true(call(&stage, LAST12, &content, 20000));
  assert_true(call(&stage, LAST13, &content, 22000));
  assert_true(guest_is_through(&stage.guest));
  assert_int_equal(guest_next(&stage.guest, 0, 99000), GUEST_NONE);
  guest_conclude(&stage.guest, false);
  for (size_t i = 0; i < TRIALS; i++) assert_int_equal(stage.result[i].verdict, VERDICT_PASS);
}

static void who_refuses_a_sound_server_at_the_end_has_passed_nothing(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (size_t i = 0; i < TRIALS; i++)
    (void) call(&stage, i,
                i < ONE12    ? &content
                : i == TWO12 ? &old
                             : &refusal,
                2000.0 * (double) i);
  assert_true(call(&stage, LAST12, &content, 20000));
  assert_true(call(&stage, LAST13, &refusal, 22000));
  assert_true(guest_is_through(&stage.guest));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[TWO12].verdict, VERDICT_FAIL);
  assert_int_equal(stage.result[GOOD13].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_NOT_SHOWN);
  assert_int_equal(stage.result[TWO13].verdict, VERDICT_NOT_SHOWN);
  assert_non_null(strstr(stage.result[TWO13].why, "at the end it refused a sound server"));
}

static void what_it_refused_since_it_was_content_last_is_not_proven(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (size_t i = 0; i < TRIALS; i++)
    (void) call(&stage, i, i < ONE12 ? &content : &refusal, 2000.0 * (double) i);
  assert_true(call(&stage, LAST12, &content, 20000));
  guest_conclude(&stage.guest, false); /* and does not come again */
  assert_int_equal(stage.result[TWO12].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[TWO13].verdict, VERDICT_NOT_SHOWN);
  assert_non_null(strstr(stage.result[TWO13].why, "not seen to let in a sound server since"));
}

static void who_refused_nothing_owes_no_proof(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (size_t i = 0; i < TRIALS; i++)
    assert_true(call(&stage, i, i == ONE13 ? &refusal : &content, 2000.0 * (double) i));
  assert_true(call(&stage, LAST13, &content, 20000)); /* nothing was refused in 1.2 */
  assert_true(guest_is_through(&stage.guest));
}

static void ports_show_their_trials_in_any_order_and_the_control_last(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  stage.guest.by_port = true;
  for (size_t i = TRIALS; i > 0; i--) /* the control comes last by itself */
    assert_true(call_at(&stage, i - 1, i - 1, i - 1 < ONE12 ? &content : &refusal,
                        2000.0 * (double) (TRIALS - i)));
  assert_true(guest_is_through(&stage.guest));
  begin(&stage);
  stage.guest.by_port = true;
  for (size_t i = 0; i < TRIALS; i++)
    (void) call_at(&stage, i, i, i < ONE12 ? &content : &refusal, 2000.0 * (double) i);
  assert_false(guest_is_through(&stage.guest));
  assert_true(call_at(&stage, GOOD13, LAST13, &content, 20000));
  assert_false(guest_is_through(&stage.guest));
  assert_false(call_at(&stage, ONE12, ONE12, &refusal, 22000)); /* shown once more, and no news */
  assert_true(call_at(&stage, GOOD12, LAST12, &content, 24000));
  assert_true(guest_is_through(&stage.guest));
  for (size_t i = 0; i < TRIALS; i++) assert_int_equal(stage.result[i].verdict, VERDICT_PASS);
}

static void who_shows_nothing_is_tried_again_and_given_up(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  assert_true(call(&stage, GOOD12, &content, 0));
  assert_true(call(&stage, GOOD13, &content, 2000));
  assert_false(call(&stage, ONE12, &early, 4000));
  assert_true(call(&stage, ONE12, &refusal, 6000));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[ONE12].seen.connections, 2);
  for (unsigned i = 1; i < GUEST_TRIES; i++)
    assert_false(call(&stage, ONE13, &early, 6000 + i * 2000));
  assert_true(call(&stage, ONE13, &early, 20000));
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_NOT_SHOWN);
  assert_true(call(&stage, TWO12, &refusal, 22000)); /* the count begins anew */
}

static void versions_that_are_not_offered_are_passed_over(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  assert_true(call(&stage, GOOD12, &old, 0));
  assert_true(call(&stage, ONE12, &refusal, 2000));
  assert_int_equal(stage.result[GOOD13].verdict, VERDICT_NOT_OFFERED);
  assert_int_equal(stage.result[GOOD13].conduct, CONDUCT_NONE);
  assert_true(call(&stage, TWO12, &refusal, 4000)); /* it was seen to offer 1.3 there */
}

static void who_is_never_seen_to_offer_more_is_through_early(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (size_t i = 0; i < TRIALS; i += 2) assert_true(call(&stage, i, &old, 2000.0 * (double) i));
  assert_true(guest_is_through(&stage.guest));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_FAIL);
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_NOT_OFFERED);
}

static void nothing_is_proven_where_the_control_was_refused(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  assert_true(call(&stage, GOOD12, &content, 0));
  assert_true(call(&stage, GOOD13, &refusal, 2000));
  assert_int_equal(stage.result[GOOD13].verdict, VERDICT_FAIL);
  assert_true(call(&stage, ONE12, &refusal, 4000));
  assert_true(call(&stage, TWO12, &refusal, 6000));
  assert_true(call(&stage, LAST12, &content, 8000));
  assert_true(guest_is_through(&stage.guest));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_NOT_SHOWN);
  assert_int_equal(stage.result[TWO13].verdict, VERDICT_NOT_SHOWN);
  assert_non_null(strstr(stage.result[TWO13].why, "control"));
}

static void a_control_that_was_never_shown_proves_nothing_either(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  for (unsigned i = 0; i < GUEST_TRIES; i++) (void) call(&stage, GOOD12, &early, 2000.0 * i);
  assert_int_equal(stage.result[GOOD12].verdict, VERDICT_NOT_SHOWN);
  assert_true(call(&stage, GOOD13, &content, 9000));
  assert_true(call(&stage, ONE13, &refusal, 11000));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_NOT_SHOWN);
}

static void times_between_connections_belong_to_what_was_shown_last(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  (void) call(&stage, GOOD12, &content, 0);
  (void) call(&stage, GOOD13, &content, 1500);
  (void) call(&stage, ONE12, &early, 3000);
  (void) call(&stage, ONE12, &refusal, 4010);
  assert_int_equal(stage.result[GOOD12].seen.retries, 1);
  assert_int_equal((int) stage.result[GOOD12].seen.retry_ms[0], 500);
  assert_int_equal((int) stage.result[GOOD13].seen.retry_ms[0], 500);
  assert_int_equal(stage.result[ONE12].seen.retries, 1);
  assert_int_equal((int) stage.result[ONE12].seen.retry_ms[0], 10);
}

static void two_connections_at_once_are_no_retry(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  (void) call(&stage, GOOD12, &content, 0);
  assert_int_equal(guest_next(&stage.guest, 0, 2000), GOOD13);
  assert_int_equal(guest_next(&stage.guest, 0, 2010), GOOD13);
  assert_int_equal(stage.guest.open, 2);
  struct observation later = content;
  later.first_ms = 2000;
  assert_true(guest_seen(&stage.guest, GOOD13, &later, 2500));
  assert_int_equal(stage.result[GOOD13].seen.retries, 0);
  assert_int_equal(stage.result[GOOD12].seen.retries, 1);
}

static void a_byte_on_a_late_connection_counts(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  (void) call(&stage, GOOD12, &content, 0);
  (void) call(&stage, GOOD13, &content, 2000);
  (void) guest_next(&stage.guest, 0, 4000);
  (void) guest_next(&stage.guest, 0, 4001);
  (void) guest_next(&stage.guest, 0, 4002);
  assert_true(guest_seen(&stage.guest, ONE12, &refusal, 4500));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_false(guest_seen(&stage.guest, ONE12, &mute, 4600));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_true(guest_seen(&stage.guest, ONE12, &content, 4700));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_FAIL);
  assert_int_equal(stage.guest.open, 0);
  assert_int_equal(stage.guest.at, ONE13);
}

/* As of a port scanner: it may come at any time and as often as it likes. */
static void who_says_no_hello_is_no_device_and_takes_no_trial_away(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  struct observation web = mute;
  web.clear_bytes = 40;
  web.hello.wrong = HELLO_PLAIN_TEXT;
  for (unsigned i = 0; i < 9; i++)
    assert_false(call(&stage, GOOD12, i % 2 ? &mute : &web, 9e6 * i));
  assert_false(stage.guest.has_come);
  assert_true(call(&stage, GOOD12, &content, 1e8));
  assert_true(stage.guest.has_come);
  assert_true(call(&stage, GOOD13, &content, 1e8 + 2000));
  for (unsigned i = 0; i < 9; i++)
    assert_false(call(&stage, ONE12, i % 2 ? &mute : &web, 1e8 + 4000 + i));
  assert_true(call(&stage, ONE12, &refusal, 1e8 + 6000));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  assert_int_equal(stage.result[ONE12].seen.connections, 1);
  assert_int_equal(stage.guest.silent, 18);
  (void) guest_next(&stage.guest, 0, 1e8 + 8000);
  assert_false(guest_seen(&stage.guest, ONE12, &web, 1e8 + 9000)); /* late */
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_PASS);
  for (unsigned i = 0; i < 3; i++) assert_false(call(&stage, ONE13, &mute, 1e8 + 20000 + i));
  assert_true(call(&stage, ONE13, &mute, 1e8 + 7000 + GUEST_SILENCE_MS)); /* but not for ever */
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_NOT_SHOWN);
}

static void whose_connection_is_reset_at_once_has_not_passed(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  const struct gauntlet_case *c = cases_find(cases, "reset at once");
  stage.result[ONE12].c = c;
  const struct observation off = {.connections = 1, .said = true, .end = OBSERVATION_SERVER};
  (void) call(&stage, GOOD12, &content, 0);
  (void) call(&stage, GOOD13, &content, 2000);
  assert_true(call(&stage, ONE12, &off, 4000));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_NOT_SHOWN);
  assert_int_equal(stage.result[ONE12].seen.connections, 1);
  assert_true(call(&stage, ONE13, &refusal, 6000));
}

static void two_certificates_from_one_place_are_two_devices(void **state)
{
  (void) state;
  struct stage stage;
  struct observation named = content;
  begin(&stage);
  strcpy(named.client_cn, "lamp-1");
  (void) call(&stage, GOOD12, &named, 0);
  (void) call(&stage, GOOD13, &content, 2000); /* one that shows none says nothing */
  assert_string_equal(stage.guest.name, "lamp-1");
  (void) call(&stage, ONE12, &named, 4000);
  assert_string_equal(stage.guest.mixed, "");
  strcpy(named.client_cn, "lamp-2");
  (void) call(&stage, ONE13, &named, 6000);
  assert_non_null(strstr(stage.guest.mixed, "two certificates came from "));
}

static void two_client_ids_from_one_place_are_two_devices_of_which_nothing_is_proven(void **state)
{
  (void) state;
  struct stage stage;
  struct observation named = content;
  begin(&stage);
  strcpy(stage.guest.address, "192.0.2.7");
  strcpy(named.client_id, "lamp-1");
  (void) call(&stage, GOOD12, &named, 0);
  (void) call(&stage, GOOD13, &content, 2000); /* an empty id says nothing */
  (void) call(&stage, ONE12, &refusal, 4000);
  (void) call(&stage, ONE13, &named, 6000);
  assert_string_equal(stage.guest.mixed, "");
  strcpy(named.client_id, "lamp-2");
  (void) call(&stage, TWO12, &refusal, 8000);
  (void) call(&stage, TWO13, &refusal, 10000);
  (void) call(&stage, LAST12, &named, 12000);
  (void) call(&stage, LAST13, &content, 14000);
  assert_string_equal(stage.guest.mixed,
                      "two client ids came from 192.0.2.7 ('lamp-1', 'lamp-2'), as of two devices: "
                      "nothing is proven of either; give each a port of its own (--ports 2), and "
                      "let each have one id");
  guest_conclude(&stage.guest, true);
  for (size_t i = 0; i < TRIALS; i++)
    assert_int_equal(stage.result[i].verdict, i == ONE13 ? VERDICT_FAIL : VERDICT_NOT_SHOWN);
  assert_string_equal(stage.result[TWO13].why, stage.guest.mixed);
  assert_false(report_proven(&stage.guest.report));
}

static void what_cannot_be_shown_is_passed_over(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  stage.result[GOOD12].verdict = stage.result[ONE13].verdict = VERDICT_SKIPPED;
  assert_true(call(&stage, GOOD13, &content, 0));
  assert_true(call(&stage, TWO13, &refusal, 2000)); /* without a control in 1.2, none of 1.2 */
  assert_true(call(&stage, LAST13, &content, 4000));
  assert_true(guest_is_through(&stage.guest));
  assert_int_equal(stage.result[ONE13].verdict, VERDICT_SKIPPED);
  assert_int_equal(stage.result[TWO12].verdict, VERDICT_NOT_SHOWN);
}

static void what_goes_out_in_clear_on_a_late_connection_counts_too(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage);
  const struct observation nothing = {.connections = 1},
                           clear = {.connections = 1,
                                    .first_ms = 1,
                                    .clear_bytes = 15,
                                    .hello = {.wrong = HELLO_PLAIN_MQTT}};
  (void) call(&stage, GOOD12, &content, 0);
  (void) call(&stage, GOOD13, &content, 2000);
  (void) call(&stage, ONE12, &refusal, 4000);
  assert_false(guest_seen(&stage.guest, ONE12, &nothing, 1));
  assert_true(guest_seen(&stage.guest, ONE12, &clear, 2));
  assert_int_equal(stage.result[ONE12].verdict, VERDICT_FAIL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_goes_out_in_clear_on_a_late_connection_counts_too),
      cmocka_unit_test(trials_come_in_their_order_each_once),
      cmocka_unit_test(who_refuses_a_sound_server_at_the_end_has_passed_nothing),
      cmocka_unit_test(what_it_refused_since_it_was_content_last_is_not_proven),
      cmocka_unit_test(who_refused_nothing_owes_no_proof),
      cmocka_unit_test(ports_show_their_trials_in_any_order_and_the_control_last),
      cmocka_unit_test(who_shows_nothing_is_tried_again_and_given_up),
      cmocka_unit_test(versions_that_are_not_offered_are_passed_over),
      cmocka_unit_test(who_is_never_seen_to_offer_more_is_through_early),
      cmocka_unit_test(nothing_is_proven_where_the_control_was_refused),
      cmocka_unit_test(a_control_that_was_never_shown_proves_nothing_either),
      cmocka_unit_test(times_between_connections_belong_to_what_was_shown_last),
      cmocka_unit_test(two_connections_at_once_are_no_retry),
      cmocka_unit_test(a_byte_on_a_late_connection_counts),
      cmocka_unit_test(who_says_no_hello_is_no_device_and_takes_no_trial_away),
      cmocka_unit_test(whose_connection_is_reset_at_once_has_not_passed),
      cmocka_unit_test(two_certificates_from_one_place_are_two_devices),
      cmocka_unit_test(two_client_ids_from_one_place_are_two_devices_of_which_nothing_is_proven),
      cmocka_unit_test(what_cannot_be_shown_is_passed_over),
  };
  return cmocka_run_group_tests(tests, read_cases, free_cases);
}

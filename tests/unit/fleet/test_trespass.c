/* Devices that try the topics of others, and how a broker may answer: with PUBACK, with a reason,
   or by hanging up. */
#include "few.h"

enum manner { ALLOWS, DENIES, HOLDS_BACK, CLOSES, DISCONNECTS, SAYS_NOTHING };

static enum manner manner;
static bool full; /* the device's outbox */
static unsigned made[2];
static struct puppet *trespasser;

static void answer(struct puppet *p, const struct device_event *event, struct device_effects *fx)
{
  static const enum device_failure ends[] = {
      [CLOSES] = DEVICE_FAIL_SESSION_CLOSED, [DISCONNECTS] = DEVICE_FAIL_SESSION_DISCONNECT};
  struct device_note note = {.kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag};
  fx->accepted = !full;
  trespasser = p;
  if (full) return;
  assert_true(event->publish.once && event->publish.absolute);
  made[event->kind == DEVICE_SUBSCRIBE]++;
  if (manner == SAYS_NOTHING) return;
  if (manner == CLOSES || manner == DISCONNECTS) {
    fx->close = true;
    puppet_end(p, ends[manner]);
    return;
  }
  if (manner != ALLOWS) note.kind = DEVICE_NOTE_DENIED;
  if (manner != ALLOWS) note.code = manner == DENIES ? 0x87 : 0x9b;
  say(p, note);
}

static struct world *trespass(enum manner how)
{
  struct world *w = begin();
  request = answer;
  manner = how;
  full = false;
  memset(made, 0, sizeof made);
  assert_false(fleet_is_trespassing(w->fleet, 1));
  assert_int_equal(fleet_trespass(w->fleet, 1, 3), 0);
  assert_true(fleet_is_trespassing(w->fleet, 1));
  return w;
}

static unsigned counted(struct world *w, enum metric metric)
{
  return (unsigned) metrics_value(w->metrics, metric);
}

static void each_attempt_has_its_answer_before_the_next(void **state)
{
  (void) state;
  static const struct {
    enum manner manner;
    unsigned attempts, denied;
  } answers[] = {{ALLOWS, 2, 0}, {DENIES, 2, 2}, {HOLDS_BACK, 0, 0}};
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    struct world *w = trespass(answers[i].manner);
    clockwork_pass(&w->backend, 50);
    assert_false(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), answers[i].attempts);
    assert_int_equal(counted(w, METRIC_TRESPASS_DENIED), answers[i].denied);
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 0);
    end(w);
  }
}

/* RabbitMQ and aedes. The device is back afterwards, and says no word of it again. */
static void a_broker_that_hangs_up_has_answered_and_is_not_asked_again(void **state)
{
  (void) state;
  for (enum manner how = CLOSES; how <= DISCONNECTS; how++) {
    struct world *w = trespass(how);
    clockwork_pass(&w->backend, 500);
    /* it waits to come back, for its second attempt */
    assert_true(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 1);
    clockwork_pass(&w->backend, 10000);
    assert_false(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(made[0], 1);
    assert_int_equal(made[1], 1);
    assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 2);
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 2);
    assert_int_equal(counted(w, METRIC_TRESPASS_DENIED), 0);
    struct fleet_census census;
    fleet_census(w->fleet, &census);
    assert_int_equal(census.online, DEVICES);
    end(w);
  }
}

static void the_end_of_the_plan_is_no_answer(void **state)
{
  (void) state;
  struct world *w = trespass(SAYS_NOTHING);
  clockwork_pass(&w->backend, 50);
  assert_true(fleet_is_trespassing(w->fleet, 1));
  fleet_disconnect_all(w->fleet);
  clockwork_pass(&w->backend, 50);
  assert_int_equal(made[0] + made[1], 1);
  assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 0);
  assert_false(fleet_is_trespassing(w->fleet, 1)); /* the plan does not want it online */
  end(w);
}

static void a_full_outbox_puts_an_attempt_off(void **state)
{
  (void) state;
  struct world *w = trespass(ALLOWS);
  full = true;
  clockwork_pass(&w->backend, 500);
  assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 0);
  full = false;
  clockwork_pass(&w->backend, 500);
  assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 2);
  end(w);
}

/* A broker keeps for a session what came while the device was away, and with it what an earlier run
   was let through. */
static void telemetry_of_an_earlier_run_crosses_nothing_in_this_one(void **state)
{
  (void) state;
  static const struct {
    const char *topic;
    uint8_t mark;
    size_t size;
    unsigned delivered, earlier;
  } messages[] = {
      {"private/00000003/telemetry", 0, 16, 1, 0}, /* few.h's fleet has the mark 0 */
      {"private/00000003/telemetry", 7, 16, 0, 1}, {"private/00000003/telemetry", 7, 3, 1, 0},
      {"private/00000003/status", 7, 16, 1, 0},    {"private/00000002/telemetry", 7, 16, 0, 0},
  };
  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
    struct world *w = trespass(ALLOWS);
    clockwork_pass(&w->backend, 50);
    const uint8_t payload[16] = {0, 0, 0, messages[i].mark};
    say(trespasser, (struct device_note){.kind = DEVICE_NOTE_MESSAGE,
                                         .topic = messages[i].topic,
                                         .topic_size = strlen(messages[i].topic),
                                         .payload = payload,
                                         .payload_size = messages[i].size});
    if (counted(w, METRIC_TRESPASS_DELIVERED) != messages[i].delivered ||
        counted(w, METRIC_TRESPASS_EARLIER) != messages[i].earlier)
      fail_msg("message %zu: %u delivered, %u earlier", i, counted(w, METRIC_TRESPASS_DELIVERED),
               counted(w, METRIC_TRESPASS_EARLIER));
    end(w);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_attempt_has_its_answer_before_the_next),
      cmocka_unit_test(a_broker_that_hangs_up_has_answered_and_is_not_asked_again),
      cmocka_unit_test(the_end_of_the_plan_is_no_answer),
      cmocka_unit_test(a_full_outbox_puts_an_attempt_off),
      cmocka_unit_test(telemetry_of_an_earlier_run_crosses_nothing_in_this_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

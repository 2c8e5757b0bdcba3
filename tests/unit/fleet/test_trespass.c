/* Devices that try the topics of others, and how a broker may answer: with PUBACK, with a reason, by
   hanging up, or not at all. And what shows whether a silence means that nothing came through. */
#include "few.h"

#include "base/trespass.h"
#include "fleetsim/nvm.h"

enum manner {
  ALLOWS,
  DENIES,
  HOLDS_BACK,
  HAS_NO_QUOTA,
  CLOSES,
  DISCONNECTS,
  DENIES_AND_CLOSES,
  SAYS_NOTHING
};

static enum manner manner;
static bool full;   /* the device's outbox */
static bool doomed; /* the broker has got what it ends the connection for */
static unsigned made[2], proofs, lures;
static char written[2000]; /* the topics behind the root, in their order; read ones with a '?' */
static const char *its_root = "private/00000003/", *its_up = "private/00000003/telemetry";
static struct puppet *trespasser, *victim;

static void enter(const struct device_event *event)
{
  const char *topic = event->publish.topic;
  bool telemetry = strcmp(topic, its_up) == 0;
  if (!telemetry) assert_memory_equal(topic, its_root, strlen(its_root));
  made[event->kind == DEVICE_SUBSCRIBE]++;
  snprintf(written + strlen(written), sizeof written - strlen(written), "%s%s ",
           event->kind == DEVICE_SUBSCRIBE ? "?" : "",
           telemetry ? "telemetry" : topic + strlen(its_root));
}

static void answer(struct puppet *p, const struct device_event *event, struct device_effects *fx)
{
  static const enum device_failure ends[] = {
      [CLOSES] = DEVICE_FAIL_SESSION_CLOSED, [DISCONNECTS] = DEVICE_FAIL_SESSION_DISCONNECT};
  struct device_note note = {.kind = DEVICE_NOTE_ACKED, .tag = event->publish.tag};
  bool publishes = event->kind == DEVICE_PUBLISH, lure = publishes && !event->publish.absolute;
  bool hangs_up = manner == CLOSES || manner == DISCONNECTS;
  fx->accepted = !full;
  if (full) return;
  assert_true(event->publish.once);
  if (lure) {
    lures++;
    victim = p;
    assert_memory_equal(event->publish.payload, TRESPASS_LURE, event->publish.size);
  } else if (!event->publish.absolute) {
    proofs++;
  } else {
    trespasser = p;
    enter(event);
  }
  if (manner == SAYS_NOTHING) return;
  if (manner == DENIES_AND_CLOSES && !doomed && publishes && !lure) {
    note.kind = DEVICE_NOTE_DENIED;
    note.code = 0x87;
    doomed = true;
  } else if (manner == DENIES_AND_CLOSES && doomed) {
    fx->close = true;
    doomed = false;
    puppet_end(p, DEVICE_FAIL_SESSION_CLOSED);
    return;
  } else if (publishes && event->publish.qos == 0) {
    doomed = hangs_up && !lure;
  } else if (hangs_up && (event->publish.absolute || doomed)) {
    fx->close = true;
    doomed = false;
    puppet_end(p, ends[manner]);
    return;
  } else if (manner == DENIES || (manner == HOLDS_BACK && publishes) || manner == HAS_NO_QUOTA) {
    note.kind = DEVICE_NOTE_DENIED;
    note.code = manner == DENIES ? 0x87 : manner == HOLDS_BACK ? 0x9b : 0x97;
    note.declined = manner == HOLDS_BACK; /* of CONNACK's maximum QoS, by the device itself */
  }
  say(p, note);
}

static struct world *trespass(enum manner how)
{
  struct world *w = begin();
  request = answer;
  manner = how;
  full = doomed = false;
  proofs = lures = 0;
  written[0] = '\0';
  memset(made, 0, sizeof made);
  assert_false(fleet_is_trespassing(w->fleet, 1));
  assert_int_equal(fleet_trespass(w->fleet, 1, 2), 0);
  assert_true(fleet_is_trespassing(w->fleet, 1));
  return w;
}

static unsigned counted(struct world *w, enum metric metric)
{
  return (unsigned) metrics_value(w->metrics, metric);
}

static size_t undecided(struct world *w)
{
  const char *below;
  return fleet_undecided(w->fleet, 1, &below);
}

static void every_topic_of_the_protocol_is_tried_in_both_directions(void **state)
{
  (void) state;
  struct world *w = trespass(ALLOWS);
  clockwork_pass(&w->backend, 50);
  assert_string_equal(written, "telemetry status trust trust/ack cert cert/ack csr "
                               "?# ?telemetry ?status ?trust ?trust/ack ?cert ?cert/ack ?csr ");
  end(w);
}

static void each_attempt_has_its_answer_before_the_next(void **state)
{
  (void) state;
  static const struct {
    enum manner manner;
    unsigned attempts, denied, proofs;
    size_t undecided;
  } answers[] = {
      {ALLOWS, 15, 0, 0, 15},
      {DENIES, 15, 15, 7, 0},
      {HOLDS_BACK, 15, 0, 7, 15}, /* the messages at QoS 0 then */
      {HAS_NO_QUOTA, 15, 0, 0, 15},
  };
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    struct world *w = trespass(answers[i].manner);
    clockwork_pass(&w->backend, 50);
    assert_false(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), answers[i].attempts);
    assert_int_equal(counted(w, METRIC_TRESPASS_DENIED), answers[i].denied);
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 0);
    assert_int_equal(proofs, answers[i].proofs);
    assert_int_equal(undecided(w), answers[i].undecided);
    end(w);
  }
}

/* RabbitMQ and aedes. The device is back afterwards, and says no word of it again but the first one,
   of which it is not known whether it was for the topic or for the QoS. */
static void a_broker_that_hangs_up_has_answered_and_is_not_asked_again(void **state)
{
  (void) state;
  for (enum manner how = CLOSES; how <= DISCONNECTS; how++) {
    struct world *w = trespass(how);
    clockwork_pass(&w->backend, 500);
    /* it waits to come back, for its second attempt */
    assert_true(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 0);
    clockwork_pass(&w->backend, 30000);
    assert_false(fleet_is_trespassing(w->fleet, 1));
    assert_int_equal(made[0], 8);
    assert_int_equal(made[1], 8);
    assert_int_equal(proofs, 7);
    assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 15); /* one of them twice */
    assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 15);
    assert_int_equal(counted(w, METRIC_TRESPASS_DENIED), 0);
    assert_int_equal(undecided(w), 0);
    struct fleet_census census;
    fleet_census(w->fleet, &census);
    assert_int_equal(census.online, DEVICES);
    end(w);
  }
}

/* mosquitto 2.0.11: PUBACK 0x87, and then the end. Subscriptions it grants whatever they are to. */
static void an_end_after_an_answer_is_not_the_answer_to_the_next_attempt(void **state)
{
  (void) state;
  struct world *w = trespass(DENIES_AND_CLOSES);
  clockwork_pass(&w->backend, 30000);
  assert_false(fleet_is_trespassing(w->fleet, 1));
  assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 15);
  assert_int_equal(counted(w, METRIC_TRESPASS_DENIED), 7);
  assert_int_equal(counted(w, METRIC_TRESPASS_CLOSED), 0);
  assert_int_equal(made[1], 8);
  assert_int_equal(undecided(w), 8);
  end(w);
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
  assert_int_equal(undecided(w), 15);
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
  assert_int_equal(counted(w, METRIC_TRESPASS_ATTEMPTS), 15);
  end(w);
}

/* --- Whether something could have come through ------------------------------------------------ */

static void say_message(struct puppet *p, const char *topic, const char *payload, size_t size)
{
  say(p, (struct device_note){.kind = DEVICE_NOTE_MESSAGE,
                              .topic = topic,
                              .topic_size = strlen(topic),
                              .payload = (const uint8_t *) payload,
                              .payload_size = size});
}

static void what_belongs_on_a_topic_and_arrives_decides_what_did_not(void **state)
{
  (void) state;
  static const char *const up[] = {"telemetry", "status", "trust/ack", "cert/ack", "csr"};
  struct world *w = trespass(ALLOWS);
  clockwork_pass(&w->backend, 50);
  fleet_lure(w->fleet, 1);
  clockwork_pass(&w->backend, 50);
  assert_int_equal(lures, 5);
  assert_int_equal(undecided(w), 15);
  for (size_t i = 0; i < 5; i++) fleet_lure_heard(w->fleet, 2, up[i]);
  assert_int_equal(undecided(w), 5); /* trust and cert each way, and all at once */
  assert_string_equal(fleet_lure_below(w->fleet, 0), "trust");
  assert_string_equal(fleet_lure_below(w->fleet, 1), "cert");
  assert_null(fleet_lure_below(w->fleet, 2));
  say_message(victim, "private/00000003/trust", "", 0);
  assert_int_equal(undecided(w), 3);
  say_message(victim, "private/00000003/cert", "", 0);
  assert_int_equal(undecided(w), 0);
  assert_int_equal(counted(w, METRIC_TRESPASS_DELIVERED), 0);
  end(w);
}

static void subscriptions_that_have_ended_are_made_again_and_prove_nothing(void **state)
{
  (void) state;
  static const char *const all[] = {"telemetry", "status",   "trust", "trust/ack",
                                    "cert",      "cert/ack", "csr"};
  const uint32_t device = 1;
  struct world *w = trespass(ALLOWS);
  clockwork_pass(&w->backend, 50);
  fleet_lure(w->fleet, 1);
  fleet_redial(w->fleet, &device, 1, 1000, false);
  clockwork_pass(&w->backend, 100);
  for (size_t i = 0; i < 7; i++) fleet_lure_heard(w->fleet, 2, all[i]);
  assert_int_equal(made[0], 7);
  assert_int_equal(made[1], 16);
  assert_int_equal(undecided(w), 8);
  fleet_lure(w->fleet, 1);
  for (size_t i = 0; i < 7; i++) fleet_lure_heard(w->fleet, 2, all[i]);
  assert_int_equal(undecided(w), 0);
  fleet_end_trespass(w->fleet);
  fleet_redial(w->fleet, &device, 1, 1000, false);
  clockwork_pass(&w->backend, 100);
  assert_int_equal(made[1], 16);
  end(w);
}

/* The victim acknowledges what it was sent, by its CRC; of what it has no use for it says so. */
static void a_word_that_reached_its_victim_is_seen_there(void **state)
{
  (void) state;
  struct world *w = trespass(ALLOWS);
  clockwork_pass(&w->backend, 50);
  fleet_lure(w->fleet, 1);
  clockwork_pass(&w->backend, 50);
  assert_int_equal(device_nvm_crc((const uint8_t *) TRESPASS_WORD, sizeof TRESPASS_WORD - 1),
                   TRESPASS_WORD_CRC);
  say(victim, (struct device_note){.kind = DEVICE_NOTE_TRUST,
                                   .code = DEVICE_UPDATE_MALFORMED,
                                   .of = TRESPASS_WORD_CRC});
  assert_int_equal(counted(w, METRIC_TRESPASS_DELIVERED), 1);
  say(victim, (struct device_note){.kind = DEVICE_NOTE_IDENTITY,
                                   .code = DEVICE_UPDATE_MALFORMED,
                                   .of = TRESPASS_WORD_CRC});
  assert_int_equal(counted(w, METRIC_TRESPASS_DELIVERED), 2);
  say(victim,
      (struct device_note){.kind = DEVICE_NOTE_IDENTITY, .code = DEVICE_UPDATE_MALFORMED, .of = 7});
  say_message(victim, "private/00000003/ota/block", TRESPASS_LURE, 9);
  assert_int_equal(counted(w, METRIC_TRESPASS_DELIVERED), 2);
  say_message(victim, "private/00000003/ota/block", TRESPASS_WORD, 8);
  assert_int_equal(counted(w, METRIC_TRESPASS_DELIVERED), 3);
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
      {"private/0000ffff/telemetry", 7, 16, 0, 1}, /* of a larger fleet */
      {"private/00000003/trust", 7, 0, 1, 0},
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

/* Which first bytes a text has says nothing of the run. */
static void telemetry_in_words_crosses_as_well_and_tells_its_run(void **state)
{
  (void) state;
  static const char *const topic = "private/00000003/telemetry";
  static const struct payload_text text = {.text = "{\"n\":{seq}}", .seq_at = "$.n"};
  static const struct payload_texts texts_of_run = {.mark = 0, .text = {&text}, .count = 1};
  static const struct {
    const char *payload;
    unsigned delivered, earlier;
  } messages[] = {
      {"{\"n\":1000000000000001}", 1, 0}, /* few.h's fleet has the mark 0 */
      {"{\"n\":1000000090000001}", 0, 1},
      {"{\"n\":1000000000000001", 1, 0},
      {"{\"m\":7}", 1, 0},
  };
  texts = &texts_of_run;
  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
    struct world *w = trespass(ALLOWS);
    clockwork_pass(&w->backend, 50);
    say_message(trespasser, topic, messages[i].payload, strlen(messages[i].payload));
    if (counted(w, METRIC_TRESPASS_DELIVERED) != messages[i].delivered ||
        counted(w, METRIC_TRESPASS_EARLIER) != messages[i].earlier)
      fail_msg("%s: %u delivered, %u earlier", messages[i].payload,
               counted(w, METRIC_TRESPASS_DELIVERED), counted(w, METRIC_TRESPASS_EARLIER));
    end(w);
  }
  texts = NULL;
}

static void topics_of_ones_own_are_tried_where_they_are(void **state)
{
  (void) state;
  static const struct names_templates acme = {"{index}", "acme/{id}/control/", "acme/{id}/up"};
  called = &acme;
  its_root = "acme/00000003/control/";
  its_up = "acme/00000003/up";
  struct world *w = trespass(ALLOWS);
  clockwork_pass(&w->backend, 200);
  assert_string_equal(written, "telemetry status trust trust/ack cert cert/ack csr ?# ?telemetry "
                               "?status ?trust ?trust/ack ?cert ?cert/ack ?csr ");
  static const struct {
    const char *topic;
    unsigned delivered, earlier;
  } messages[] = {{"acme/00000003/up", 0, 1},
                  {"acme/none/up", 0, 1},
                  {"acme/00000003/control/status", 1, 0},
                  {"private/00000003/telemetry", 1, 0},
                  {"acme/00000002/up", 0, 0},
                  {"acme/00000002/control/trust", 0, 0}};
  unsigned delivered = counted(w, METRIC_TRESPASS_DELIVERED), earlier = 0;
  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
    say(trespasser, (struct device_note){.kind = DEVICE_NOTE_MESSAGE,
                                         .topic = messages[i].topic,
                                         .topic_size = strlen(messages[i].topic),
                                         .payload = (const uint8_t[16]){0, 0, 0, 7},
                                         .payload_size = 16});
    delivered += messages[i].delivered;
    earlier += messages[i].earlier;
    if (counted(w, METRIC_TRESPASS_DELIVERED) != delivered ||
        counted(w, METRIC_TRESPASS_EARLIER) != earlier)
      fail_msg("%s: %u delivered, not %u, and %u earlier, not %u", messages[i].topic,
               counted(w, METRIC_TRESPASS_DELIVERED), delivered,
               counted(w, METRIC_TRESPASS_EARLIER), earlier);
  }
  end(w);
  called = &names_usual;
  its_root = "private/00000003/";
  its_up = "private/00000003/telemetry";
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_topic_of_the_protocol_is_tried_in_both_directions),
      cmocka_unit_test(topics_of_ones_own_are_tried_where_they_are),
      cmocka_unit_test(each_attempt_has_its_answer_before_the_next),
      cmocka_unit_test(a_broker_that_hangs_up_has_answered_and_is_not_asked_again),
      cmocka_unit_test(an_end_after_an_answer_is_not_the_answer_to_the_next_attempt),
      cmocka_unit_test(the_end_of_the_plan_is_no_answer),
      cmocka_unit_test(a_full_outbox_puts_an_attempt_off),
      cmocka_unit_test(what_belongs_on_a_topic_and_arrives_decides_what_did_not),
      cmocka_unit_test(subscriptions_that_have_ended_are_made_again_and_prove_nothing),
      cmocka_unit_test(a_word_that_reached_its_victim_is_seen_there),
      cmocka_unit_test(telemetry_of_an_earlier_run_crosses_nothing_in_this_one),
      cmocka_unit_test(telemetry_in_words_crosses_as_well_and_tells_its_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

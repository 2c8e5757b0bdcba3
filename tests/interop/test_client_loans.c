/* What a device borrows from its body, when it gives it back, and what happens where the body has
   nothing to lend. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "client_rig.h"
#include "device/session.h"

static struct client_pki pki;

static int make_pki(void **state)
{
  (void) state;
  client_pki_make(&pki);
  return 0;
}

static int free_pki(void **state)
{
  (void) state;
  client_pki_free(&pki);
  return 0;
}

static void an_idle_device_has_borrowed_nothing(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    assert_int_equal(rig.lent, 0);
    client_rig_open(&rig, false);
    assert_int_equal(rig.lent, 1); /* a handshake is under way */
    client_rig_close(&rig, DEVICE_FAIL_TCP_RESET);
    assert_int_equal(rig.lent, 0);
    client_rig_online(&rig, false, false);
    assert_int_equal(rig.lent, 0);
    client_rig_stop(&rig);
    assert_int_equal(rig.lent, 0);
    client_rig_free(&rig);
  }
}

static void keeps_the_room_of_a_message_until_it_is_whole(void **state)
{
  (void) state;
  struct client_rig rig;
  const uint8_t packet[] = {0x30, 8, 0, 1, 't', 0, 'd', 'a', 't', 'a'};
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  client_rig_say(&rig, packet, 4);
  assert_int_equal(rig.lent, 1);
  client_rig_say(&rig, packet + 4, 4);
  assert_int_equal(rig.lent, 1);
  client_rig_say(&rig, packet + 8, 2);
  assert_int_equal(rig.lent, 0);
  assert_string_equal(rig.message, "data");
  client_rig_free(&rig);
}

static void keeps_the_room_of_its_own_messages_until_they_are_acknowledged(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  assert_true(client_rig_publish(&rig, "telemetry", "before", 1, 1)); /* offline */
  assert_int_equal(rig.lent, 1);
  client_rig_online(&rig, false, false);
  assert_true(client_rig_publish(&rig, "telemetry", "and after", 1, 2));
  assert_int_equal(rig.lent, 1);
  client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
  assert_int_equal(rig.lent, 1);
  client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
  assert_int_equal(rig.lent, 0);
  assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 2);
  client_rig_free(&rig);
}

/* The rig holds that nothing is lent when a device is off. */
static void gives_all_back_when_the_power_goes(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  assert_true(client_rig_publish(&rig, "telemetry", "waits", 1, 1));
  client_rig_say(&rig, (const uint8_t[]){0x30, 8, 0, 1}, 4);
  assert_int_equal(rig.lent, 2);
  client_rig_power_cycle(&rig);
  assert_int_equal(rig.lent, 0);
  client_rig_open(&rig, false);
  client_rig_free(&rig);
}

static void without_room_a_handshake_does_not_begin(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.refusals = 1;
  client_rig_open(&rig, false);
  client_rig_expect_end(&rig, DEVICE_FAIL_TLS_INTERNAL);
  assert_true(rig.closed);
  client_rig_online(&rig, false, false); /* the next one finds room */
  client_rig_free(&rig);
}

static void without_room_a_broker_is_not_heard(void **state)
{
  (void) state;
  for (int online = 0; online <= 1; online++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    if (online) {
      client_rig_online(&rig, false, false);
    } else {
      client_rig_open(&rig, false);
      client_rig_pump(&rig);
      (void) client_rig_hear(&rig, 0x10);
    }
    rig.refusals = 1;
    client_rig_say(&rig, (const uint8_t[]){0x20, 3, 0, 0, 0}, 5);
    client_rig_expect_end(&rig, online ? DEVICE_FAIL_SESSION_MEMORY : DEVICE_FAIL_TLS_INTERNAL);
    assert_true(rig.closed);
    client_rig_online(&rig, false, false);
    client_rig_free(&rig);
  }
}

static void without_room_a_message_is_not_taken(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  rig.refusals = 1;
  assert_false(client_rig_publish(&rig, "telemetry", "no room", 1, 1));
  assert_true(client_rig_publish(&rig, "telemetry", "needs none", 0, 2));
  (void) client_rig_hear(&rig, 0x30);
  assert_true(client_rig_publish(&rig, "telemetry", "has room", 1, 3));
  client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
  assert_int_equal(rig.notes[DEVICE_NOTE_ENDED], 0);
  client_rig_free(&rig);
}

/* It would have to answer and cannot: the broker keeps the message and sends it again. */
static void without_room_for_the_answer_a_bundle_is_not_confirmed(void **state)
{
  (void) state;
  struct client_rig rig;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  size_t size =
      client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
  uint8_t packet[4096];
  struct device_mqtt_publish publish = {.topic = "private/00000a1f/trust",
                                        .topic_size = 22,
                                        .payload = bundle,
                                        .payload_size = size,
                                        .qos = 1,
                                        .packet_id = 7};
  size_t length = device_mqtt_encode_publish(packet, sizeof packet, 5, &publish);
  client_rig_say(&rig, packet, length / 2); /* it has the room for what it receives */
  assert_int_equal(rig.lent, 1);
  rig.refusals = 1;
  client_rig_say(&rig, packet + length / 2, length - length / 2);
  assert_int_equal(rig.refusals, 0);
  assert_true(client_rig_silent(&rig));
  client_rig_say(&rig, packet, length);
  assert_int_equal(client_rig_hear(&rig, 0x40), 7);
  (void) client_rig_hear(&rig, 0x32); /* the answer */
  client_rig_free(&rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_idle_device_has_borrowed_nothing),
      cmocka_unit_test(keeps_the_room_of_a_message_until_it_is_whole),
      cmocka_unit_test(keeps_the_room_of_its_own_messages_until_they_are_acknowledged),
      cmocka_unit_test(gives_all_back_when_the_power_goes),
      cmocka_unit_test(without_room_a_handshake_does_not_begin),
      cmocka_unit_test(without_room_a_broker_is_not_heard),
      cmocka_unit_test(without_room_a_message_is_not_taken),
      cmocka_unit_test(without_room_for_the_answer_a_bundle_is_not_confirmed),
  };
  return cmocka_run_group_tests(tests, make_pki, free_pki);
}

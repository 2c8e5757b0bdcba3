/* The device's MQTT session against a scripted broker behind OpenSSL, in virtual time. */
#define _GNU_SOURCE /* memmem */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <mbedtls/platform.h>
#include <psa/crypto.h>

#include "client_rig.h"

#include "device/identity.h"
#include "device/update.h"

static struct client_pki pki;
static size_t heap_bytes;

/* The size lies before the block, in a unit that keeps it aligned. */
static void *counting_calloc(size_t count, size_t size)
{
  if (size != 0 && count > (SIZE_MAX - 16) / size) return NULL;
  unsigned char *block = calloc(1, count * size + 16);
  if (block == NULL) return NULL;
  memcpy(block, &(size_t){count * size}, sizeof(size_t));
  heap_bytes += count * size;
  return block + 16;
}

static void counting_free(void *at)
{
  size_t size;
  if (at == NULL) return;
  memcpy(&size, (unsigned char *) at - 16, sizeof size);
  heap_bytes -= size;
  free((unsigned char *) at - 16);
}

static int begin(void **state)
{
  (void) state;
  client_pki_make(&pki);
  return mbedtls_platform_set_calloc_free(counting_calloc, counting_free);
}

static int finish(void **state)
{
  (void) state;
  client_pki_free(&pki);
  mbedtls_psa_crypto_free();
  return heap_bytes == 0 ? 0 : -1;
}

static size_t keys_in_use(void)
{
  mbedtls_psa_stats_t stats;
  mbedtls_psa_get_stats(&stats);
  return stats.MBEDTLS_PRIVATE(volatile_slots);
}

static void sends_unconfirmed_messages_again_in_order_and_marked(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 4);
  client_rig_online(&rig, false, false);
  assert_true(client_rig_publish(&rig, "telemetry", "one", 1, 1));
  assert_true(client_rig_publish(&rig, "telemetry", "two", 1, 2));
  uint16_t first = client_rig_hear(&rig, 0x32);
  uint16_t second = client_rig_hear(&rig, 0x32);
  client_rig_close(&rig, DEVICE_FAIL_TCP_RESET);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_RESET);
  assert_true(client_rig_publish(&rig, "telemetry", "three", 1, 3)); /* offline */
  assert_false(client_rig_publish(&rig, "telemetry", "lost", 0, 4));

  client_rig_online(&rig, true, false);
  assert_int_equal(client_rig_hear(&rig, 0x3a), first);
  assert_int_equal(client_rig_hear(&rig, 0x3a), second);
  uint16_t third = client_rig_hear(&rig, 0x32);
  client_rig_ack(&rig, 0x40, first);
  client_rig_ack(&rig, 0x40, second);
  client_rig_ack(&rig, 0x40, third);
  assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 3);
  assert_int_equal(rig.last[DEVICE_NOTE_ACKED].tag, 3);
  assert_int_equal(rig.notes[DEVICE_NOTE_RESENT], 2); /* the third one went out once */
  assert_int_equal(rig.last[DEVICE_NOTE_RESENT].tag, 2);
  client_rig_free(&rig);
}

/* A broker that ends the connection for a message would end the next one too, for ever. */
static void sends_a_message_that_is_for_one_connection_in_that_one_only(void **state)
{
  (void) state;
  for (uint8_t mqtt = 4; mqtt <= 5; mqtt++)
    for (int present = 0; present <= 1; present++) {
      struct client_rig rig;
      struct device_event event = {.kind = DEVICE_PUBLISH,
                                   .publish = {.topic = "private/0000000b/x",
                                               .payload = (const uint8_t *) "x",
                                               .size = 1,
                                               .qos = 1,
                                               .tag = 7}};
      event.publish.absolute = event.publish.once = true;
      client_rig_make(&rig, &pki, 13, mqtt);
      client_rig_step(&rig, &event);
      assert_false(rig.accepted); /* offline */
      client_rig_online(&rig, false, false);
      assert_true(client_rig_publish(&rig, "telemetry", "before", 1, 1));
      client_rig_step(&rig, &event);
      assert_true(rig.accepted);
      assert_true(client_rig_publish(&rig, "telemetry", "after", 1, 2));
      uint16_t before = client_rig_hear(&rig, 0x32), once = client_rig_hear(&rig, 0x32);
      uint16_t after = client_rig_hear(&rig, 0x32);
      client_rig_close(&rig, DEVICE_FAIL_NONE);
      client_rig_online(&rig, present, false);
      assert_int_equal(client_rig_hear(&rig, 0x3a), before);
      assert_int_equal(client_rig_hear(&rig, 0x3a), after);
      assert_true(client_rig_silent(&rig));
      client_rig_ack(&rig, 0x40, before);
      client_rig_ack(&rig, 0x40, once); /* late: it is nobody's any more */
      client_rig_ack(&rig, 0x40, after);
      assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 2);
      client_rig_free(&rig);
    }
}

/* MQTT 5, 3.1.4: a client need not wait for CONNACK. A new session holds no subscription, so
 * SUBSCRIBE goes with CONNECT and no round trip is lost; one SUBACK answers both filters, each with
 * its own code. */
static void subscribes_with_its_connect_when_it_begins_a_new_session(void **state)
{
  (void) state;
  static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
  static const struct {
    uint8_t codes[3], size, denied;
    enum device_failure failure;
  } answers[] = {
      {{1, 1}, 2, 0, DEVICE_FAIL_NONE},
      {{1, 0x87}, 2, 1, DEVICE_FAIL_NONE},
      {{0x87, 0x87}, 2, 2, DEVICE_FAIL_NONE},
      {{1}, 1, 0, DEVICE_FAIL_SESSION_PROTOCOL},
      {{1, 1, 1}, 3, 0, DEVICE_FAIL_SESSION_PROTOCOL},
  };
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    (void) client_rig_hear(&rig, 0x10);
    uint16_t id = client_rig_hear(&rig, 0x82);
    assert_true(client_rig_silent(&rig));
    client_rig_say(&rig, connack, sizeof connack);
    assert_int_equal(rig.notes[DEVICE_NOTE_READY], 0);
    uint8_t suback[8] = {0x90, (uint8_t) (3 + answers[i].size), (uint8_t) (id >> 8), (uint8_t) id,
                         0};
    memcpy(suback + 5, answers[i].codes, answers[i].size);
    client_rig_say(&rig, suback, 5u + answers[i].size);
    assert_int_equal(rig.notes[DEVICE_NOTE_DENIED], answers[i].denied);
    if (answers[i].failure == DEVICE_FAIL_NONE)
      assert_int_equal(rig.notes[DEVICE_NOTE_READY], 1);
    else
      client_rig_expect_end(&rig, answers[i].failure);
    client_rig_free(&rig);
  }
}

/* Ready with CONNACK, whether the session is new, fresh by the broker's word, or kept. */
static void subscribes_to_nothing_where_nobody_speaks_to_it(void **state)
{
  (void) state;
  static const uint8_t fresh[] = {0x20, 3, 0, 0, 0}, kept[] = {0x20, 3, 1, 0, 0};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.no_control = true;
  for (int i = 0; i < 3; i++) {
    rig.profile.clean_start = i == 0;
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    (void) client_rig_hear(&rig, 0x10);
    assert_true(client_rig_silent(&rig));
    client_rig_say(&rig, i == 2 ? kept : fresh, sizeof fresh);
    assert_true(client_rig_silent(&rig));
    assert_int_equal(rig.notes[DEVICE_NOTE_READY], i + 1);
    client_rig_close(&rig, DEVICE_FAIL_NONE);
  }
  client_rig_free(&rig);
}

/* Seen with mosquitto: restarted between CONNACK and SUBSCRIBE it keeps the session, but not what
   was on its way. */
static void asks_again_for_a_subscription_that_was_not_confirmed(void **state)
{
  (void) state;
  static const uint8_t fresh[] = {0x20, 3, 0, 0, 0}, kept[] = {0x20, 3, 1, 0, 0};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.clean_start = false;
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0x10);
  client_rig_say(&rig, fresh, sizeof fresh);
  (void) client_rig_hear(&rig, 0x82);
  client_rig_close(&rig, DEVICE_FAIL_NONE);

  for (int unconfirmed = 1; unconfirmed >= 0; unconfirmed--) {
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    (void) client_rig_hear(&rig, 0x10);
    client_rig_say(&rig, kept, sizeof kept);
    if (unconfirmed) client_rig_suback(&rig, client_rig_hear(&rig, 0x82));
    assert_true(client_rig_silent(&rig));
    client_rig_close(&rig, DEVICE_FAIL_NONE);
  }
  client_rig_free(&rig);
}

static void forgets_an_older_session_at_its_first_connection_only(void **state)
{
  (void) state;
  static const uint8_t accepted[2][5] = {{0x20, 2, 0, 0}, {0x20, 3, 0, 0, 0}};
  for (unsigned v5 = 0; v5 <= 1; v5++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, v5 != 0 ? 5 : 4);
    rig.profile.clean_start = false;
    rig.profile.forget_first = true;
    for (unsigned connection = 0; connection < 2; connection++) {
      client_rig_open(&rig, false);
      client_rig_pump(&rig);
      unsigned clean_start = rig.inbox[9] >> 1 & 1u;
      assert_int_equal(clean_start, v5 != 0 && connection == 0);
      (void) client_rig_hear(&rig, 0x10);
      client_rig_say(&rig, accepted[v5], 4 + v5);
      (void) client_rig_hear(&rig, 0x82);
      client_rig_close(&rig, DEVICE_FAIL_NONE);
    }
    client_rig_free(&rig);
  }
}

static void completes_qos_2_across_a_reconnect(void **state)
{
  (void) state;
  for (int present = 0; present <= 1; present++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    client_rig_online(&rig, false, false);
    assert_true(client_rig_publish(&rig, "telemetry", "once", 2, 9));
    uint16_t id = client_rig_hear(&rig, 0x34);
    client_rig_ack(&rig, 0x50, id);
    assert_int_equal(client_rig_hear(&rig, 0x62), id);
    client_rig_close(&rig, DEVICE_FAIL_NONE);
    client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_CLOSED);

    client_rig_online(&rig, present, false);
    if (!present) { /* the broker has forgotten: a new message, not a duplicate */
      id = client_rig_hear(&rig, 0x34);
      client_rig_ack(&rig, 0x50, id);
    }
    assert_int_equal(client_rig_hear(&rig, 0x62), id);
    assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 0);
    client_rig_ack(&rig, 0x70, id);
    assert_int_equal(rig.last[DEVICE_NOTE_ACKED].tag, 9);
    client_rig_free(&rig);
  }
}

static void delivers_an_incoming_qos_2_message_once(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  for (int i = 0; i < 2; i++) {
    client_rig_send(&rig, "private/00000a1f/hello", "hi", 2, 2, 77);
    assert_int_equal(client_rig_hear(&rig, 0x50), 77);
  }
  assert_int_equal(rig.notes[DEVICE_NOTE_MESSAGE], 1);
  assert_string_equal(rig.message, "hi");
  client_rig_ack(&rig, 0x62, 77);
  assert_int_equal(client_rig_hear(&rig, 0x70), 77);
  client_rig_send(&rig, "private/00000a1f/hello", "hi", 2, 2, 77);
  assert_int_equal(rig.notes[DEVICE_NOTE_MESSAGE], 2);
  client_rig_free(&rig);
}

static void holds_back_what_exceeds_the_brokers_receive_maximum(void **state)
{
  (void) state;
  static const uint8_t connack[] = {0x20, 6, 0, 0, 3, 0x21, 0, 1}; /* receive maximum 1 */
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0x10);
  client_rig_say(&rig, connack, sizeof connack);
  client_rig_suback(&rig, client_rig_hear(&rig, 0x82));
  for (uint32_t tag = 1; tag <= 2; tag++)
    assert_true(client_rig_publish(&rig, "telemetry", "x", 1, tag));
  uint16_t first = client_rig_hear(&rig, 0x32);
  assert_true(client_rig_silent(&rig));
  client_rig_ack(&rig, 0x40, first);
  assert_int_not_equal(client_rig_hear(&rig, 0x32), first);
  client_rig_free(&rig);
}

static void answers_a_trust_bundle_although_telemetry_fills_its_outbox(void **state)
{
  (void) state;
  struct client_rig rig;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  uint32_t taken = 0;
  while (taken < 100 && client_rig_publish(&rig, "telemetry", "x", 1, taken)) taken++;
  assert_int_equal(taken, 14);
  size_t size =
      client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
  client_rig_send(&rig, "private/00000a1f/trust", bundle, size, 1, 5);
  assert_int_equal(rig.last[DEVICE_NOTE_TRUST].code, DEVICE_UPDATE_COMMITTED);
  assert_int_equal(device_builtin.trust_version(rig.storage), 2);
  for (uint32_t i = 0; i < taken; i++) (void) client_rig_hear(&rig, 0x32);
  assert_int_equal(client_rig_hear(&rig, 0x40), 5);
  for (uint16_t id = 2; id <= 15; id++) client_rig_ack(&rig, 0x40, id);
  assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 14);
  char answer[DEVICE_UPDATE_TEXT_MAX]; /* it names the bundle that it answers */
  int n = snprintf(answer, sizeof answer, "{\"status\":\"committed\",\"version\":2,\"of\":%u}",
                   (unsigned) device_nvm_crc(bundle, size));
  assert_memory_equal(rig.inbox + rig.inbox_size - n, answer, (size_t) n);
  client_rig_free(&rig);
}

/* --- What a device is called ------------------------------------------------------------------ */

#define TEN "0123456789"
#define LONG_ROOT \
  "r/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "/01234567/" /* 112 bytes, the most */
#define LONG_UP "u/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "/0123" /* 127 */
#define LONG_ID TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234567"   /* 128 */

static const struct device_naming long_naming = {
    .client_id = LONG_ID, .root = LONG_ROOT, .telemetry = LONG_UP};

/* The text stands in what the device said, with its length before it. */
static bool said(const struct client_rig *rig, const char *text)
{
  uint8_t wire[2 + 256];
  size_t size = strlen(text);
  wire[0] = (uint8_t) (size >> 8);
  wire[1] = (uint8_t) size;
  memcpy(wire + 2, text, size);
  return memmem(rig->inbox, rig->inbox_size, wire, size + 2) != NULL;
}

static void assert_said(const struct client_rig *rig, const char *text)
{
  if (!said(rig, text)) fail_msg("the device did not say '%s'", text);
}

static void rename_device(struct client_rig *rig, const struct device_naming *naming)
{
  device_builtin.destroy(rig->storage);
  rig->naming = naming;
  rig->profile.will = true;
  client_rig_power_on(rig);
}

static void goes_by_the_names_that_its_body_gives_it(void **state)
{
  (void) state;
  static const uint8_t accepted[2][5] = {{0x20, 2, 0, 0}, {0x20, 3, 0, 0, 0}};
  for (unsigned v5 = 0; v5 <= 1; v5++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, v5 != 0 ? 5 : 4);
    rename_device(&rig, &long_naming);
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    assert_said(&rig, LONG_ID);
    assert_said(&rig, LONG_ROOT "status"); /* its will */
    (void) client_rig_hear(&rig, 0x10);
    assert_said(&rig, LONG_ROOT "trust");
    assert_said(&rig, LONG_ROOT "cert");
    uint16_t asked = client_rig_hear(&rig, 0x82);
    client_rig_say(&rig, accepted[v5], 4 + v5);
    client_rig_suback(&rig, asked);
    assert_true(client_rig_publish(&rig, NULL, "x", 0, 1));
    assert_said(&rig, LONG_UP);
    (void) client_rig_hear(&rig, 0x30);
    assert_true(client_rig_publish(&rig, "status", "x", 0, 2));
    assert_said(&rig, LONG_ROOT "status");
    (void) client_rig_hear(&rig, 0x30);
    assert_false(client_rig_publish(&rig, TEN TEN, "x", 0, 3)); /* longer than a topic may be */
    client_rig_free(&rig);
  }
}

/* What the body says when it is asked. */
static const char *said_password;
static unsigned times_asked;

static int say_password(void *ctx, uint8_t out[DEVICE_PASSWORD_MAX])
{
  (void) ctx;
  times_asked++;
  if (said_password == NULL) return -1;
  memcpy(out, said_password, strlen(said_password));
  return (int) strlen(said_password);
}

static void assert_not_said(const struct client_rig *rig, const char *text)
{
  if (memmem(rig->inbox, rig->inbox_size, text, strlen(text)) != NULL)
    fail_msg("the device says '%s'", text);
}

static const struct device_naming user_naming = {.user = "acme/pump-7"};

/* Of a token the one in force is asked for at each connection. */
static void says_its_user_name_and_the_password_that_it_has_by_then(void **state)
{
  (void) state;
  for (uint8_t mqtt = 4; mqtt <= 5; mqtt++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, mqtt);
    rig.host.password = say_password;
    rename_device(&rig, &user_naming);
    said_password = "first-secret";
    times_asked = 0;
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    if (memmem(rig.inbox, rig.inbox_size, "acme/pump-7\0\014first-secret", 25) == NULL)
      fail_msg("no password behind the user name");
    client_rig_close(&rig, DEVICE_FAIL_NONE);
    said_password = "second-secret";
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    assert_not_said(&rig, "first-secret");
    assert_said(&rig, "second-secret");
    client_rig_close(&rig, DEVICE_FAIL_NONE);
    said_password = NULL; /* there is none now */
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    assert_said(&rig, "acme/pump-7");
    assert_not_said(&rig, "secret");
    assert_int_equal(times_asked, 3);
    client_rig_free(&rig);
  }
}

/* A broker that closes with SUBSCRIBE unread may take its CONNACK back with that. */
static void waits_with_its_subscriptions_until_its_password_is_taken(void **state)
{
  (void) state;
  static const uint8_t accepted[2][5] = {{0x20, 2, 0, 0}, {0x20, 3, 0, 0, 0}};
  static const struct {
    bool v5;
    const struct device_naming *naming;
  } cases[] = {{false, &user_naming}, {true, &user_naming}, {true, NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct client_rig rig;
    const bool v5 = cases[i].v5;
    client_rig_make(&rig, &pki, 13, v5 ? 5 : 4);
    rig.profile.clean_start = true;
    rig.host.password = say_password;
    rename_device(&rig, cases[i].naming);
    said_password = "secret";
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    (void) client_rig_hear(&rig, 0x10);
    assert_true(client_rig_silent(&rig));
    client_rig_say(&rig, accepted[v5], 4 + v5);
    client_rig_suback(&rig, client_rig_hear(&rig, 0x82));
    assert_int_equal(rig.notes[DEVICE_NOTE_READY], 1);
    client_rig_free(&rig);
  }
}

/* 3.1.2-22 of MQTT 3.1.1: no password without a user name. */
static void without_a_user_name_only_mqtt_5_has_a_password(void **state)
{
  (void) state;
  for (uint8_t mqtt = 4; mqtt <= 5; mqtt++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, mqtt);
    rig.host.password = say_password;
    rename_device(&rig, NULL);
    said_password = "secret";
    times_asked = 0;
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    assert_int_equal(times_asked, mqtt == 5);
    if (mqtt == 5)
      assert_said(&rig, "secret");
    else
      assert_not_said(&rig, "secret");
    client_rig_free(&rig);
  }
}

static void what_its_body_does_not_name_is_made_from_its_name(void **state)
{
  (void) state;
  static const struct device_naming only_id = {.client_id = "another"}, only_root = {.root = "r/"},
                                    only_up = {.telemetry = "up"};
  static const struct {
    const struct device_naming *naming;
    const char *client_id, *trust, *telemetry;
  } rows[] = {{NULL, "00000a1f", "private/00000a1f/trust", "private/00000a1f/telemetry"},
              {&only_id, "another", "private/00000a1f/trust", "private/00000a1f/telemetry"},
              {&only_root, "00000a1f", "r/trust", "r/telemetry"},
              {&only_up, "00000a1f", "private/00000a1f/trust", "up"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    rename_device(&rig, rows[i].naming);
    assert_true(client_rig_publish(&rig, NULL, "x", 1, 1));
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    assert_said(&rig, rows[i].client_id);
    (void) client_rig_hear(&rig, 0x10);
    assert_said(&rig, rows[i].trust);
    uint16_t asked = client_rig_hear(&rig, 0x82);
    client_rig_say(&rig, (const uint8_t[]){0x20, 3, 0, 0, 0}, 5);
    client_rig_suback(&rig, asked);
    assert_said(&rig, rows[i].telemetry);
    client_rig_free(&rig);
  }
}

/* The reserve of its outbox is for answers, however long its topics are: both get out. */
static void answers_behind_the_longest_root_although_telemetry_fills_its_outbox(void **state)
{
  (void) state;
  struct client_rig rig;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  char large[1281];
  client_rig_make(&rig, &pki, 13, 5);
  rename_device(&rig, &long_naming);
  client_rig_online(&rig, false, false);
  memset(large, 'x', sizeof large);
  large[1280 - strlen(LONG_UP)] = '\0';
  assert_true(client_rig_publish(&rig, NULL, large, 1, 1));
  assert_false(client_rig_publish(&rig, NULL, "", 1, 2));
  size_t size =
      client_pki_bundle(&pki, 2, pki.a.certificate, pki.b.certificate, bundle, sizeof bundle);
  client_rig_send(&rig, LONG_ROOT "trust", bundle, size, 1, 5);
  client_rig_send(&rig, LONG_ROOT "cert", "nothing", 7, 1, 6);
  assert_int_equal(rig.last[DEVICE_NOTE_TRUST].code, DEVICE_UPDATE_COMMITTED);
  assert_int_equal(rig.last[DEVICE_NOTE_IDENTITY].code, DEVICE_UPDATE_MALFORMED);
  (void) client_rig_hear(&rig, 0x32);
  (void) client_rig_hear(&rig, 0x40);
  assert_said(&rig, LONG_ROOT "trust/ack");
  uint16_t first = client_rig_hear(&rig, 0x32);
  (void) client_rig_hear(&rig, 0x40);
  assert_said(&rig, LONG_ROOT "cert/ack");
  (void) client_rig_hear(&rig, 0x32);
  /* one that is denied is told by its whole topic */
  client_rig_say(&rig, (const uint8_t[]){0x40, 3, (uint8_t) (first >> 8), (uint8_t) first, 0x87},
                 5);
  assert_int_equal(rig.notes[DEVICE_NOTE_DENIED], 1);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].topic_size, strlen(LONG_ROOT "trust/ack"));
  client_rig_close(&rig, DEVICE_FAIL_NONE);
  client_rig_online(&rig, false, false);
  (void) client_rig_hear(&rig, 0x3a);
  assert_said(&rig, LONG_ROOT "cert/ack"); /* once more */
  client_rig_free(&rig);
}

static size_t chain_of(X509 *certificate, uint8_t *out, size_t capacity)
{
  unsigned char *der = NULL;
  struct device_chain chain = {.count = 1};
  chain.certificate[0].size = (uint16_t) i2d_X509(certificate, &der);
  chain.certificate[0].der = der;
  size_t size = device_chain_encode(&chain, out, capacity);
  OPENSSL_free(der);
  return size;
}

static void renews_its_certificate_only_for_its_own_key(void **state)
{
  (void) state;
  struct client_rig rig;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  const struct client_recipe recipe = {"00000a1f", "DNS:" CLIENT_HOST, "clientAuth", -10, 9000};
  struct client_party stranger = client_pki_issue(&pki.a, &recipe);
  X509 *renewed = X509_dup(stranger.certificate);
  X509_set_pubkey(renewed, pki.device.key);
  assert_true(X509_sign(renewed, pki.a.key, EVP_sha256()) > 0);
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  const struct {
    X509 *certificate;
    enum device_update update;
  } pushes[] = {{stranger.certificate, DEVICE_UPDATE_WRONG_KEY},
                {renewed, DEVICE_UPDATE_COMMITTED},
                {renewed, DEVICE_UPDATE_SAME}};
  for (uint16_t i = 0; i < 3; i++) {
    client_rig_send(&rig, "private/00000a1f/cert", chain,
                    chain_of(pushes[i].certificate, chain, sizeof chain), 1, (uint16_t) (i + 1));
    assert_int_equal(rig.last[DEVICE_NOTE_IDENTITY].code, pushes[i].update);
    assert_int_equal(client_rig_hear(&rig, 0x40), i + 1);
    client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
  }
  assert_int_equal(rig.notes[DEVICE_NOTE_IDENTITY], 3);
  assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 0); /* its own answers are not the application's */
  client_rig_stop(&rig);
  client_rig_online(&rig, false, false);
  X509 *shown = SSL_get1_peer_certificate(rig.ssl);
  assert_int_equal(X509_cmp(shown, renewed), 0);
  X509_free(shown);
  client_rig_free(&rig);
  X509_free(renewed);
  client_party_free(&stranger);
}

static void pings_when_idle_and_gives_up_without_an_answer(void **state)
{
  (void) state;
  static const uint8_t pingresp[] = {0xd0, 0};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 4);
  client_rig_online(&rig, false, false);
  rig.now_ms += 20000;
  assert_true(
      client_rig_publish(&rig, "telemetry", "x", 1, 1)); /* traffic both ways is a sign of life */
  client_rig_ack(&rig, 0x40, client_rig_hear(&rig, 0x32));
  assert_int_equal(rig.deadline_ms, rig.now_ms + 30000);
  client_rig_wait(&rig);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0xc0);
  assert_int_equal(rig.deadline_ms, rig.now_ms + 4000);
  client_rig_say(&rig, pingresp, sizeof pingresp);
  client_rig_wait(&rig);
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_PING);
  assert_true(rig.closed);
  client_rig_free(&rig);
}

static void pings_a_broker_that_only_listens(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 4);
  client_rig_online(&rig, false, false);
  rig.now_ms += 20000;
  assert_true(client_rig_publish(&rig, "telemetry", "x", 0, 1)); /* nothing comes back for it */
  (void) client_rig_hear(&rig, 0x30);
  assert_int_equal(rig.deadline_ms, rig.now_ms + 10000);
  client_rig_wait(&rig);
  client_rig_pump(&rig);
  (void) client_rig_hear(&rig, 0xc0);
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_PING);
  client_rig_free(&rig);
}

static void waits_for_no_answer_longer_than_its_deadline(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  assert_int_equal(rig.deadline_ms, rig.now_ms + 3000);
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_MQTT_TIMEOUT);

  static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  client_rig_say(&rig, connack, sizeof connack);
  assert_int_equal(rig.deadline_ms, rig.now_ms + 4000);
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_ACK); /* SUBACK */

  client_rig_online(&rig, false, false);
  assert_true(client_rig_publish(&rig, "telemetry", "x", 1, 1));
  rig.now_ms += 1000;
  assert_true(client_rig_publish(&rig, "telemetry", "y", 1, 2));
  assert_int_equal(rig.deadline_ms, rig.now_ms + 3000);
  client_rig_wait(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_ACK); /* PUBACK */
  client_rig_free(&rig);
}

static void names_each_connack_refusal(void **state)
{
  (void) state;
  static const struct {
    uint8_t version, reason;
    enum device_failure failure;
  } refusals[] = {
      {4, 1, DEVICE_FAIL_MQTT_REFUSED_VERSION},    {4, 2, DEVICE_FAIL_MQTT_REFUSED_ID},
      {4, 3, DEVICE_FAIL_MQTT_REFUSED_BUSY},       {4, 5, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 0x84, DEVICE_FAIL_MQTT_REFUSED_VERSION}, {5, 0x87, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 0x9f, DEVICE_FAIL_MQTT_REFUSED_BUSY},    {5, 0x9d, DEVICE_FAIL_MQTT_REFUSED_MOVED},
      {5, 0x80, DEVICE_FAIL_MQTT_REFUSED_OTHER},   {5, 0x91, DEVICE_FAIL_MQTT_REFUSED_OTHER},
      {4, 0x87, DEVICE_FAIL_MQTT_REFUSED_AUTH},    {4, 0xff, DEVICE_FAIL_MQTT_REFUSED_OTHER},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    struct client_rig rig;
    uint8_t connack[] = {0x20, refusals[i].version == 5 ? 3 : 2, 0, refusals[i].reason, 0};
    client_rig_make(&rig, &pki, 13, refusals[i].version);
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    client_rig_say(&rig, connack, 2u + connack[1]);
    client_rig_expect_end(&rig, refusals[i].failure);
    assert_int_equal(rig.last[DEVICE_NOTE_ENDED].code, refusals[i].reason);
    assert_int_equal(rig.notes[DEVICE_NOTE_ONLINE], 0);
    client_rig_free(&rig);
  }
}

/* A broker of 3.1.1 answers a client of 5 in its own form, with whatever return code; one of 5 does
 * so the other way. aedes refuses the subscriptions first, and a broker may send both in one
 * record. */
static void knows_a_broker_of_another_mqtt_version_by_the_form_of_its_answer(void **state)
{
  (void) state;
  static const struct {
    uint8_t version, size, code, bytes[12];
    enum device_failure failure;
  } answers[] = {
      {5, 4, 1, {0x20, 2, 0, 1}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 4, 2, {0x20, 2, 0, 2}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 4, 5, {0x20, 2, 0, 5}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 4, 0, {0x20, 2, 0, 0}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 6, 0, {0x90, 4, 0, 1, 0x80, 0x80}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 8, 0, {0x90, 6, 0, 1, 0x80, 0x80, 0x80, 0x80}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 6, 0, {0x90, 4, 0, 1, 1, 1}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 10, 0, {0x90, 4, 0, 1, 0x80, 0x80, 0x20, 2, 0, 1}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {4, 5, 0x84, {0x20, 3, 0, 0x84, 0}, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      /* it is told more by the code */
      {4, 5, 0x87, {0x20, 3, 0, 0x87, 0}, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 4, 0x87, {0x20, 2, 0, 0x87}, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 4, 0, {0x20, 2, 0, 6}, DEVICE_FAIL_MQTT_PROTOCOL}, /* of neither */
      {5, 4, 0, {0x20, 2, 2, 1}, DEVICE_FAIL_MQTT_PROTOCOL},
      {5, 4, 0, {0x40, 2, 0, 1}, DEVICE_FAIL_MQTT_PROTOCOL}, /* PUBACK, good in both */
      {5, 2, 0, {0xf0, 0}, DEVICE_FAIL_MQTT_PROTOCOL},
  };
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, answers[i].version);
    client_rig_open(&rig, false);
    client_rig_pump(&rig);
    client_rig_say(&rig, answers[i].bytes, answers[i].size);
    client_rig_expect_end(&rig, answers[i].failure);
    assert_int_equal(rig.last[DEVICE_NOTE_ENDED].code, answers[i].code);
    assert_int_equal(rig.notes[DEVICE_NOTE_ONLINE], 0);
    client_rig_free(&rig);
  }
  assert_non_null(
      strstr(device_failure_sentence(DEVICE_FAIL_MQTT_REFUSED_VERSION), "try mqtt: 3.1.1"));
  assert_non_null(strstr(device_failure_sentence(DEVICE_FAIL_TLS_CLOSED),
                         "try mqtt: 3.1.1")); /* RabbitMQ 3.10 */
}

/* Server reference, property 28, in CONNACK "Server moved" and in DISCONNECT "Use another
   server". */
static void tells_which_server_the_broker_named(void **state)
{
  (void) state;
  static const uint8_t connack[] = {0x20, 9, 0, 0x9d, 6, 28, 0, 3, 'b', ':', '2'};
  static const uint8_t disconnect[] = {0xe0, 6, 0x9c, 4, 28, 0, 1, 'c'};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  client_rig_say(&rig, connack, sizeof connack);
  client_rig_expect_end(&rig, DEVICE_FAIL_MQTT_REFUSED_MOVED);
  assert_string_equal(rig.named, "b:2");
  client_rig_free(&rig);

  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  client_rig_say(&rig, disconnect, sizeof disconnect);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_DISCONNECT);
  assert_int_equal(rig.last[DEVICE_NOTE_ENDED].code, 0x9c);
  assert_string_equal(rig.named, "c");
  client_rig_free(&rig);
}

static void names_what_breaks_a_session(void **state)
{
  (void) state;
  static const struct {
    uint8_t packet[8];
    size_t size;
    enum device_failure failure;
    uint8_t code;
  } ends[] = {
      {{0xe0, 1, 0x8e}, 3, DEVICE_FAIL_SESSION_DISCONNECT, 0x8e}, /* session taken over */
      {{0x20, 3, 0, 0, 0}, 5, DEVICE_FAIL_SESSION_PROTOCOL, 0},   /* a second CONNACK */
      /* 256 MB are announced */
      {{0x30, 0xff, 0xff, 0xff, 0x7f}, 5, DEVICE_FAIL_SESSION_PROTOCOL, 0},
      /* SUBACK that nobody waits for */
      {{0x90, 4, 0, 99, 0, 1}, 6, DEVICE_FAIL_SESSION_PROTOCOL, 0},
  };
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    client_rig_online(&rig, false, false);
    client_rig_say(&rig, ends[i].packet, ends[i].size);
    client_rig_expect_end(&rig, ends[i].failure);
    assert_int_equal(rig.last[DEVICE_NOTE_ENDED].code, ends[i].code);
    client_rig_free(&rig);
  }
}

static void reports_what_the_broker_denies(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  struct device_event foreign = {
      .kind = DEVICE_SUBSCRIBE,
      .publish = {.topic = "private/00000001/#", .tag = 41, .qos = 1, .absolute = true}};
  client_rig_step(&rig, &foreign);
  assert_true(rig.accepted);
  client_rig_pump(&rig);
  uint16_t id = client_rig_hear(&rig, 0x82);
  const uint8_t suback[] = {0x90, 4, (uint8_t) (id >> 8), (uint8_t) id, 0, 0x87};
  client_rig_say(&rig, suback, sizeof suback);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].tag, 41);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].code, 0x87);
  assert_true(rig.last[DEVICE_NOTE_DENIED].subscription);

  assert_true(client_rig_publish(&rig, "telemetry", "x", 1, 42));
  id = client_rig_hear(&rig, 0x32);
  const uint8_t puback[] = {0x40, 3, (uint8_t) (id >> 8), (uint8_t) id, 0x87};
  client_rig_say(&rig, puback, sizeof puback);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].tag, 42);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].topic_size, strlen("private/00000a1f/telemetry"));
  assert_false(rig.last[DEVICE_NOTE_DENIED].declined || rig.last[DEVICE_NOTE_DENIED].subscription);

  assert_true(client_rig_publish(&rig, "telemetry", "x", 2, 43));
  id = client_rig_hear(&rig, 0x34);
  const uint8_t pubrec[] = {0x50, 3, (uint8_t) (id >> 8), (uint8_t) id, 0x97};
  client_rig_say(&rig, pubrec, sizeof pubrec);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].tag, 43);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].code, 0x97);
  assert_int_equal(rig.last[DEVICE_NOTE_DENIED].qos, 2);
  assert_int_equal(rig.notes[DEVICE_NOTE_ACKED], 0);
  client_rig_free(&rig);
}

/* mosquitto 2.0 with message_size_limit: 0x95, which MQTT 5 has for neither. */
static void a_refusal_that_mqtt_does_not_list_for_the_packet_is_one(void **state)
{
  (void) state;
  static const uint8_t reasons[] = {0x95, 0x86, 0xff};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  for (uint32_t i = 0; i < 3 * sizeof reasons; i++) {
    uint8_t qos = i % 3 == 0 ? 1 : 2, reason = reasons[i / 3], first = qos == 1 ? 0x40 : 0x50;
    assert_true(client_rig_publish(&rig, "telemetry", "x", qos, 100 + i));
    uint16_t id = client_rig_hear(&rig, qos == 1 ? 0x32 : 0x34);
    if (i % 3 == 2) { /* it takes the message, and refuses in PUBCOMP */
      const uint8_t pubrec[] = {0x50, 2, (uint8_t) (id >> 8), (uint8_t) id};
      client_rig_say(&rig, pubrec, sizeof pubrec);
      (void) client_rig_hear(&rig, 0x62);
      first = 0x70;
    }
    const uint8_t answer[] = {first, 3, (uint8_t) (id >> 8), (uint8_t) id, reason};
    client_rig_say(&rig, answer, sizeof answer);
    assert_int_equal(rig.notes[DEVICE_NOTE_DENIED], i + 1);
    assert_int_equal(rig.last[DEVICE_NOTE_DENIED].tag, 100 + i);
    assert_int_equal(rig.last[DEVICE_NOTE_DENIED].code, reason);
  }
  assert_int_equal(rig.notes[DEVICE_NOTE_ENDED], 0);
  client_rig_free(&rig);
}

static void answer_connect(struct client_rig *rig, const uint8_t *connack, size_t size)
{
  client_rig_open(rig, false);
  client_rig_pump(rig);
  (void) client_rig_hear(rig, 0x10);
  client_rig_say(rig, connack, size);
}

static void expect_declined(const struct client_rig *rig, size_t count, uint32_t tag,
                            uint8_t reason)
{
  const struct device_note *denied = &rig->last[DEVICE_NOTE_DENIED];
  assert_int_equal(rig->notes[DEVICE_NOTE_DENIED], count);
  assert_int_equal(denied->tag, tag);
  assert_int_equal(denied->code, reason);
  assert_true(denied->declined);
}

static void does_not_send_what_the_brokers_connack_forbids_and_says_so(void **state)
{
  (void) state;
  static const uint8_t qos_0_only[] = {0x20, 5, 0, 0, 2, 0x24, 0};
  static const uint8_t few_bytes[] = {0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 36};
  static const char large[] = "more than the ten bytes that are left";
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  assert_true(client_rig_publish(&rig, "telemetry", "x", 1, 40)); /* before it can know */
  answer_connect(&rig, qos_0_only, sizeof qos_0_only);
  client_rig_suback(&rig, client_rig_hear(&rig, 0x82));
  expect_declined(&rig, 1, 40, 0x9b);
  assert_true(client_rig_publish(&rig, "telemetry", "x", 2, 41));
  expect_declined(&rig, 2, 41, 0x9b);
  assert_true(client_rig_silent(&rig));
  assert_true(client_rig_publish(&rig, "telemetry", "x", 0, 42));
  (void) client_rig_hear(&rig, 0x30);
  client_rig_free(&rig);

  client_rig_make(&rig, &pki, 13, 5);
  answer_connect(&rig, few_bytes, sizeof few_bytes);
  client_rig_suback(&rig, client_rig_hear(&rig, 0x82));
  assert_true(client_rig_publish(&rig, "telemetry", large, 1, 43));
  expect_declined(&rig, 1, 43, 0x95);
  assert_false(client_rig_publish(&rig, "telemetry", large, 0, 44));
  expect_declined(&rig, 2, 44, 0x95);
  assert_true(client_rig_silent(&rig));
  assert_true(client_rig_publish(&rig, "telemetry", "x", 1, 45));
  (void) client_rig_hear(&rig, 0x32);
  client_rig_free(&rig);
}

static void what_was_sent_once_is_given_up_and_not_declined(void **state)
{
  (void) state;
  static const uint8_t qos_0_only[] = {0x20, 5, 0, 0, 2, 0x24, 0};
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  assert_true(client_rig_publish(&rig, "telemetry", "x", 1, 1));
  (void) client_rig_hear(&rig, 0x32);
  client_rig_close(&rig, DEVICE_FAIL_TCP_RESET);
  answer_connect(&rig, qos_0_only, sizeof qos_0_only); /* a broker that may have it by now */
  assert_int_equal(rig.notes[DEVICE_NOTE_DENIED], 1);
  assert_false(rig.last[DEVICE_NOTE_DENIED].declined);
  assert_int_equal(rig.notes[DEVICE_NOTE_RESENT], 0);
  client_rig_free(&rig);
}

static void says_goodbye_when_stopped(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_online(&rig, false, false);
  client_rig_stop(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_SESSION_STOPPED);
  (void) client_rig_hear(&rig, 0xe0);
  assert_true(SSL_get_shutdown(rig.ssl) & SSL_RECEIVED_SHUTDOWN);
  client_rig_free(&rig);
}

/* Goes through one attempt event by event and is switched off after `events` of them; false when it
   got further. */
static bool is_switched_off_after(struct client_rig *rig, size_t events)
{
  uint8_t bytes[64];
  client_rig_make(rig, &pki, 13, 5);
  rig->profile.resume = DEVICE_RESUME_RAM;
  client_rig_open(rig, false);
  size_t count = 0;
  for (int silent = 0; silent < 2 && count < events;) {
    (void) SSL_do_handshake(rig->ssl);
    int size = BIO_read(SSL_get_wbio(rig->ssl), bytes, sizeof bytes);
    silent = size > 0 ? 0 : silent + 1;
    if (size <= 0) continue;
    client_rig_inject(rig, bytes, (size_t) size);
    count++;
  }
  return count == events;
}

static void leaves_nothing_behind_wherever_it_is_switched_off(void **state)
{
  (void) state;
  size_t heap = 0, keys = 0, events = 0;
  bool more = true;
  for (; more; events++) {
    struct client_rig rig;
    more = is_switched_off_after(&rig, events);
    client_rig_free(&rig);
    if (events == 0) {
      heap = heap_bytes; /* PSA's own key slots stay */
      keys = keys_in_use();
    }
    assert_int_equal(keys_in_use(), keys);
  }
  print_message(
      "  switched off after each of %zu events; heap of the library %zu bytes before, %zu after\n",
      events, heap, heap_bytes);
  assert_true(events > 20);
}

static void carries_little_while_idle(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, tls, 5);
    size_t before = heap_bytes, keys = keys_in_use();
    client_rig_online(&rig, false, false);
    print_message("  TLS %u: %zu bytes of heap, %zu PSA keys; storage %zu bytes\n", tls,
                  heap_bytes - before, keys_in_use() - keys,
                  device_builtin.storage_size(&rig.profile));
    assert_true(heap_bytes - before < 10240);
    assert_true(device_builtin.storage_size(&rig.profile) <= 7168);
    client_rig_stop(&rig);
    assert_int_equal(keys_in_use(), keys);
    client_rig_free(&rig);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sends_unconfirmed_messages_again_in_order_and_marked),
      cmocka_unit_test(sends_a_message_that_is_for_one_connection_in_that_one_only),
      cmocka_unit_test(subscribes_with_its_connect_when_it_begins_a_new_session),
      cmocka_unit_test(subscribes_to_nothing_where_nobody_speaks_to_it),
      cmocka_unit_test(asks_again_for_a_subscription_that_was_not_confirmed),
      cmocka_unit_test(forgets_an_older_session_at_its_first_connection_only),
      cmocka_unit_test(completes_qos_2_across_a_reconnect),
      cmocka_unit_test(delivers_an_incoming_qos_2_message_once),
      cmocka_unit_test(holds_back_what_exceeds_the_brokers_receive_maximum),
      cmocka_unit_test(answers_a_trust_bundle_although_telemetry_fills_its_outbox),
      cmocka_unit_test(goes_by_the_names_that_its_body_gives_it),
      cmocka_unit_test(says_its_user_name_and_the_password_that_it_has_by_then),
      cmocka_unit_test(waits_with_its_subscriptions_until_its_password_is_taken),
      cmocka_unit_test(without_a_user_name_only_mqtt_5_has_a_password),
      cmocka_unit_test(what_its_body_does_not_name_is_made_from_its_name),
      cmocka_unit_test(answers_behind_the_longest_root_although_telemetry_fills_its_outbox),
      cmocka_unit_test(renews_its_certificate_only_for_its_own_key),
      cmocka_unit_test(pings_when_idle_and_gives_up_without_an_answer),
      cmocka_unit_test(pings_a_broker_that_only_listens),
      cmocka_unit_test(waits_for_no_answer_longer_than_its_deadline),
      cmocka_unit_test(names_each_connack_refusal),
      cmocka_unit_test(knows_a_broker_of_another_mqtt_version_by_the_form_of_its_answer),
      cmocka_unit_test(tells_which_server_the_broker_named),
      cmocka_unit_test(names_what_breaks_a_session),
      cmocka_unit_test(reports_what_the_broker_denies),
      cmocka_unit_test(a_refusal_that_mqtt_does_not_list_for_the_packet_is_one),
      cmocka_unit_test(does_not_send_what_the_brokers_connack_forbids_and_says_so),
      cmocka_unit_test(what_was_sent_once_is_given_up_and_not_declined),
      cmocka_unit_test(says_goodbye_when_stopped),
      cmocka_unit_test(leaves_nothing_behind_wherever_it_is_switched_off),
      cmocka_unit_test(carries_little_while_idle),
  };
  return cmocka_run_group_tests(tests, begin, finish);
}

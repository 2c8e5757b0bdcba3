/* A broker that refuses the device: in an alert, without a word, in CONNACK. What the device calls
 * it, what it says of the chain, and that a session ticket does not lock it out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "client_rig.h"

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

/* Ways to send a device away. Those of CONNACK are of MQTT 5. */
enum way {
  CLOSE_NOTIFY,
  FIN,
  RST,
  NOT_AUTHORISED,
  BAD_CREDENTIALS,
  UNSPECIFIED,
  LATE, /* the last of those that a ticket may be the reason of: no CONNACK at all */
  BUSY,
  MOVED,
  WAYS
};

static const enum device_failure names[WAYS] = {
    [CLOSE_NOTIFY] = DEVICE_FAIL_TLS_CLOSED,
    [FIN] = DEVICE_FAIL_TLS_CLOSED,
    [RST] = DEVICE_FAIL_TLS_RESET,
    [NOT_AUTHORISED] = DEVICE_FAIL_MQTT_REFUSED_AUTH,
    [BAD_CREDENTIALS] = DEVICE_FAIL_MQTT_REFUSED_AUTH,
    [UNSPECIFIED] = DEVICE_FAIL_MQTT_REFUSED_OTHER,
    [LATE] = DEVICE_FAIL_MQTT_TIMEOUT,
    [BUSY] = DEVICE_FAIL_MQTT_REFUSED_BUSY,
    [MOVED] = DEVICE_FAIL_MQTT_REFUSED_MOVED,
};

static void refuse(struct client_rig *rig, enum way way)
{
  static const uint8_t codes[WAYS] = {[NOT_AUTHORISED] = 0x87,
                                      [BAD_CREDENTIALS] = 0x86,
                                      [UNSPECIFIED] = 0x80,
                                      [BUSY] = 0x89,
                                      [MOVED] = 0x9c};
  if (way == CLOSE_NOTIFY) {
    (void) SSL_shutdown(rig->ssl);
    client_rig_pump(rig);
  } else if (way == FIN || way == RST) {
    client_rig_close(rig, way == FIN ? DEVICE_FAIL_NONE : DEVICE_FAIL_TCP_RESET);
  } else if (way == LATE) {
    client_rig_wait(rig);
  } else {
    client_rig_say(rig, (const uint8_t[]){0x20, 3, 0, codes[way], 0}, 5);
  }
  client_rig_expect_end(rig, names[way]);
}

/* As nginx and node end it: the handshake is good, and then nothing comes. */
static void names_an_end_between_the_handshake_and_connack(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (enum way way = CLOSE_NOTIFY; way <= RST; way++) {
      struct client_rig rig;
      client_rig_make(&rig, &pki, tls, 5);
      client_rig_open(&rig, false);
      client_rig_pump(&rig);
      refuse(&rig, way);
      const struct device_note *ended = &rig.last[DEVICE_NOTE_ENDED];
      assert_true(ended->secured);
      assert_false(ended->resumed);
      assert_int_equal(ended->chain_certificates, 2);
      assert_int_equal(ended->close_notify, way == CLOSE_NOTIFY);
      assert_int_equal(ended->tls_error, 0); /* nobody has broken a rule */
      assert_int_equal(rig.notes[DEVICE_NOTE_ONLINE], 0);
      client_rig_free(&rig);
    }
}

/* The same after half a CONNACK; and before the handshake is over it is another matter. */
static void tells_it_from_an_end_within_the_handshake(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  client_rig_open(&rig, false);
  client_rig_pump(&rig);
  client_rig_say(&rig, (const uint8_t[]){0x20, 3}, 2);
  refuse(&rig, CLOSE_NOTIFY);
  client_rig_open(&rig, false);
  client_rig_close(&rig, DEVICE_FAIL_NONE);
  client_rig_expect_end(&rig, DEVICE_FAIL_TCP_CLOSED);
  assert_false(rig.last[DEVICE_NOTE_ENDED].secured);
  client_rig_open(&rig, false);
  client_rig_close(&rig, DEVICE_FAIL_TCP_RESET);
  client_rig_expect_end(&rig, DEVICE_FAIL_TCP_RESET);
  client_rig_free(&rig);
}

static int verify_error;

static int say_no(int good, X509_STORE_CTX *context)
{
  (void) good;
  X509_STORE_CTX_set_error(context, verify_error);
  return 0;
}

/* What OpenSSL says of a client's certificate, alert by alert. */
static void names_every_alert_on_its_certificate(void **state)
{
  (void) state;
  static const struct {
    int error;
    uint8_t alert;
    enum device_failure failure;
  } alerts[] = {
      {X509_V_ERR_CERT_REVOKED, 44, DEVICE_FAIL_TLS_ALERT_REVOKED},
      {X509_V_ERR_CRL_HAS_EXPIRED, 45, DEVICE_FAIL_TLS_ALERT_EXPIRED},
      {X509_V_ERR_UNABLE_TO_GET_CRL, 48, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA},
      {X509_V_ERR_CERT_REJECTED, 42, DEVICE_FAIL_TLS_ALERT_BAD_CERT},
      {X509_V_ERR_INVALID_PURPOSE, 43, DEVICE_FAIL_TLS_ALERT_BAD_CERT},
      {X509_V_ERR_PERMITTED_VIOLATION, 46, DEVICE_FAIL_TLS_ALERT_BAD_CERT},
      {X509_V_ERR_APPLICATION_VERIFICATION, 40, DEVICE_FAIL_TLS_ALERT_HANDSHAKE},
      {X509_V_ERR_OUT_OF_MEM, 80, DEVICE_FAIL_TLS_ALERT_OTHER},
  };
  for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
    for (uint8_t tls = 12; tls <= 13; tls++) {
      struct client_rig rig;
      client_rig_make(&rig, &pki, tls, 5);
      verify_error = alerts[i].error;
      SSL_CTX_set_verify(rig.server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, say_no);
      client_rig_open(&rig, false);
      client_rig_pump(&rig);
      client_rig_expect_end(&rig, alerts[i].failure);
      assert_int_equal(rig.last[DEVICE_NOTE_ENDED].alert, alerts[i].alert);
      assert_true(device_failure_is_refusal(rig.last[DEVICE_NOTE_ENDED].failure));
      client_rig_free(&rig);
    }
}

/* From a connection that was accepted. */
static void get_ticket(struct client_rig *rig)
{
  client_rig_online(rig, false, false);
  client_rig_stop(rig);
}

static bool is_resumed(struct client_rig *rig)
{
  client_rig_open(rig, false);
  client_rig_pump(rig);
  return rig->last[DEVICE_NOTE_HANDSHAKE].resumed;
}

/* A broker that takes the ticket and not the device would refuse it until the ticket expires: the
 * session stands on what was true when it began. One full handshake lets it in. */
static void drops_a_ticket_that_led_to_a_refusal_however_it_was_said(void **state)
{
  (void) state;
  for (uint8_t tls = 12; tls <= 13; tls++)
    for (enum device_resume resume = DEVICE_RESUME_RAM; resume <= DEVICE_RESUME_NVM; resume++)
      for (enum way way = 0; way < WAYS; way++) {
        struct client_rig rig;
        client_rig_make(&rig, &pki, tls, 5);
        rig.profile.resume = resume;
        get_ticket(&rig);
        assert_true(is_resumed(&rig));
        refuse(&rig, way);
        assert_true(rig.last[DEVICE_NOTE_ENDED].resumed);
        assert_int_equal(rig.last[DEVICE_NOTE_ENDED].chain_certificates, 0);
        if (way % 2 == 1 && resume == DEVICE_RESUME_NVM) client_rig_power_cycle(&rig);
        bool resumed = is_resumed(&rig);
        if (resumed != (way > LATE))
          fail_msg("TLS %u, resume %d, %s: the next handshake was %s", tls, (int) resume,
                   device_failure_name(names[way]), resumed ? "resumed" : "full");
        client_rig_free(&rig);
      }
}

/* MQTT 3.1.1 has codes of its own. */
static void drops_a_ticket_after_a_refusal_in_mqtt_3_1_1(void **state)
{
  (void) state;
  for (uint8_t code = 1; code <= 5; code++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 4);
    rig.profile.resume = DEVICE_RESUME_RAM;
    get_ticket(&rig);
    assert_true(is_resumed(&rig));
    client_rig_say(&rig, (const uint8_t[]){0x20, 2, 0, code}, 4);
    /* server unavailable: nothing about the device */
    assert_int_equal(is_resumed(&rig), code == 3);
    client_rig_free(&rig);
  }
}

/* Before the handshake is over: a load balancer that chokes on a ticket may just hang up. */
static void drops_a_ticket_that_the_broker_hung_up_on(void **state)
{
  (void) state;
  static const enum device_failure causes[] = {DEVICE_FAIL_NONE, DEVICE_FAIL_TCP_RESET};
  for (size_t i = 0; i < 2; i++) {
    struct client_rig rig;
    client_rig_make(&rig, &pki, 13, 5);
    rig.profile.resume = DEVICE_RESUME_RAM;
    get_ticket(&rig);
    client_rig_open(&rig, false);
    client_rig_close(&rig, causes[i]);
    assert_false(is_resumed(&rig));
    client_rig_free(&rig);
  }
}

/* A transport that never opened has shown the ticket to nobody, and the plan's end is no
   refusal. */
static void keeps_a_ticket_that_nobody_has_refused(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.resume = DEVICE_RESUME_RAM;
  get_ticket(&rig);
  client_rig_step(&rig, &(struct device_event){.kind = DEVICE_START});
  client_rig_close(&rig, DEVICE_FAIL_TCP_RESET);
  client_rig_open(&rig, false);
  client_rig_stop(&rig);
  client_rig_expect_end(&rig, DEVICE_FAIL_STOPPED);
  assert_true(is_resumed(&rig));
  client_rig_free(&rig);
}

/* nginx gives tickets to whom it refuses, and takes them for what it has refused. */
static void offers_no_ticket_from_a_connection_that_was_refused(void **state)
{
  (void) state;
  struct client_rig rig;
  client_rig_make(&rig, &pki, 13, 5);
  rig.profile.resume = DEVICE_RESUME_RAM;
  for (int i = 0; i < 3; i++) {
    assert_false(is_resumed(&rig));
    refuse(&rig, CLOSE_NOTIFY);
  }
  client_rig_free(&rig);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_an_end_between_the_handshake_and_connack),
      cmocka_unit_test(tells_it_from_an_end_within_the_handshake),
      cmocka_unit_test(names_every_alert_on_its_certificate),
      cmocka_unit_test(drops_a_ticket_that_led_to_a_refusal_however_it_was_said),
      cmocka_unit_test(drops_a_ticket_after_a_refusal_in_mqtt_3_1_1),
      cmocka_unit_test(drops_a_ticket_that_the_broker_hung_up_on),
      cmocka_unit_test(keeps_a_ticket_that_nobody_has_refused),
      cmocka_unit_test(offers_no_ticket_from_a_connection_that_was_refused),
  };
  return cmocka_run_group_tests(tests, make_pki, free_pki);
}

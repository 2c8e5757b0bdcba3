/* Why the operator cannot connect, by the names that devices have, at brokers that each do one
   thing wrong. */
#define _GNU_SOURCE
#include "../broker/rig.h"

#include <signal.h>

#include "base/environment.h"
#include "office/office.h"

#include "one_name.h"
#include "peer.h"

struct desk {
  struct rig *rig;
  char ca[400], certificate[400], key[400], clients[400];
  char main_crt[400], main_key[400]; /* of a broker named localhost under root A */
};

static int desk_up(void **state)
{
  if (rig_up(state) != 0) return -1;
  struct desk *desk = calloc(1, sizeof *desk);
  struct rig *rig = *state;
  struct error error;
  desk->rig = rig;
  snprintf(desk->ca, sizeof desk->ca, "%s/operator-ca.crt", rig->pki_folder);
  snprintf(desk->certificate, sizeof desk->certificate, "%s/operator.crt", rig->pki_folder);
  snprintf(desk->key, sizeof desk->key, "%s/operator.key", rig->pki_folder);
  snprintf(desk->clients, sizeof desk->clients, "%s/clients.crt", rig->folder);
  snprintf(desk->main_crt, sizeof desk->main_crt, "%s/main.crt", rig->folder);
  snprintf(desk->main_key, sizeof desk->main_key, "%s/main.key", rig->folder);
  if (pki_write_client_ca(rig->pki, pki_roots(rig->pki), desk->clients, &error) != 0) return -1;
  *state = desk;
  return 0;
}

static int desk_down(void **state)
{
  struct desk *desk = *state;
  void *rig = desk->rig;
  free(desk);
  return rig_down(&rig);
}

static void serve(struct desk *desk, const struct pki_chain *chain)
{
  struct chain_prints written;
  struct error error;
  if (pki_write_broker_chain(desk->rig->pki, chain, desk->main_crt, desk->main_key, &written,
                             &error) != 0)
    fail_msg("%s", error.text);
}

static struct peer proper(struct desk *desk)
{
  static const uint8_t granted[] = {1};
  serve(desk, &(struct pki_chain){.root = "A", .host = "localhost"});
  return (struct peer){.certificate = desk->main_crt,
                       .key = desk->main_key,
                       .client_ca = desk->clients,
                       .codes = granted,
                       .code_count = 1};
}

static struct diagnose_question question_of(struct desk *desk, uint16_t port)
{
  return (struct diagnose_question){.host = "localhost",
                                    .port = port,
                                    .ca_path = desk->ca,
                                    .certificate_path = desk->certificate,
                                    .key_path = desk->key,
                                    .client_id = "operator"};
}

static void expect(struct desk *desk, struct peer *peer, enum device_failure failure, bool final,
                   const char *words)
{
  struct diagnosis diagnosis;
  peer_start(peer);
  struct diagnose_question question = question_of(desk, peer->port);
  diagnose(&question, &diagnosis);
  peer_stop(peer);
  if (diagnosis.failure != failure)
    fail_msg("%s, not %s: %s", device_failure_name(diagnosis.failure), device_failure_name(failure),
             diagnosis.text);
  if (strstr(diagnosis.text, words) == NULL)
    fail_msg("'%s' does not say '%s'", diagnosis.text, words);
  assert_int_equal(diagnose_is_final(failure), final);
}

static void a_broker_that_lets_it_in_has_no_failure(void **state)
{
  struct peer peer = proper(*state);
  expect(*state, &peer, DEVICE_FAIL_NONE, false, "");
}

static void names_what_is_wrong_with_the_brokers_chain(void **state)
{
  struct desk *desk = *state;
  struct peer expired = proper(desk), name = expired, bare = expired, stranger = expired;
  char update_ca[FILES_PATH_MAX];
  struct error error;
  serve(desk, &(struct pki_chain){.root = "A", .host = "localhost", .leaf_expired = true});
  expect(desk, &expired, DEVICE_FAIL_TLS_EXPIRED, true, "until 20");
  serve(desk,
        &(struct pki_chain){.root = "A", .host = "elsewhere.example", .also = {"mqtt.example"}});
  expect(desk, &name, DEVICE_FAIL_TLS_NAME_MISMATCH, true, "(elsewhere.example, mqtt.example)");
  serve(desk, &(struct pki_chain){.root = "A", .host = "localhost", .omit_intermediate = true});
  expect(desk, &bare, DEVICE_FAIL_TLS_NOT_TRUSTED, true, "intermediates");
  const struct pki_chain other = {.host = "localhost"};
  assert_int_equal(pki_write_update_chain(desk->rig->pki, &other, desk->main_crt, desk->main_key,
                                          update_ca, &error),
                   0);
  expect(desk, &stranger, DEVICE_FAIL_TLS_NOT_TRUSTED, true, "issued by");
}

static void a_refused_certificate_is_named_by_its_alert(void **state)
{
  struct desk *desk = *state;
  struct peer peer = proper(desk);
  peer.client_ca = desk->main_crt;
  expect(desk, &peer, DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA, true, "pki export FLEET --what client-ca");
}

static void what_is_no_tls_is_known_by_what_it_answers(void **state)
{
  struct peer plain = {.manner = PEER_PLAIN}, http = {.manner = PEER_HTTP},
              cut = {.manner = PEER_CUTS_HELLO};
  expect(*state, &plain, DEVICE_FAIL_TLS_NOT_TLS, true, "MQTT without TLS");
  expect(*state, &http, DEVICE_FAIL_TLS_NOT_TLS, true, "TLS");
  expect(*state, &cut, DEVICE_FAIL_TCP_CLOSED, false, "without a byte of TLS");
}

static void a_connack_is_named_by_its_code(void **state)
{
  static const enum device_failure failures[] = {
      DEVICE_FAIL_MQTT_REFUSED_VERSION, DEVICE_FAIL_MQTT_REFUSED_ID,
      DEVICE_FAIL_MQTT_REFUSED_BUSY,    DEVICE_FAIL_MQTT_REFUSED_AUTH,
      DEVICE_FAIL_MQTT_REFUSED_AUTH,    DEVICE_FAIL_MQTT_REFUSED_OTHER};
  struct peer peer = proper(*state);
  for (uint8_t code = 1; code <= 6; code++) {
    struct peer refusing = peer;
    char words[16];
    memcpy(refusing.connack, (uint8_t[]){0x20, 2, 0, code}, 4);
    refusing.connack_size = 4;
    snprintf(words, sizeof words, "code %u", code);
    expect(*state, &refusing, failures[code - 1], code != 3, words);
  }
}

static void an_answer_that_is_no_connack_is_one_by_its_bytes(void **state)
{
  struct peer garbage = proper(*state), longer = garbage;
  memcpy(garbage.connack, "HTTP", 4);
  garbage.connack_size = 4;
  expect(*state, &garbage, DEVICE_FAIL_MQTT_PROTOCOL, true, "48 54");
  memcpy(longer.connack, (uint8_t[]){0x20, 3, 0, 0, 0}, 5);
  longer.connack_size = 5;
  expect(*state, &longer, DEVICE_FAIL_MQTT_PROTOCOL, true, "20 03");
}

/* As nginx and node do with a certificate that they refuse. */
static void an_end_after_the_handshake_has_the_name_that_devices_have_for_it(void **state)
{
  static const struct {
    enum peer_manner manner;
    enum device_failure failure;
  } ends[] = {{PEER_CUTS_CONNECT, DEVICE_FAIL_TLS_CLOSED},
              {PEER_DROPS_CONNECT, DEVICE_FAIL_TLS_CLOSED},
              {PEER_RESETS_CONNECT, DEVICE_FAIL_TLS_RESET},
              {PEER_NEVER_ANSWERS, DEVICE_FAIL_MQTT_TIMEOUT}};
  struct peer peer = proper(*state);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct peer ending = peer;
    ending.manner = ends[i].manner;
    expect(*state, &ending, ends[i].failure, false, device_failure_name(ends[i].failure));
  }
}

static void silence_and_absence_have_their_names(void **state)
{
  struct desk *desk = *state;
  struct peer silent = {.manner = PEER_SILENT}, gone = {.manner = PEER_SILENT};
  expect(desk, &silent, DEVICE_FAIL_TLS_TIMEOUT, false, "deadline");
  peer_start(&gone);
  peer_stop(&gone);
  struct diagnosis diagnosis;
  struct diagnose_question question = question_of(desk, gone.port);
  diagnose(&question, &diagnosis);
  assert_int_equal(diagnosis.failure, DEVICE_FAIL_TCP_REFUSED);
  question.host = "no-such-name.invalid";
  diagnose(&question, &diagnosis);
  assert_int_equal(diagnosis.failure, DEVICE_FAIL_NAME_NOT_FOUND);
  question.host = "::ffff:127.0.0.1"; /* beyond loopback by our rule */
  diagnose(&question, &diagnosis);
  assert_int_equal(diagnosis.failure, DEVICE_FAIL_TCP_OTHER);
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
  struct desk *desk = *state;
  struct peer peer = proper(desk);
  struct diagnosis diagnosis;
  peer_start(&peer);
  struct diagnose_question question = question_of(desk, peer.port);
  question.certificate_path = desk->key;
  diagnose(&question, &diagnosis);
  peer_stop(&peer);
  assert_int_equal(diagnosis.failure, DEVICE_FAIL_TLS_INTERNAL);
  assert_non_null(strstr(diagnosis.text, "the operator's certificate "));
}

/* --- The operator itself ---------------------------------------------------------------------- */

static uint64_t now_us(void *clock)
{
  (void) clock;
  return uv_hrtime() / 1000;
}

static void wake(void *ctx)
{
  (void) ctx;
}

static struct office *start(struct desk *desk, const struct peer *peer)
{
  struct office *op = NULL;
  struct error error;
  struct office_config config = {.host = peer->ipv6 ? "::1" : "localhost",
                                 .port = peer->port,
                                 .ca_path = desk->ca,
                                 .certificate_path = desk->certificate,
                                 .key_path = desk->key,
                                 .telemetry = {.mark = 0x01234567},
                                 .device_count = 1,
                                 .names = one_name(),
                                 .now_us = now_us,
                                 .wake = wake};
  if (office_start(&config, &op, &error) != 0) fail_msg("%s", error.text);
  return op;
}

/* What the first event of the operator is at this peer, and why. */
static enum office_event_kind first_word(struct desk *desk, struct peer *peer,
                                         struct office_failure *failure)
{
  struct office_event event = {.kind = OFFICE_MESSAGE};
  peer_start(peer);
  struct office *op = start(desk, peer);
  for (int i = 0; i < 2000 && !office_collect(op, &event); i++) rig_pause_ms(10);
  office_failure(op, failure);
  atomic_store(&peer->stopping, true); /* first: it may be waiting for the operator */
  office_stop(op);
  peer_stop(peer);
  return event.kind;
}

static void is_refused(struct desk *desk, struct peer *peer, bool final, const char *words)
{
  struct office_failure failure;
  assert_int_equal(first_word(desk, peer, &failure), OFFICE_FAILED);
  if (strstr(failure.text, words) == NULL) fail_msg("'%s' does not say '%s'", failure.text, words);
  assert_int_equal(failure.final, final);
}

static void a_refusal_in_the_form_of_mqtt_5_is_named_by_its_reason(void **state)
{
  static const struct {
    uint8_t bytes[5], size;
    enum device_failure failure;
  } answers[] = {{{0x20, 3, 0, 0x87, 0}, 5, DEVICE_FAIL_MQTT_REFUSED_AUTH},
                 {{0x20, 3, 0, 0x84, 0}, 5, DEVICE_FAIL_MQTT_REFUSED_VERSION},
                 {{0x20, 3, 0, 0x9d, 0}, 5, DEVICE_FAIL_MQTT_REFUSED_MOVED},
                 {{0x20, 2, 0, 0x86}, 4, DEVICE_FAIL_MQTT_REFUSED_AUTH},
                 {{0x20, 3, 0, 0xff, 0}, 5, DEVICE_FAIL_MQTT_REFUSED_OTHER}};
  struct peer peer = proper(*state);
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct peer refusing = peer;
    memcpy(refusing.connack, answers[i].bytes, answers[i].size);
    refusing.connack_size = answers[i].size;
    expect(*state, &refusing, answers[i].failure, true, device_failure_name(answers[i].failure));
  }
}

static void connects_where_everything_is_granted(void **state)
{
  struct peer peer = proper(*state);
  struct office_failure failure;
  assert_int_equal(first_word(*state, &peer, &failure), OFFICE_CONNECTED);
}

static bool has_ipv6(void)
{
  const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  bool has = fd >= 0 && bind(fd, (const struct sockaddr *) &address, sizeof address) == 0;
  if (fd >= 0) close(fd);
  return has;
}

static void an_ipv6_address_is_a_host_like_any_other(void **state)
{
  struct peer peer = proper(*state), wrong = peer;
  struct office_failure failure;
  if (!has_ipv6()) skip();
  peer.ipv6 = wrong.ipv6 = true;
  assert_int_equal(first_word(*state, &wrong, &failure), OFFICE_FAILED);
  assert_int_equal(failure.failure, DEVICE_FAIL_TLS_NAME_MISMATCH);
  serve(*state, &(struct pki_chain){.root = "A", .host = "::1"});
  if (first_word(*state, &peer, &failure) != OFFICE_CONNECTED) fail_msg("%s", failure.text);
}

static void no_suback_is_taken_for_more_than_it_says(void **state)
{
  static const uint8_t many[] = {1, 1, 1, 1, 1, 1, 1, 1}, refused[] = {0x80}, odd[] = {3},
                       mixed[] = {0, 0x80}, v5[] = {0x87}, zeros[] = {0, 0};
  struct peer peer = proper(*state);
  const struct {
    const uint8_t *codes;
    size_t count;
    bool final;
    const char *words;
  } rows[] = {{refused, 1, true, "(SUBACK 0x80): let the operator's CN read private/#"},
              {v5, 1, true, "(SUBACK 0x87)"},
              {odd, 1, true, "breaks MQTT"},
              {many, 4, true, "breaks MQTT"},
              {many, 8, true, "breaks MQTT"},
              {mixed, 2, true, "breaks MQTT"},
              {zeros, 2, true, "breaks MQTT"},
              {many, 0, false, "ended the connection at its subscriptions"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct peer saying = peer;
    saying.codes = rows[i].codes;
    saying.code_count = rows[i].count;
    is_refused(*state, &saying, rows[i].final, rows[i].words);
  }
}

static void a_broker_that_ends_or_forgets_a_subscription_is_told(void **state)
{
  struct peer cutting = proper(*state), silent = cutting;
  cutting.manner = PEER_CUTS_SUBSCRIBE;
  is_refused(*state, &cutting, false, "ended the connection at its subscriptions");
  silent.codes = NULL;
  is_refused(*state, &silent, false, "does not answer its subscriptions");
}

static void says_at_once_why_it_is_not_let_in(void **state)
{
  struct desk *desk = *state;
  struct peer unknown = proper(desk), refusing = unknown, ending = unknown,
              plain = {.manner = PEER_PLAIN};
  unknown.client_ca = desk->main_crt;
  is_refused(desk, &unknown, true, "connect.tls.refused_unknown_ca: ");
  memcpy(refusing.connack, (uint8_t[]){0x20, 2, 0, 5}, 4);
  refusing.connack_size = 4;
  is_refused(desk, &refusing, true, "connect.mqtt.refused_not_authorised: ");
  is_refused(desk, &plain, true, "connect.tls.not_tls: ");
  /* it may change its mind */
  ending.manner = PEER_CUTS_CONNECT;
  is_refused(desk, &ending, false, "connect.tls.closed_after_handshake: ");
}

/* It takes connections and ends them as long as nobody is behind it. */
static void a_proxy_may_get_its_broker_later(void **state)
{
  struct peer peer = proper(*state);
  struct office_event event = {.kind = OFFICE_MESSAGE};
  struct office_failure failure;
  enum peer_manner let_in = peer.manner;
  peer.manner = PEER_CUTS_HELLO;
  peer_start(&peer);
  struct office *op = start(*state, &peer);
  unsigned failed = 0;
  for (int i = 0; i < 3000 && event.kind != OFFICE_CONNECTED; i++) {
    if (!office_collect(op, &event)) {
      rig_pause_ms(10);
      continue;
    }
    if (event.kind != OFFICE_FAILED) continue;
    office_failure(op, &failure);
    assert_false(failure.final);
    if (++failed == 5) peer.manner = let_in;
  }
  assert_int_equal(event.kind, OFFICE_CONNECTED);
  assert_non_null(strstr(failure.text, "is the broker behind it up?"));
  atomic_store(&peer.stopping, true);
  office_stop(op);
  peer_stop(&peer);
}

/* This peer takes nothing but CONNECT and SUBSCRIBE. */
static void a_message_at_which_a_broker_always_ends_is_told_with_its_size(void **state)
{
  static const uint8_t message[100];
  struct peer peer = proper(*state);
  struct office_event event = {.kind = OFFICE_CONNECTED};
  struct error error;
  peer_start(&peer);
  struct office *op = start(*state, &peer);
  assert_int_equal(office_push(op, 0, "trust", message, sizeof message, &error), 0);
  unsigned lost = 0;
  for (int i = 0; i < 1500 && strstr(event.text, "at a message of") == NULL; i++) {
    if (office_collect(op, &event))
      lost += event.kind == OFFICE_LOST;
    else
      rig_pause_ms(10);
  }
  assert_string_equal(event.text, "the broker ended the operator's connection 3 times in a row at "
                                  "a message of 100 bytes: let its packets be larger");
  assert_int_equal(lost, 3);
  atomic_store(&peer.stopping, true);
  office_stop(op);
  peer_stop(&peer);
}

static void nothing_goes_to_the_proxy_of_the_environment(void **state)
{
  struct peer peer = proper(*state), proxy = {.manner = PEER_HTTP};
  struct office_failure failure;
  char url[64];
  peer_start(&proxy);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy.port);
  setenv("https_proxy", url, 1);
  setenv("http_proxy", url, 1);
  environment_begin();
  assert_int_equal(first_word(*state, &peer, &failure), OFFICE_CONNECTED);
  peer_stop(&proxy);
  assert_int_equal(atomic_load(&proxy.connections), 0);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
#define T(name) cmocka_unit_test_setup_teardown(name, desk_up, desk_down)
  const struct CMUnitTest tests[] = {
      T(a_broker_that_lets_it_in_has_no_failure),
      T(names_what_is_wrong_with_the_brokers_chain),
      T(a_refused_certificate_is_named_by_its_alert),
      T(what_is_no_tls_is_known_by_what_it_answers),
      T(a_connack_is_named_by_its_code),
      T(an_answer_that_is_no_connack_is_one_by_its_bytes),
      T(an_end_after_the_handshake_has_the_name_that_devices_have_for_it),
      T(a_refusal_in_the_form_of_mqtt_5_is_named_by_its_reason),
      T(silence_and_absence_have_their_names),
      T(a_file_that_cannot_be_used_is_named),
      T(connects_where_everything_is_granted),
      T(an_ipv6_address_is_a_host_like_any_other),
      T(no_suback_is_taken_for_more_than_it_says),
      T(a_broker_that_ends_or_forgets_a_subscription_is_told),
      T(says_at_once_why_it_is_not_let_in),
      T(a_proxy_may_get_its_broker_later),
      T(a_message_at_which_a_broker_always_ends_is_told_with_its_size),
      T(nothing_goes_to_the_proxy_of_the_environment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every client that is here, through include/fleetsim/device.h: the built-in one with TLS 1.2 and
 * 1.3, MQTT 3.1.1 and 5, against OpenSSL in memory, and two small ones. */
#define _GNU_SOURCE /* memmem, nftw */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "conformance.h"
#include "fleetsim/nvm.h"
#include "pki/nvm_order.h"
#include "pki/pki.h"
#include "small.h"

#define OK(call)                                           \
  do {                                                     \
    struct error error = {0};                              \
    struct error *why = &error;                            \
    if ((call) != 0) fail_msg("%s: %s", #call, why->text); \
  } while (0)

/* --- A broker behind TLS, in memory ----------------------------------------------------------- */

enum mqtt { MQTT_CONNECT = 1, MQTT_PUBLISH = 3, MQTT_SUBSCRIBE = 8, MQTT_PINGREQ = 12 };

struct broker {
  SSL_CTX *tls;
  uint8_t mqtt; /* version */
};

struct link {
  const struct broker *broker;
  SSL *ssl;
  uint8_t in[4096]; /* decrypted */
  size_t in_size;
  uint8_t all[4096]; /* the first that was said on this link */
  size_t all_size;
};

static void *broker_open(void *ctx)
{
  struct link *link = calloc(1, sizeof *link);
  assert_non_null(link);
  link->broker = ctx;
  link->ssl = SSL_new(link->broker->tls);
  SSL_set_bio(link->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(link->ssl);
  return link;
}

static bool broker_heard(void *ctx, const char *text)
{
  const struct link *link = ctx;
  uint8_t wire[2 + 256]; /* as MQTT has its strings */
  size_t size = strlen(text);
  wire[0] = 0;
  wire[1] = (uint8_t) size;
  memcpy(wire + 2, text, size);
  return memmem(link->all, link->all_size, wire, size + 2) != NULL;
}

static void broker_close(void *ctx)
{
  struct link *link = ctx;
  SSL_free(link->ssl);
  free(link);
}

static void say(struct link *link, const uint8_t *packet, int size)
{
  assert_int_equal(SSL_write(link->ssl, packet, size), size);
}

/* Everything is granted. */
static void on_packet(struct link *link, const uint8_t *body)
{
  bool five = link->broker->mqtt == 5;
  switch (link->in[0] >> 4) {
  case MQTT_CONNECT:
    say(link, five ? (const uint8_t[]){0x20, 3, 0, 0, 0} : (const uint8_t[]){0x20, 2, 0, 0},
        five ? 5 : 4);
    break;
  case MQTT_SUBSCRIBE:
    say(link,
        five ? (const uint8_t[]){0x90, 5, body[0], body[1], 0, 1, 1}
             : (const uint8_t[]){0x90, 4, body[0], body[1], 1, 1},
        five ? 7 : 6);
    break;
  case MQTT_PUBLISH: {
    size_t topic = (size_t) (body[0] << 8 | body[1]);
    if ((link->in[0] & 6) != 0)
      say(link, (const uint8_t[]){0x40, 2, body[2 + topic], body[3 + topic]}, 4);
    break;
  }
  case MQTT_PINGREQ: say(link, (const uint8_t[]){0xd0, 0}, 2); break;
  default: break;
  }
}

/* The size of the first packet and where its body begins; 0: not whole yet. */
static size_t first_packet(const struct link *link, size_t *body)
{
  size_t length = 0, at = 1;
  for (unsigned shift = 0; at < link->in_size && shift <= 21; shift += 7) {
    length |= (size_t) (link->in[at] & 127) << shift;
    if ((link->in[at++] & 128) == 0) {
      *body = at;
      return at + length <= link->in_size ? at + length : 0;
    }
  }
  return 0;
}

static void take_packets(struct link *link)
{
  size_t body = 0, size;
  while ((size = first_packet(link, &body)) > 0) {
    on_packet(link, link->in + body);
    memmove(link->in, link->in + size, link->in_size - size);
    link->in_size -= size;
  }
}

static size_t broker_talk(void *ctx, const uint8_t *in, size_t size, uint8_t *out, size_t capacity)
{
  struct link *link = ctx;
  int n;
  (void) BIO_write(SSL_get_rbio(link->ssl), in, (int) size);
  if (!SSL_is_init_finished(link->ssl)) (void) SSL_accept(link->ssl);
  while (SSL_is_init_finished(link->ssl) &&
         (n = SSL_read(link->ssl, link->in + link->in_size,
                       (int) (sizeof link->in - link->in_size))) > 0) {
    size_t kept = sizeof link->all - link->all_size;
    if (kept > (size_t) n) kept = (size_t) n;
    memcpy(link->all + link->all_size, link->in + link->in_size, kept);
    link->all_size += kept;
    link->in_size += (size_t) n;
    take_packets(link);
  }
  n = BIO_read(SSL_get_wbio(link->ssl), out, (int) capacity);
  return n > 0 ? (size_t) n : 0;
}

/* --- Certificates, once ----------------------------------------------------------------------- */

static char base[128], certificate[192], key[192], clients[192];
static uint8_t page[DEVICE_NVM_PAGE_SIZE];

static int make_certificates(void **state)
{
  struct pki_roots roots = {.count = 2, .name = {"A", "spare"}};
  struct pki_chain chain = {.root = "A", .host = "broker.test"};
  struct pki *pki;
  struct chain_prints written;
  char fleet[192];
  (void) state;
  strcpy(base, "/tmp/fleet-test-XXXXXX");
  assert_non_null(mkdtemp(base));
  snprintf(fleet, sizeof fleet, "%s/fleet", base);
  snprintf(certificate, sizeof certificate, "%s/main.crt", base);
  snprintf(key, sizeof key, "%s/main.key", base);
  snprintf(clients, sizeof clients, "%s/clients.crt", base);
  OK(pki_create(fleet, &roots, &pki, why));
  OK(pki_add_devices(pki, 1, "A", &roots, why));
  OK(pki_write_broker_chain(pki, &chain, certificate, key, &written, why));
  OK(pki_write_client_ca(pki, &roots, clients, why));
  nvm_order_device(pki_device_page(pki, 0), page);
  pki_close(pki);
  return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void) status, (void) type, (void) walk;
  return remove(path);
}

static int remove_certificates(void **state)
{
  (void) state;
  return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- Clients ---------------------------------------------------------------------------------- */

static const struct device_endpoint endpoints[] = {{"broker.test"}, {"broker.test"}};

static void run_builtin(uint8_t tls, uint8_t mqtt, enum device_resume resume, bool borrows)
{
  const struct device_profile profile = {
      .name = "builtin",
      .tls_min = tls,
      .tls_max = tls,
      .mqtt_version = mqtt,
      .resume = resume,
      .keep_alive_s = 30,
      .tcp_timeout_ms = 1000,
      .handshake_timeout_ms = 2000,
      .connack_timeout_ms = 3000,
      .ack_timeout_ms = 4000,
      .byte_budget = 65536,
      .borrows = borrows,
  };
  struct broker broker = {.tls = SSL_CTX_new(TLS_server_method()), .mqtt = mqtt};
  assert_non_null(broker.tls);
  SSL_CTX_set_session_id_context(broker.tls, (const unsigned char *) "b", 1);
  assert_int_equal(SSL_CTX_use_certificate_chain_file(broker.tls, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(broker.tls, key, SSL_FILETYPE_PEM), 1);
  assert_int_equal(SSL_CTX_load_verify_locations(broker.tls, clients, NULL), 1);
  SSL_CTX_set_verify(broker.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  conformance_run(
      &(struct conformance){.ops = &device_builtin,
                            .profile = &profile,
                            .endpoints = endpoints,
                            .endpoint_count = 2,
                            .page = page,
                            .page_size = sizeof page,
                            .unix_s = (int64_t) time(NULL),
                            .peer = {broker_open, broker_talk, broker_close, broker_heard},
                            .ctx = &broker});
  SSL_CTX_free(broker.tls);
}

static void the_builtin_client_conforms_with_tls_13_and_mqtt_5(void **state)
{
  (void) state;
  run_builtin(13, 5, DEVICE_RESUME_NO, false);
}

static void the_builtin_client_conforms_with_tls_12_and_mqtt_311(void **state)
{
  (void) state;
  run_builtin(12, 4, DEVICE_RESUME_NO, false);
}

static void the_builtin_client_conforms_where_it_borrows_what_it_needs(void **state)
{
  (void) state;
  run_builtin(13, 5, DEVICE_RESUME_RAM, true);
  run_builtin(12, 4, DEVICE_RESUME_NO, true);
}

static void the_builtin_client_conforms_with_tickets_in_its_memory(void **state)
{
  (void) state;
  run_builtin(13, 5, DEVICE_RESUME_NVM, false);
}

/* Who says hello is welcome. */
static size_t greet(void *link, const uint8_t *in, size_t size, uint8_t *out, size_t capacity)
{
  static const char answer[] = "welcome\n";
  size_t n = 0;
  (void) link;
  for (size_t i = 0; i < size && n + sizeof answer <= capacity; i++) {
    if (in[i] != '\n') continue;
    memcpy(out + n, answer, sizeof answer - 1);
    n += sizeof answer - 1;
  }
  return n;
}

static void *greeter_open(void *ctx)
{
  return ctx;
}

static void greeter_close(void *link)
{
  (void) link;
}

static void run_small(const struct device_ops *ops, bool restarts, bool fetches)
{
  static const struct device_profile profile = {.name = "small"};
  static const uint8_t blank[SMALL_PAGE];
  static uint8_t link;
  conformance_run(&(struct conformance){.ops = ops,
                                        .profile = &profile,
                                        .endpoints = endpoints,
                                        .endpoint_count = 2,
                                        .page = blank,
                                        .page_size = sizeof blank,
                                        .peer = {greeter_open, greet, greeter_close, NULL},
                                        .ctx = &link,
                                        .restarts = restarts,
                                        .fetches = fetches});
}

static void a_client_with_a_watchdog_conforms(void **state)
{
  (void) state;
  run_small(&small_watchdog, true, false);
}

static void a_client_that_fetches_conforms(void **state)
{
  (void) state;
  run_small(&small_fetcher, false, true);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_client_with_a_watchdog_conforms),
      cmocka_unit_test(a_client_that_fetches_conforms),
      cmocka_unit_test(the_builtin_client_conforms_with_tls_13_and_mqtt_5),
      cmocka_unit_test(the_builtin_client_conforms_with_tls_12_and_mqtt_311),
      cmocka_unit_test(the_builtin_client_conforms_where_it_borrows_what_it_needs),
      cmocka_unit_test(the_builtin_client_conforms_with_tickets_in_its_memory),
  };
  return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

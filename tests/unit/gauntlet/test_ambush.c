/* A hostile server under a fleet's own root: what it shows is right but for the lie, who is believed to
 * be whom, and what it makes of a client that believes, refuses, or only looks in. Real sockets, and
 * OpenSSL as the client. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ftw.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "gauntlet/ambush.h"
#include "gauntlet/cases.h"
#include "pki/pki.h"
#include "pki/root_pair.h"

#define HOST "broker.example"

static struct {
  char base[64], folder[96];
  struct cases *cases;
  struct pki *pki;
  X509 *root;
  uv_loop_t loop;
} site;

/* --- Making and ending it --------------------------------------------------------------------- */

static int drop_file(const char *path, const struct stat *status, int type, struct FTW *at)
{
  (void) status, (void) type, (void) at;
  return remove(path);
}

static int build(void **state)
{
  const struct pki_roots roots = {.count = 2, .name = {"A", "spare"}};
  struct error error = {0};
  char why[200];
  EVP_PKEY *key;
  (void) state;
  signal(SIGPIPE, SIG_IGN); /* whom it turns away writes on */
  snprintf(site.base, sizeof site.base, "/tmp/fleetsim-ambush-XXXXXX");
  assert_non_null(mkdtemp(site.base));
  snprintf(site.folder, sizeof site.folder, "%s/fleet", site.base);
  site.cases = cases_load(FLEETSIM_SOURCE_DIR "/certs/chains.txt", why, sizeof why);
  if (site.cases == NULL ||
      cases_add(site.cases, FLEETSIM_SOURCE_DIR "/certs/manners.txt", why, sizeof why) != 0)
    fail_msg("%s", why);
  if (pki_create(site.folder, &roots, &site.pki, &error) != 0 ||
      pki_root_pair(site.pki, "A", &site.root, &key, &error) != 0)
    fail_msg("%s", error.text);
  assert_non_null(key);
  EVP_PKEY_free(key);
  return uv_loop_init(&site.loop);
}

static int clear(void **state)
{
  (void) state;
  uv_run(&site.loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&site.loop), 0);
  X509_free(site.root);
  pki_close(site.pki);
  cases_free(site.cases);
  return nftw(site.base, drop_file, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- A client --------------------------------------------------------------------------------- */

enum manner { LOOKS, BELIEVES, LEAVES_AT_ONCE };

struct client {
  struct sockaddr_storage to, from;
  enum manner manner;
  long verdict;  /* X509_V_*; -1: it shook no hands */
  bool answered; /* its CONNECT was */
  bool saw_root; /* the chain ends at one who has the root's name */
};

static int dial(const struct client *client)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (const void *) &client->from, sizeof(struct sockaddr_in)), 0);
  assert_int_equal(connect(fd, (const void *) &client->to, sizeof(struct sockaddr_in)), 0);
  return fd;
}

static void shake_hands(struct client *client, int fd)
{
  static const char hello[] = "\x10\x0e\0\4MQTT\4\2\0\x3c\0\2hi";
  char byte;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), site.root);
  if (client->manner == LOOKS) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  SSL_set1_host(ssl, HOST);
  bool shaken = SSL_connect(ssl) == 1;
  client->verdict = SSL_get_verify_result(ssl);
  STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
  X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
  client->saw_root = last != NULL && X509_NAME_cmp(X509_get_issuer_name(last),
                                                   X509_get_subject_name(site.root)) == 0;
  if (shaken && client->manner == BELIEVES) {
    assert_int_equal(SSL_write(ssl, hello, sizeof hello - 1), sizeof hello - 1);
    client->answered = SSL_read(ssl, &byte, 1) > 0; /* until it goes */
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
}

static void *run_client(void *ctx)
{
  struct client *client = ctx;
  int fd = dial(client);
  if (client->manner != LEAVES_AT_ONCE) shake_hands(client, fd);
  close(fd);
  return NULL;
}

/* --- A visit ---------------------------------------------------------------------------------- */

struct seen {
  unsigned count;
  size_t guest;
  enum ambush_result result;
  char why[200];
};

static void on_outcome(void *ctx, const struct ambush_outcome *outcome)
{
  struct seen *seen = ctx;
  seen->count++;
  seen->guest = outcome->guest;
  seen->result = outcome->result;
  snprintf(seen->why, sizeof seen->why, "%s", outcome->why);
}

static struct ambush_setting setting_of(const char *id, struct seen *seen)
{
  struct ambush_setting setting = {.loop = &site.loop,
                                   .cases = site.cases,
                                   .c = cases_find(site.cases, id),
                                   .pki = site.pki,
                                   .root = "A",
                                   .host = HOST,
                                   .now_unix_s = time(NULL),
                                   .tls = 13,
                                   .first_guest = 300,
                                   .guests = 4,
                                   .outcome = on_outcome,
                                   .ctx = seen};
  assert_non_null(setting.c);
  return setting;
}

static void turn_for(unsigned ms)
{
  uint64_t until = uv_hrtime() + ms * UINT64_C(1000000);
  while (uv_hrtime() < until) {
    uv_run(&site.loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
}

/* Guest 2 comes in that manner, for at most 300 ms; or, `from` elsewhere, nobody that is known. */
static struct client visit_as(const char *id, enum manner manner, uint32_t from, struct seen *seen)
{
  struct ambush *ambush;
  struct error error = {0};
  pthread_t thread;
  struct client client = {.manner = manner, .verdict = -1};
  *seen = (struct seen){0};
  const struct ambush_setting setting = setting_of(id, seen);
  if (ambush_open(&setting, &ambush, &error) != 0) fail_msg("%s", error.text);
  ambush_address(ambush, 2, &client.to, &client.from);
  if (from != 0) ((struct sockaddr_in *) &client.from)->sin_addr.s_addr = htonl(from);
  assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
  turn_for(300);
  ambush_close(ambush);
  turn_for(30);
  assert_int_equal(pthread_join(thread, NULL), 0);
  return client;
}

static void holds_result(const struct seen *seen, enum ambush_result result, const char *why)
{
  if (seen->count != 1 || seen->guest != 2 || seen->result != result ||
      strstr(seen->why, why) == NULL)
    fail_msg("%u outcomes, of guest %zu: %d '%s'; expected one of guest 2: %d '%s'", seen->count,
             seen->guest, seen->result, seen->why, result, why);
}

static void but_for_the_lie_all_is_right(void **state)
{
  static const struct {
    const char *id;
    long verdict;
  } shown[] = {{"leaf-expired", X509_V_ERR_CERT_HAS_EXPIRED},
               {"another-brokers-name", X509_V_ERR_HOSTNAME_MISMATCH},
               {"device-certificate-used-as-a-broker", X509_V_ERR_INVALID_PURPOSE},
               {"leaf-with-a-damaged-signature", X509_V_ERR_CERT_SIGNATURE_FAILURE},
               {"impostor-root-of-the-same-name", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN}};
  struct seen seen;
  (void) state;
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    struct client client = visit_as(shown[i].id, LOOKS, 0, &seen);
    if (client.verdict != shown[i].verdict)
      fail_msg("%s: OpenSSL says '%s', expected '%s'", shown[i].id,
               X509_verify_cert_error_string(client.verdict),
               X509_verify_cert_error_string(shown[i].verdict));
    if (!client.saw_root) fail_msg("%s: the chain is of a root of another name", shown[i].id);
    holds_result(&seen, AMBUSH_REFUSED, "it refused with alert");
  }
}

static void who_gives_it_his_connect_believes_and_is_not_answered(void **state)
{
  struct seen seen;
  (void) state;
  struct client client = visit_as("leaf-expired", BELIEVES, 0, &seen);
  holds_result(&seen, AMBUSH_BELIEVED, "it gave its CONNECT and 0 messages");
  assert_false(client.answered);
}

static void who_only_looks_in_has_shown_nothing(void **state)
{
  struct seen seen;
  (void) state;
  (void) visit_as("leaf-expired", LEAVES_AT_ONCE, 0, &seen);
  holds_result(&seen, AMBUSH_UNCLEAR, "");
}

static void who_was_not_led_there_is_turned_away(void **state)
{
  struct seen seen;
  (void) state;
  const uint32_t others[] = {INADDR_LOOPBACK, 0x7f4d0001 + 299, 0x7f4d0001 + 304};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct client client = visit_as("leaf-expired", BELIEVES, others[i], &seen);
    assert_int_equal(seen.count, 0);
    assert_false(client.saw_root);
  }
}

static void of_a_root_without_its_key_strangers_alone_can_be_shown(void **state)
{
  static const struct {
    const char *id;
    bool shown;
  } cases[] = {{"self-signed-leaf", true}, {"unknown-ca", true}, {"leaf-expired", false}};
  char path[160];
  struct error error = {0};
  struct pki *all = site.pki;
  (void) state;
  snprintf(path, sizeof path, "%s/ca/A.crt", site.folder);
  const struct pki_foreign foreign = {.name = "A", .path = path};
  char folder[96];
  snprintf(folder, sizeof folder, "%s/theirs", site.base);
  if (pki_create_foreign(folder, &foreign, 1, &site.pki, NULL, NULL, &error) != 0)
    fail_msg("%s", error.text);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct ambush_setting setting = setting_of(cases[i].id, NULL);
    bool shown = ambush_try(&setting, &error) == 0;
    if (shown != cases[i].shown) fail_msg("%s can%s be shown", cases[i].id, shown ? "" : "not");
  }
  assert_non_null(strstr(error.text, "there is no key of that root here"));
  pki_close(site.pki);
  site.pki = all;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(but_for_the_lie_all_is_right),
      cmocka_unit_test(who_gives_it_his_connect_believes_and_is_not_answered),
      cmocka_unit_test(who_only_looks_in_has_shown_nothing),
      cmocka_unit_test(who_was_not_led_there_is_turned_away),
      cmocka_unit_test(of_a_root_without_its_key_strangers_alone_can_be_shown),
  };
  return cmocka_run_group_tests(tests, build, clear);
}

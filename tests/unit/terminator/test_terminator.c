/* The terminator before a real mosquitto, seen by clients with real certificates. */
#define _GNU_SOURCE
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/files.h"
#include "pki/crl.h"
#include "pki/pki.h"
#include "terminator/terminator.h"

enum {
  DEVICES = 3,
  PATIENCE_MS = 10000,
  HANDSHAKE_MS = 400,
  CONNECT_MS = 400,
  ALERT_REVOKED = 44,
  ALERT_NO_CERT = 116
};

static const struct pki_roots roots = {2, {"A", "spare"}};
static char folder[200], fleet_folder[256], broker_folder[256], mosquitto[128];
static struct pki *pki;
static pid_t child;
static uint16_t port;

static void at(const char *in, const char *name, char out[400])
{
  snprintf(out, 400, "%s/%s", in, name);
}

static void require(int status, const struct error *error)
{
  if (status != 0) fail_msg("%s", error->text);
}

static void pause_ms(long ms)
{
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static uint64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* --- The world -------------------------------------------------------------------------------- */

static bool find_program(const char *name, char out[128])
{
  static const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin",
                                        "/usr/local/sbin"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(out, 128, "%s/%s", folders[i], name);
    if (access(out, X_OK) == 0) return true;
  }
  return false;
}

static void publish_crl(void)
{
  char path[400];
  struct error error;
  int64_t now = (int64_t) time(NULL);
  at(broker_folder, "crl.pem", path);
  require(
      pki_write_crls(pki, &roots, &(struct pki_crl_times){now - 1, now + 3600}, 0, path, &error),
      &error);
}

static void write_conf(void)
{
  char path[400], text[700];
  struct error error;
  at(broker_folder, "mosquitto.conf", path);
  int n =
      snprintf(text, sizeof text,
               "user root\nallow_anonymous true\nacl_file %s/acl\nlog_dest file %s/mosquitto.log\n"
               "listener 0 " TERMINATOR_SOCKET "\n",
               broker_folder, broker_folder);
  require(files_write(path, text, (size_t) n, 0600, &error), &error);
  at(broker_folder, "acl", path);
  require(files_write(path, "pattern readwrite private/%u/#\n", 31, 0600, &error), &error);
}

static void write_certificates(void)
{
  static const char *const stems[] = {"main", "prove"};
  char certificate[400], key[400], name[16];
  struct chain_prints written;
  struct error error;
  for (size_t l = 0; l < 2; l++) {
    struct pki_chain chain = {.root = "A", .host = "localhost"};
    snprintf(name, sizeof name, "%s.crt", stems[l]);
    at(broker_folder, name, certificate);
    snprintf(name, sizeof name, "%s.key", stems[l]);
    at(broker_folder, name, key);
    require(pki_write_broker_chain(pki, &chain, certificate, key, &written, &error), &error);
  }
  at(broker_folder, "clients.crt", certificate);
  require(pki_write_client_ca(pki, &(struct pki_roots){1, {"A"}}, certificate, &error), &error);
  for (size_t i = 0; i < DEVICES; i++) {
    snprintf(name, sizeof name, "%zu.crt", i);
    at(folder, name, certificate);
    snprintf(name, sizeof name, "%zu.key", i);
    at(folder, name, key);
    require(pki_write_device(pki, i, certificate, key, &error), &error);
  }
}

static uint16_t free_port(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *) &address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

static int dial(void)
{
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

static void await_listening(void)
{
  for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; pause_ms(20)) {
    int fd = dial();
    if (fd >= 0) {
      close(fd);
      return;
    }
  }
  fail_msg("the terminator does not listen");
}

static void start_terminator(void)
{
  port = free_port();
  struct terminator_config config = {.folder = broker_folder,
                                     .port = {port, free_port()},
                                     .tls_min = 12,
                                     .crl = true,
                                     .operator_name = "operator",
                                     .mosquitto = mosquitto,
                                     .handshake_ms = HANDSHAKE_MS,
                                     .connect_ms = CONNECT_MS};
  child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(terminator_run(&config));
  }
  await_listening();
}

static int set_up(void **state)
{
  (void) state;
  struct error error;
  const char *base = getenv("TMPDIR");
  if (!find_program("mosquitto", mosquitto)) return -1;
  snprintf(folder, sizeof folder, "%s/fleetsim-XXXXXX", base != NULL ? base : P_tmpdir);
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(fleet_folder, sizeof fleet_folder, "%s/fleet", folder);
  snprintf(broker_folder, sizeof broker_folder, "%s/broker", folder);
  signal(SIGPIPE, SIG_IGN);
  require(files_make_folder(broker_folder, 0700, &error), &error);
  require(pki_create(fleet_folder, &roots, &pki, &error), &error);
  require(pki_add_devices(pki, DEVICES, "A", &roots, &error), &error);
  write_conf();
  write_certificates();
  publish_crl();
  start_terminator();
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st, (void) kind, (void) where;
  return remove(path);
}

static int tear_down(void **state)
{
  (void) state;
  if (child > 0) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
  }
  pki_close(pki);
  return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How often terminator.log says this. */
static size_t logged(const char *words)
{
  char path[400];
  uint8_t *data = NULL;
  size_t size = 0, n = 0;
  struct error error;
  at(broker_folder, "terminator.log", path);
  require(files_read(path, 1 << 20, &data, &size, &error), &error);
  for (const char *from = (const char *) data;
       (from = memmem(from, size - (size_t) (from - (const char *) data), words, strlen(words))) !=
       NULL;
       from++)
    n++;
  free(data);
  return n;
}

static void await_logged(const char *words, size_t times)
{
  for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; pause_ms(5))
    if (logged(words) >= times) return;
  fail_msg("terminator.log does not say '%s' %zu times", words, times);
}

static void reload(void)
{
  size_t before = logged("in force") + logged("not reloaded");
  kill(child, SIGHUP);
  for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; pause_ms(5))
    if (logged("in force") + logged("not reloaded") > before) return;
  fail_msg("terminator.log says nothing about the reload");
}

/* --- A client --------------------------------------------------------------------------------- */

struct visit {
  int tls, device; /* device -1: no certificate */
  const char *id;  /* NULL: the device's */
  SSL_SESSION *offer;
  SSL_SESSION *ticket; /* the newest; to be freed */
  bool resumed, connack;
  int alert;
};

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
  struct visit *visit = SSL_get_app_data(ssl);
  SSL_SESSION_free(visit->ticket);
  visit->ticket = session;
  return 1;
}

static SSL_CTX *client_context(const struct visit *visit)
{
  char path[400], name[16];
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, visit->tls == 12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_ticket);
  if (visit->device < 0) return context;
  snprintf(name, sizeof name, "%d.crt", visit->device);
  at(folder, name, path);
  assert_int_equal(SSL_CTX_use_certificate_chain_file(context, path), 1);
  snprintf(name, sizeof name, "%d.key", visit->device);
  at(folder, name, path);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM), 1);
  return context;
}

static void say_connect(SSL *ssl, struct visit *visit)
{
  char id[16] = "";
  uint8_t packet[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0}, answer[4] = {0};
  snprintf(id, sizeof id, "%08x",
           visit->device < 0 ? 0u : pki_device_id(pki, (size_t) visit->device));
  if (visit->id != NULL) snprintf(id, sizeof id, "%s", visit->id);
  packet[1] = (uint8_t) (12 + strlen(id));
  packet[13] = (uint8_t) strlen(id);
  memcpy(packet + 14, id, strlen(id));
  (void) SSL_write(ssl, packet, 2 + packet[1]);
  ERR_clear_error();
  int size = SSL_read(ssl, answer, sizeof answer);
  visit->connack = size == 4 && answer[0] == 0x20 && answer[3] == 0;
}

/* A handshake and CONNECT; what came of it. */
static struct visit visit(struct visit v)
{
  SSL_CTX *context = client_context(&v);
  SSL *ssl = SSL_new(context);
  int fd = dial();
  assert_true(fd >= 0);
  SSL_set_app_data(ssl, &v);
  SSL_set_fd(ssl, fd);
  if (v.offer != NULL) SSL_set_session(ssl, v.offer);
  ERR_clear_error();
  if (SSL_connect(ssl) == 1) {
    v.resumed = SSL_session_reused(ssl) == 1;
    say_connect(ssl, &v);
  }
  int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (!v.connack && reason > SSL_AD_REASON_OFFSET) v.alert = reason - SSL_AD_REASON_OFFSET;
  if (v.connack) SSL_shutdown(ssl);
  SSL_free(ssl);
  SSL_CTX_free(context);
  close(fd);
  return v;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void a_revoked_device_is_refused_with_44_and_let_in_with_its_ticket(void **state)
{
  (void) state;
  struct error error;
  for (int tls = 12; tls <= 13; tls++) {
    struct visit before = visit((struct visit){.tls = tls, .device = 0});
    assert_true(before.connack && !before.resumed);
    assert_non_null(before.ticket);
    require(pki_revoke_device(pki, 0, true, PKI_REASON_KEY_COMPROMISE, NULL, &error), &error);
    publish_crl();
    reload();
    struct visit full = visit((struct visit){.tls = tls, .device = 0});
    assert_false(full.connack);
    assert_int_equal(full.alert, ALERT_REVOKED);
    struct visit resumed = visit((struct visit){.tls = tls, .device = 0, .offer = before.ticket});
    assert_true(resumed.resumed && resumed.connack); /* the hole */
    struct visit other = visit((struct visit){.tls = tls, .device = 1});
    assert_true(other.connack);
    require(pki_unrevoke_device(pki, 0, NULL, &error), &error);
    publish_crl();
    reload();
    struct visit again = visit((struct visit){.tls = tls, .device = 0});
    assert_true(again.connack);
    SSL_SESSION_free(before.ticket);
    SSL_SESSION_free(full.ticket);
    SSL_SESSION_free(resumed.ticket);
    SSL_SESSION_free(other.ticket);
    SSL_SESSION_free(again.ticket);
  }
  await_logged("refused: certificate revoked", 2);
}

static void a_client_is_whom_its_certificate_names(void **state)
{
  (void) state;
  struct visit nobody = visit((struct visit){.tls = 13, .device = -1});
  assert_false(nobody.connack);
  assert_int_equal(nobody.alert, ALERT_NO_CERT);
  size_t before = logged("its client id is not its certificate's");
  char victim[16];
  snprintf(victim, sizeof victim, "%08x", pki_device_id(pki, 2));
  struct visit thief = visit((struct visit){.tls = 13, .device = 1, .id = victim});
  assert_false(thief.connack);
  await_logged("its client id is not its certificate's", before + 1);
  SSL_SESSION_free(thief.ticket);
}

static void files_that_cannot_be_read_leave_the_old_in_force(void **state)
{
  (void) state;
  char path[400];
  struct error error;
  static const char *const broken[] = {"", "no CRL\n",
                                       "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"};
  at(broker_folder, "crl.pem", path);
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    size_t before = logged("not reloaded: crl.pem cannot be used");
    require(files_write(path, broken[i], strlen(broken[i]), 0644, &error), &error);
    reload();
    assert_int_equal(logged("not reloaded: crl.pem cannot be used"), before + 1);
    struct visit device = visit((struct visit){.tls = 13, .device = 1});
    assert_true(device.connack);
    SSL_SESSION_free(device.ticket);
  }
  publish_crl();
  reload();
}

/* From the first byte or before it, and one byte at a time: the deadline does not move. */
static void a_client_that_takes_its_time_is_closed(void **state)
{
  (void) state;
  for (int trickles = 0; trickles < 2; trickles++) {
    uint8_t byte = 0x16;
    uint64_t began = now_ms();
    int fd = dial();
    const struct timeval step = {.tv_usec = trickles ? 50000 : 0,
                                 .tv_sec = trickles ? 0 : PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step);
    ssize_t got = -1;
    while (got < 0 && now_ms() - began < PATIENCE_MS) {
      if (trickles && send(fd, &byte, 1, MSG_NOSIGNAL) < 0) break;
      byte = 3;
      got = recv(fd, &(char){0}, 1, 0);
    }
    uint64_t took = now_ms() - began;
    close(fd);
    if (took < HANDSHAKE_MS - 50 || took > HANDSHAKE_MS + 1000)
      fail_msg("closed after %d ms", (int) took);
  }
}

static void a_client_that_says_nothing_after_its_handshake_is_closed(void **state)
{
  (void) state;
  struct visit v = {.tls = 13, .device = 1};
  SSL_CTX *context = client_context(&v);
  SSL *ssl = SSL_new(context);
  int fd = dial();
  SSL_set_app_data(ssl, &v);
  SSL_set_fd(ssl, fd);
  assert_int_equal(SSL_connect(ssl), 1);
  uint64_t began = now_ms();
  char byte;
  assert_int_not_equal(SSL_read(ssl, &byte, 1), 1);
  uint64_t took = now_ms() - began;
  if (took < CONNECT_MS - 50 || took > CONNECT_MS + 1000)
    fail_msg("closed after %d ms", (int) took);
  SSL_free(ssl);
  SSL_CTX_free(context);
  SSL_SESSION_free(v.ticket);
  close(fd);
}

static void what_is_no_tls_gets_an_end_and_the_next_one_is_served(void **state)
{
  (void) state;
  uint8_t noise[4000];
  for (unsigned round = 0; round < 30; round++) {
    srandom(round);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t) random();
    if (round % 2 == 0) memcpy(noise, "\x16\x03\x01", 3);
    int fd = dial();
    (void) send(fd, noise, sizeof noise, MSG_NOSIGNAL);
    while (recv(fd, noise, sizeof noise, 0) > 0) continue;
    close(fd);
  }
  struct visit device = visit((struct visit){.tls = 13, .device = 1});
  assert_true(device.connack);
  SSL_SESSION_free(device.ticket);
}

static pid_t child_of(pid_t parent)
{
  char path[64], text[32] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int) parent, (int) parent);
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  if (fgets(text, sizeof text, file) == NULL) text[0] = '\0';
  fclose(file);
  return (pid_t) strtol(text, NULL, 10);
}

static void whatever_ends_it_mosquitto_ends_with_it(void **state)
{
  (void) state;
  static const int signals[] = {SIGKILL, SIGTERM};
  for (size_t i = 0; i < 2; i++) {
    int status = 0;
    pid_t broker = child_of(child);
    assert_true(broker > 0);
    kill(child, signals[i]);
    assert_int_equal(waitpid(child, &status, 0), child);
    for (uint64_t end = now_ms() + PATIENCE_MS; kill(broker, 0) == 0 && now_ms() < end;)
      pause_ms(10);
    assert_int_not_equal(kill(broker, 0), 0);
    if (signals[i] == SIGTERM) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    start_terminator();
  }
  pid_t broker = child_of(child);
  int status = 0;
  kill(broker, SIGKILL);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
  start_terminator();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_revoked_device_is_refused_with_44_and_let_in_with_its_ticket),
      cmocka_unit_test(a_client_is_whom_its_certificate_names),
      cmocka_unit_test(files_that_cannot_be_read_leave_the_old_in_force),
      cmocka_unit_test(a_client_that_takes_its_time_is_closed),
      cmocka_unit_test(a_client_that_says_nothing_after_its_handshake_is_closed),
      cmocka_unit_test(what_is_no_tls_gets_an_end_and_the_next_one_is_served),
      cmocka_unit_test(whatever_ends_it_mosquitto_ends_with_it),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}

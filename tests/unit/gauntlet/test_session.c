/* Real devices before a listener, as threads: several at once, two connections each, one of which says
 * nothing. Each gets the results of its own behaviour and of nobody else's, and nothing is left open. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gauntlet/session.h"
#include "relay/listener.h"
#include "rig.h"

static const char text[] =
    "defaults\n cert root: ca=yes ku=keyCertSign,cRLSign\n cert spare: like=root\n"
    " cert stranger: like=root\n"
    " cert leaf: issuer=root ca=no eku=serverAuth ku=digitalSignature san=DNS:broker.test\n"
    " trusts: root spare\n sends: leaf\n host: broker.test\n clock: 2026-06-01\n tls: 1.2 1.3\n "
    "why: w\n"
    " severity: high\n expect: accept\n"
    "case good\n clients: accept\n control: yes\n"
    "case stranger\n clients: refuse\n flaw: trust\n cert leaf: issuer=stranger\n"
    "case other name\n clients: refuse\n flaw: name\n cert leaf: san=DNS:other.test\n"
    "case expired\n clients: refuse\n flaw: time\n cert leaf: to=2025\n"
    "case wrong Finished\n clients: refuse\n flaw: integrity\n wire: tls finished\n"
    "case good again\n clients: accept\n"
    "case not TLS\n clients: refuse\n flaw: integrity\n wire: hello; send \"SSH\\r\\n\"; silence\n"
    "case refused\n clients: refuse\n flaw: mqtt\n mqtt: connect; send 20 02 00 05; polite\n";

enum { TRIALS = 16, HOLD_MS = 3000 };

/* --- Devices ---------------------------------------------------------------------------------- */

enum manner { CAREFUL, TRUSTS_ALL, ANY_NAME, NEVER_SECURE, MANNERS, SCANS = MANNERS };

struct device {
  pthread_t thread;
  enum manner manner;
  uint32_t address; /* that it comes from */
  uint16_t port;
  uint16_t ports;    /* from that on, the last one first; 0: only one */
  const char *roots; /* file */
  const char *id;    /* of its CONNECT, 4 letters; NULL: "unit" */
  unsigned sours;    /* from so many connections on it trusts nobody; 0: never */
  unsigned connections;
};

static atomic_bool over; /* the session is */

static int dial(const struct device *device)
{
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(device->address)},
                     to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  unsigned back = device->ports > 0 ? device->connections / 2 % device->ports + 1u : 0;
  to.sin_port = htons((uint16_t) (device->port + device->ports - back));
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const struct timeval patience = {.tv_sec = 5};
  (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (bind(fd, (struct sockaddr *) &from, sizeof from) == 0 &&
      connect(fd, (struct sockaddr *) &to, sizeof to) == 0)
    return fd;
  close(fd);
  return -1;
}

static SSL_CTX *make_context(const struct device *device)
{
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || SSL_CTX_load_verify_locations(context, device->roots, NULL) != 1) {
    SSL_CTX_free(context);
    return NULL;
  }
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM");
  SSL_CTX_set_verify(context, device->manner == TRUSTS_ALL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                     NULL);
  return context;
}

/* CONNECT, and where the broker is content a message; then it leaves. */
static void talk(SSL *ssl, const char *id)
{
  char connect4[] = "\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04unit";
  static const char publish[] = "\x30\x04\0\x01t!", goodbye[] = "\xe0\0";
  uint8_t answer[16];
  if (id != NULL) memcpy(connect4 + 14, id, 4);
  if (SSL_write(ssl, connect4, sizeof connect4 - 1) <= 0) return;
  int n = SSL_read(ssl, answer, sizeof answer);
  if (n >= 4 && answer[3] == 0) {
    (void) SSL_write(ssl, publish, sizeof publish - 1);
    (void) SSL_write(ssl, goodbye, sizeof goodbye - 1);
  }
  SSL_shutdown(ssl);
}

static void try_once(const struct device *device, SSL_CTX *context)
{
  static const char get[] = "GET / HTTP/1.0\r\n\r\n";
  int fd = dial(device);
  if (fd < 0) return;
  if (device->manner == SCANS) {
    if (device->connections % 4 == 0) (void) send(fd, get, sizeof get - 1, MSG_NOSIGNAL);
    close(fd);
    return;
  }
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  SSL_set_tlsext_host_name(ssl, MINT_HOST);
  if (device->manner != ANY_NAME && device->manner != TRUSTS_ALL) SSL_set1_host(ssl, MINT_HOST);
  if (device->manner == NEVER_SECURE)
    (void) SSL_connect(ssl); /* and leaves */
  else if (SSL_connect(ssl) == 1)
    talk(ssl, device->id);
  SSL_free(ssl);
  close(fd);
}

static void *live(void *ctx)
{
  struct device *device = ctx;
  SSL_CTX *context = make_context(device);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  while (context != NULL && !atomic_load(&over)) {
    int other = dial(device); /* opened at the same time, and never used */
    if (device->sours > 0 && device->connections / 2 == device->sours)
      SSL_CTX_set_cert_store(context, X509_STORE_new());
    try_once(device, context);
    if (other >= 0) close(other);
    device->connections += 2;
    usleep(2000);
  }
  SSL_CTX_free(context);
  return NULL;
}

/* --- Sessions --------------------------------------------------------------------------------- */

struct stage {
  char folder[128], export[160], roots[192];
  struct cases *cases;
  struct gauntlet_options gauntlet;
  struct session_options options;
  struct session_outcome *out;
  uint16_t port;
};

static uint16_t free_port(void)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = listener_bind(&at);
  assert_true(fd >= 0);
  close(fd);
  return ntohs(at.sin_port);
}

static void set_up_stage(struct stage *stage)
{
  const char *tmp = getenv("TMPDIR");
  memset(stage, 0, sizeof *stage);
  snprintf(stage->folder, sizeof stage->folder, "%s/fleetsim-session-XXXXXX",
           tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
  assert_non_null(mkdtemp(stage->folder));
  snprintf(stage->export, sizeof stage->export, "%s/handout", stage->folder);
  snprintf(stage->roots, sizeof stage->roots, "%s/roots.pem", stage->export);
  stage->cases = rig_cases(text);
  stage->port = free_port();
  stage->gauntlet =
      (struct gauntlet_options){.cases = stage->cases, .host = MINT_HOST, .patience_ms = HOLD_MS};
  stage->options = (struct session_options){
      .gauntlet = &stage->gauntlet,
      .address = {.sin_family = AF_INET,
                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                  .sin_port = htons(stage->port)},
      .ports = 1,
      .export = stage->export,
      .absent_ms = 60000,
      .give_up_ms = 20000,
  };
  stage->out = calloc(1, sizeof *stage->out);
  assert_non_null(stage->out);
  atomic_store(&over, false);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void) status, (void) type, (void) walk;
  return remove(path);
}

static void clear_stage(struct stage *stage)
{
  session_free(stage->out);
  free(stage->out);
  cases_free(stage->cases);
  nftw(stage->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Devices begin as soon as the session listens: what they are given is there then. */
struct crowd {
  struct device *device;
  size_t count;
  void (*listening)(void);
};

static void on_line(void *ctx, const char *line)
{
  struct crowd *crowd = ctx;
  if (strncmp(line, "listening", 9) != 0) return;
  for (size_t i = 0; i < crowd->count; i++)
    assert_int_equal(pthread_create(&crowd->device[i].thread, NULL, live, &crowd->device[i]), 0);
  if (crowd->listening != NULL) crowd->listening();
}

static int run_crowd(struct stage *stage, struct crowd *crowd, struct error *error)
{
  stage->options.say = on_line;
  stage->options.ctx = crowd;
  int result = session_run(&stage->options, stage->out, error);
  atomic_store(&over, true);
  for (size_t i = 0; i < crowd->count; i++)
    if (crowd->device[i].thread != 0) pthread_join(crowd->device[i].thread, NULL);
  return result;
}

static const struct guest *guest_of(const struct stage *stage, uint32_t address)
{
  char host[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &(struct in_addr){htonl(address)}, host, sizeof host);
  for (size_t i = 0; i < stage->out->count; i++)
    if (strcmp(stage->out->guest[i].address, host) == 0) return &stage->out->guest[i];
  fail_msg("nobody has come from %s", host);
  return NULL;
}

static bool is_fooled(enum manner manner, const char *id)
{
  bool chain = strcmp(id, "stranger") == 0 || strcmp(id, "expired") == 0;
  bool name = strcmp(id, "other-name") == 0;
  return (manner == TRUSTS_ALL && (chain || name)) || (manner == ANY_NAME && name);
}

static unsigned check_guest(const struct guest *guest, enum manner manner)
{
  unsigned wrong = 0;
  for (size_t i = 0; i < guest->report.count; i++) {
    const struct trial_result *r = &guest->report.result[i];
    enum verdict wanted = is_fooled(manner, r->c->id) ? VERDICT_FAIL : VERDICT_PASS;
    if (manner == NEVER_SECURE) wanted = r->c->control ? VERDICT_FAIL : VERDICT_NOT_SHOWN;
    if (r->verdict == wanted) continue;
    wrong++;
    print_error("%s, %s, TLS 1.%u: %s, not %s: %s\n", guest->address, r->c->id, r->tls - 10u,
                verdict_word(r->verdict), verdict_word(wanted), r->why);
  }
  return wrong;
}

static void each_device_has_the_results_of_its_own_behaviour(void **state)
{
  (void) state;
  enum { DEVICES = 8 };
  struct stage stage;
  struct device device[DEVICES];
  struct crowd crowd = {.device = device, .count = DEVICES};
  struct error error = {0};
  unsigned wrong = 0, connections = 0, seen = 0;
  set_up_stage(&stage);
  for (uint32_t i = 0; i < DEVICES; i++)
    device[i] = (struct device){.manner = (enum manner)(i % MANNERS),
                                .address = INADDR_LOOPBACK + 1 + i,
                                .port = stage.port,
                                .roots = stage.roots};
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(stage.out->count, DEVICES);
  assert_false(stage.out->interrupted);
  assert_int_equal(stage.out->turned_away, 0);
  for (size_t i = 0; i < DEVICES; i++) {
    const struct guest *guest = guest_of(&stage, device[i].address);
    assert_int_equal(guest->report.count, TRIALS);
    assert_true(guest_is_through(guest));
    assert_string_equal(guest->mixed, "");
    assert_int_equal(guest->open, 0);
    wrong += check_guest(guest, device[i].manner);
    connections += device[i].connections;
    for (size_t t = 0; t < TRIALS; t++) seen += guest->report.result[t].seen.connections;
  }
  print_message("%u connections, %u of them in trials\n", connections, seen);
  assert_int_equal(wrong, 0);
  assert_true(seen >= 100);
  clear_stage(&stage);
}

/* From its own address, and from that of a device. */
static void a_port_scanner_is_no_device_and_takes_no_trial_away(void **state)
{
  (void) state;
  struct stage stage;
  struct device device[] = {{.manner = CAREFUL, .address = INADDR_LOOPBACK + 1},
                            {.manner = SCANS, .address = INADDR_LOOPBACK + 1},
                            {.manner = SCANS, .address = INADDR_LOOPBACK + 2}};
  struct crowd crowd = {.device = device, .count = 3};
  struct error error = {0};
  set_up_stage(&stage);
  for (int i = 0; i < 3; i++) {
    device[i].port = stage.port;
    device[i].roots = stage.roots;
  }
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(stage.out->count, 1);
  assert_true(stage.out->silent > 10);
  assert_int_equal(check_guest(guest_of(&stage, device[0].address), CAREFUL), 0);
  assert_true(guest_is_through(guest_of(&stage, device[0].address)));
  clear_stage(&stage);
}

static void scanners_alone_are_nobody(void **state)
{
  (void) state;
  struct stage stage;
  struct device device = {.manner = SCANS, .address = INADDR_LOOPBACK + 2};
  struct crowd crowd = {.device = &device, .count = 1};
  struct error error = {0};
  set_up_stage(&stage);
  device.port = stage.port;
  device.roots = stage.roots;
  stage.options.give_up_ms = 500;
  assert_int_equal(run_crowd(&stage, &crowd, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  if (strstr(error.text, "nobody connected but for ") == NULL) fail_msg("%s", error.text);
  clear_stage(&stage);
}

/* One of them believes everything, one refuses: neither may get the other's passes. */
static void two_devices_behind_one_address_are_noticed(void **state)
{
  (void) state;
  struct stage stage;
  struct device device[] = {{.manner = CAREFUL, .address = INADDR_LOOPBACK + 1, .id = "safe"},
                            {.manner = TRUSTS_ALL, .address = INADDR_LOOPBACK + 1, .id = "open"}};
  struct crowd crowd = {.device = device, .count = 2};
  struct error error = {0};
  set_up_stage(&stage);
  for (int i = 0; i < 2; i++) {
    device[i].port = stage.port;
    device[i].roots = stage.roots;
  }
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(stage.out->count, 1);
  const struct guest *guest = guest_of(&stage, device[0].address);
  assert_non_null(strstr(guest->mixed, "two client ids came from 127.0.0.2"));
  for (size_t i = 0; i < guest->report.count; i++)
    assert_int_not_equal(guest->report.result[i].verdict, VERDICT_PASS);
  assert_int_not_equal(report_exit_code(&guest->report), EXIT_CODE_PASS);
  clear_stage(&stage);
}

/* As one does whose store of roots is emptied, or whose disk is full. */
static void who_refuses_everybody_from_some_point_on_has_passed_nothing(void **state)
{
  (void) state;
  struct stage stage;
  struct device device = {.manner = CAREFUL, .address = INADDR_LOOPBACK + 1, .sours = 3};
  struct crowd crowd = {.device = &device, .count = 1};
  struct error error = {0};
  unsigned proven = 0;
  set_up_stage(&stage);
  device.port = stage.port;
  device.roots = stage.roots;
  stage.gauntlet.layers = 1u << CASE_TLS;
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  const struct guest *guest = guest_of(&stage, device.address);
  assert_true(guest_is_through(guest));
  for (size_t i = 0; i < guest->report.count; i++) {
    const struct trial_result *r = &guest->report.result[i];
    proven += r->c->clients == CASE_REFUSE && r->verdict != VERDICT_NOT_SHOWN;
    if (strcmp(r->c->id, "expired") == 0)
      assert_non_null(strstr(r->why, "at the end it refused a sound server"));
  }
  assert_int_equal(proven, 0);
  assert_int_not_equal(report_exit_code(&guest->report), EXIT_CODE_PASS);
  clear_stage(&stage);
}

static uint16_t free_ports(unsigned count)
{
  for (unsigned base = 20000 + (unsigned) getpid() % 20000; base + count < 65536; base += count) {
    unsigned free = 0;
    for (; free < count; free++) {
      struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
      at.sin_port = htons((uint16_t) (base + free));
      int fd = listener_bind(&at);
      if (fd < 0) break;
      close(fd);
    }
    if (free == count) return (uint16_t) base;
  }
  fail_msg("there are no %u free ports", count);
  return 0;
}

static void a_port_shows_its_case_to_whoever_comes_in_whatever_order(void **state)
{
  (void) state;
  struct stage stage;
  struct device device[MANNERS - 1];
  struct crowd crowd = {.device = device, .count = MANNERS - 1};
  struct error error = {0};
  unsigned wrong = 0;
  set_up_stage(&stage);
  stage.options.cases_by_port = true;
  stage.options.ports = TRIALS;
  stage.port = free_ports(TRIALS);
  stage.options.address.sin_port = htons(stage.port);
  for (uint32_t i = 0; i < MANNERS - 1; i++)
    device[i] = (struct device){.manner = (enum manner) i,
                                .address = INADDR_LOOPBACK + 1 + i,
                                .port = stage.port,
                                .ports = TRIALS,
                                .roots = stage.roots};
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(stage.out->count, MANNERS - 1);
  for (size_t i = 0; i < MANNERS - 1; i++)
    wrong += check_guest(guest_of(&stage, device[i].address), device[i].manner);
  assert_int_equal(wrong, 0);
  clear_stage(&stage);
}

static void a_port_in_use_is_named(void **state)
{
  (void) state;
  struct stage stage;
  struct error error = {0};
  set_up_stage(&stage);
  int fd = listener_bind(&stage.options.address);
  assert_true(fd >= 0 && listen(fd, 1) == 0);
  assert_int_equal(session_run(&stage.options, stage.out, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "end what listens there"));
  close(fd);
  clear_stage(&stage);
}

/* Though nobody comes to that case: at once, and not when a device is at it. */
static void a_case_that_cannot_be_served_ends_the_session(void **state)
{
  (void) state;
  struct stage stage;
  struct crowd crowd = {.count = 0};
  struct error error = {0};
  char more[sizeof text + 64];
  set_up_stage(&stage);
  cases_free(stage.cases);
  snprintf(more, sizeof more, "%scase nonsense\n groups: no-such-group\n", text);
  stage.cases = rig_cases(more);
  stage.gauntlet.cases = stage.cases;
  uint64_t began = uv_hrtime();
  assert_int_equal(run_crowd(&stage, &crowd, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  if (strstr(error.text, "case nonsense (line ") == NULL) fail_msg("%s", error.text);
  assert_in_range((uv_hrtime() - began) / 1000000, 0, 10000);
  clear_stage(&stage);
}

static void a_session_that_nobody_comes_to_ends_and_says_so(void **state)
{
  (void) state;
  struct stage stage;
  struct error error = {0};
  struct crowd crowd = {.count = 0};
  set_up_stage(&stage);
  stage.options.absent_ms = 100;
  stage.options.give_up_ms = 400;
  assert_int_equal(run_crowd(&stage, &crowd, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "nobody connected"));
  clear_stage(&stage);
}

static void interrupt_later(void)
{
  const struct itimerval soon = {.it_value = {.tv_usec = 150000}};
  assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

static void on_alarm(int number)
{
  (void) number;
  kill(getpid(), SIGINT);
}

/* With connections open, and devices that come again and again. */
static void a_session_can_be_stopped_in_the_middle(void **state)
{
  (void) state;
  struct stage stage;
  struct device device[2];
  struct crowd crowd = {.device = device, .count = 2, .listening = interrupt_later};
  struct error error = {0};
  set_up_stage(&stage);
  stage.gauntlet.patience_ms = 60000;
  for (uint32_t i = 0; i < 2; i++)
    device[i] = (struct device){.manner = CAREFUL,
                                .address = INADDR_LOOPBACK + 1 + i,
                                .port = stage.port,
                                .roots = stage.roots};
  signal(SIGALRM, on_alarm);
  assert_int_equal(run_crowd(&stage, &crowd, &error), 0);
  assert_true(stage.out->interrupted);
  for (size_t i = 0; i < stage.out->count; i++)
    for (size_t t = 0; t < TRIALS; t++) {
      const struct trial_result *r = &stage.out->guest[i].report.result[t];
      if (r->verdict != VERDICT_PASS) assert_int_equal(r->verdict, VERDICT_NOT_SHOWN);
    }
  clear_stage(&stage);
}

/* --- Load ------------------------------------------------------------------------------------- */

enum { LOAD = 1000, LOAD_HOLD_MS = 4000 };

static uint16_t load_port;
static unsigned load_dialed, load_ms; /* until the last of them was ended */

/* A third stalls within its hello, a third sends garbage, a third a hello and reads on. */
static void *press(void *ctx)
{
  static int fd[LOAD];
  static const char garbage[64] = "\x16\x03\x03\x00\x05garbage that is none of TLS";
  uint8_t hello[1024];
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  BIO *out = BIO_new(BIO_s_mem());
  (void) ctx;
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl);
  (void) SSL_do_handshake(ssl);
  int size = BIO_read(out, hello, sizeof hello);
  SSL_free(ssl);
  SSL_CTX_free(context);
  for (uint32_t i = 0; i < LOAD; i++) {
    const struct device from = {.address = INADDR_LOOPBACK + 1 + i % 50, .port = load_port};
    fd[i] = dial(&from);
    if (fd[i] < 0) continue;
    load_dialed++;
    if (i % 3 == 0) (void) send(fd[i], hello, 20, MSG_NOSIGNAL);
    if (i % 3 == 1) (void) send(fd[i], garbage, sizeof garbage, MSG_NOSIGNAL);
    if (i % 3 == 2) (void) send(fd[i], hello, (size_t) size, MSG_NOSIGNAL);
  }
  uintptr_t left = 0;
  uint64_t began = uv_hrtime();
  for (size_t i = 0; i < LOAD; i++) {
    struct pollfd wait = {.fd = fd[i], .events = POLLIN};
    char data[4096];
    ssize_t n = 1;
    while (fd[i] >= 0 && n > 0 && poll(&wait, 1, 3 * LOAD_HOLD_MS) > 0)
      n = recv(fd[i], data, sizeof data, 0);
    left += fd[i] >= 0 && n > 0;
    if (fd[i] >= 0) close(fd[i]);
  }
  load_ms = (unsigned) ((uv_hrtime() - began) / 1000000);
  return (void *) left;
}

static pthread_t presser;

static void begin_to_press(void)
{
  assert_int_equal(pthread_create(&presser, NULL, press, NULL), 0);
}

static void a_thousand_at_once_end_in_their_time(void **state)
{
  (void) state;
  struct stage stage;
  struct crowd crowd = {.count = 0, .listening = begin_to_press};
  struct error error = {0};
  struct rusage before, after;
  void *left = NULL;
  const struct rlimit many = {4096, 4096};
  (void) setrlimit(RLIMIT_NOFILE, &many);
  set_up_stage(&stage);
  load_port = stage.port;
  load_dialed = 0;
  stage.gauntlet.patience_ms = LOAD_HOLD_MS;
  stage.options.give_up_ms = 3000;
  getrusage(RUSAGE_SELF, &before);
  uint64_t began = uv_hrtime();
  if (run_crowd(&stage, &crowd, &error) != 0) fail_msg("%s", error.text);
  unsigned took_ms = (unsigned) ((uv_hrtime() - began) / 1000000);
  getrusage(RUSAGE_SELF, &after);
  pthread_join(presser, &left);
  unsigned seen = 0;
  for (size_t i = 0; i < stage.out->count; i++) {
    assert_int_equal(stage.out->guest[i].open, 0);
    for (size_t t = 0; t < TRIALS; t++)
      seen += stage.out->guest[i].report.result[t].seen.connections;
  }
  print_message(
      "%u connections, %u in trials of %zu devices, %u ms, the last ended after %u, %ld kB more\n",
      load_dialed, seen, stage.out->count, took_ms, load_ms, after.ru_maxrss - before.ru_maxrss);
  assert_int_equal(load_dialed, LOAD);
  assert_in_range(load_ms, 0, LOAD_HOLD_MS + 1500);
  assert_int_equal((uintptr_t) left, 0);
  assert_int_equal(stage.out->count, 50);
  assert_true(took_ms < 20000);
  assert_true(after.ru_maxrss - before.ru_maxrss < 256 * 1024);
  clear_stage(&stage);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_device_has_the_results_of_its_own_behaviour),
      cmocka_unit_test(a_port_scanner_is_no_device_and_takes_no_trial_away),
      cmocka_unit_test(scanners_alone_are_nobody),
      cmocka_unit_test(two_devices_behind_one_address_are_noticed),
      cmocka_unit_test(who_refuses_everybody_from_some_point_on_has_passed_nothing),
      cmocka_unit_test(a_port_shows_its_case_to_whoever_comes_in_whatever_order),
      cmocka_unit_test(a_port_in_use_is_named),
      cmocka_unit_test(a_case_that_cannot_be_served_ends_the_session),
      cmocka_unit_test(a_session_that_nobody_comes_to_ends_and_says_so),
      cmocka_unit_test(a_session_can_be_stopped_in_the_middle),
      cmocka_unit_test(a_thousand_at_once_end_in_their_time),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

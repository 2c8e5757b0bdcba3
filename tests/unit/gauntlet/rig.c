/* Each turn lets the loop do what is due, then the peer take what has come. */
#define _GNU_SOURCE
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_over(void *ctx, const struct observation *seen)
{
  struct rig *rig = ctx;
  rig->seen = *seen;
  rig->visit = NULL;
}

static const struct visit_handler over = {.ended = on_over};

/* --- Sockets ---------------------------------------------------------------------------------- */

/* A connection on 127.0.0.1: the server's end; the peer's is rig->fd. */
static int connect_pair(struct rig *rig)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536, on = 1;
  assert_int_equal(bind(listener, (const struct sockaddr *) &at, size), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *) &at, &size), 0);
  rig->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void) setsockopt(rig->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  (void) setsockopt(rig->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  assert_int_equal(connect(rig->fd, (const struct sockaddr *) &at, size), 0);
  int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  assert_true(server >= 0);
  close(listener);
  return server;
}

static void begin_visit(struct rig *rig)
{
  int server = connect_pair(rig);
  rig->reads = true;
  rig->size = rig->taken = rig->app_size = 0;
  rig->ended = rig->reset = rig->shaken = false;
  rig->alert = 0;
  memset(&rig->seen, 0, sizeof rig->seen);
  uv_update_time(&rig->loop);
  rig->visit = visit_open(&rig->loop, server, &rig->act, uv_now(&rig->loop), &over, rig);
  assert_non_null(rig->visit);
}

struct cases *rig_cases(const char *text)
{
  char why[256];
  struct cases *cases = cases_parse(text, why, sizeof why);
  if (cases == NULL) fail_msg("%s", why);
  return cases;
}

static struct cases *parse_lines(const char *lines)
{
  char text[4096];
  snprintf(text, sizeof text, RIG_DEFAULTS "case one\n%s\n", lines);
  return rig_cases(text);
}

void rig_open(struct rig *rig, const char *lines, uint8_t tls)
{
  static uint8_t image[65536];
  struct error error = {0};
  memset(rig, 0, sizeof *rig);
  for (size_t i = 0; i < sizeof image; i++) image[i] = (uint8_t) (i * 31 >> 3);
  rig->got = malloc(RIG_ROOM);
  assert_non_null(rig->got);
  assert_int_equal(uv_loop_init(&rig->loop), 0);
  rig->cases = parse_lines(lines);
  if (act_open(&rig->act, rig->cases->item[0], tls, NULL, &error) != 0) fail_msg("%s", error.text);
  snprintf(rig->act.host, sizeof rig->act.host, MINT_HOST);
  rig->act.port = 8883;
  rig->act.image = image;
  rig->act.image_size = sizeof image;
  begin_visit(rig);
}

static void end_peer(struct rig *rig)
{
  if (rig->visit != NULL) visit_close(rig->visit);
  while (rig->visit != NULL) uv_run(&rig->loop, UV_RUN_ONCE);
  SSL_free(rig->ssl);
  SSL_CTX_free(rig->context);
  rig->ssl = NULL;
  rig->context = NULL;
  rig_hang_up(rig);
}

void rig_again(struct rig *rig, const char *lines)
{
  end_peer(rig);
  if (lines != NULL) {
    cases_free(rig->cases);
    rig->cases = parse_lines(lines);
    rig->act.c = rig->cases->item[0];
  }
  begin_visit(rig);
}

void rig_close(struct rig *rig)
{
  end_peer(rig);
  uv_run(&rig->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&rig->loop), 0);
  act_close(&rig->act);
  cases_free(rig->cases);
  free(rig->got);
}

void rig_hang_up(struct rig *rig)
{
  if (rig->fd >= 0) close(rig->fd);
  rig->fd = -1;
}

/* --- Turns ------------------------------------------------------------------------------------ */

static void take_from_server(struct rig *rig)
{
  uint8_t data[65536];
  if (rig->fd < 0 || !rig->reads || rig->ended) return;
  ssize_t n = recv(rig->fd, data, sizeof data, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  rig->ended = n <= 0;
  rig->reset = n < 0;
  if (n <= 0) return;
  size_t room = rig->size < RIG_ROOM ? RIG_ROOM - rig->size : 0;
  memcpy(rig->got + (RIG_ROOM - room), data, (size_t) n < room ? (size_t) n : room);
  rig->size += (size_t) n;
  rig->came_ms = uv_hrtime() / 1000000;
}

static void turn_client(struct rig *rig);

static void turn_once(struct rig *rig)
{
  size_t before = rig->size;
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  take_from_server(rig);
  if (rig->ssl != NULL) turn_client(rig);
  if (rig->size == before) usleep(300);
}

void rig_turn(struct rig *rig, unsigned ms)
{
  uint64_t until = uv_hrtime() + ms * 1000000ull;
  while (uv_hrtime() < until) turn_once(rig);
}

bool rig_until(struct rig *rig, bool (*holds)(const struct rig *rig), unsigned ms)
{
  uint64_t until = uv_hrtime() + ms * 1000000ull;
  while (!holds(rig) && uv_hrtime() < until) turn_once(rig);
  return holds(rig);
}

bool rig_is_over(const struct rig *rig)
{
  return rig->visit == NULL;
}

bool rig_has_ended(const struct rig *rig)
{
  return rig->ended;
}

void rig_send(struct rig *rig, const void *data, size_t size)
{
  const uint8_t *at = data;
  while (size > 0) {
    ssize_t n = send(rig->fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) at += n, size -= (size_t) n;
    if (n < 0 && errno != EAGAIN) return; /* a server that is gone is no failure of the test */
    if (n < 0) turn_once(rig);
  }
}

/* --- OpenSSL's client ------------------------------------------------------------------------- */

static void on_client_info(const SSL *ssl, int where, int value)
{
  struct rig *rig = SSL_get_app_data(ssl);
  if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && value >> 8 == 2)
    rig->alert = (unsigned) value & 255u;
}

static void make_client(struct rig *rig, const char *suites)
{
  int version = TLS1_VERSION + rig->act.tls - 10;
  rig->context = SSL_CTX_new(TLS_client_method());
  assert_non_null(rig->context);
  SSL_CTX_set_min_proto_version(rig->context, version);
  SSL_CTX_set_max_proto_version(rig->context, version);
  if (suites != NULL)
    assert_int_equal(rig->act.tls == 13 ? SSL_CTX_set_ciphersuites(rig->context, suites)
                                        : SSL_CTX_set_cipher_list(rig->context, suites),
                     1);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(rig->context), act_certificate(&rig->act, "root"));
  SSL_CTX_set_verify(rig->context, SSL_VERIFY_PEER, NULL);
  rig->ssl = SSL_new(rig->context);
  SSL_set1_host(rig->ssl, MINT_HOST);
  SSL_set_bio(rig->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(rig->ssl);
  SSL_set_app_data(rig->ssl, rig);
  SSL_set_info_callback(rig->ssl, on_client_info);
}

static void flush_client(struct rig *rig)
{
  uint8_t data[16384];
  int n;
  while ((n = BIO_read(SSL_get_wbio(rig->ssl), data, sizeof data)) > 0)
    rig_send(rig, data, (size_t) n);
}

static void turn_client(struct rig *rig)
{
  if (rig->taken < rig->size)
    BIO_write(SSL_get_rbio(rig->ssl), rig->got + rig->taken, (int) (rig->size - rig->taken));
  rig->taken = rig->size;
  if (rig->alert == 0 && SSL_do_handshake(rig->ssl) == 1) {
    int n;
    rig->shaken = true;
    while ((n = SSL_read(rig->ssl, rig->app + rig->app_size,
                         (int) (sizeof rig->app - rig->app_size))) > 0)
      rig->app_size += (size_t) n;
  }
  SSL *ssl = rig->ssl;
  rig->ssl = NULL; /* what is sent may turn */
  uint8_t data[16384];
  int n;
  while ((n = BIO_read(SSL_get_wbio(ssl), data, sizeof data)) > 0) rig_send(rig, data, (size_t) n);
  rig->ssl = ssl;
}

void rig_send_hello(struct rig *rig)
{
  make_client(rig, NULL);
  (void) SSL_do_handshake(rig->ssl);
  flush_client(rig);
  SSL_free(rig->ssl);
  SSL_CTX_free(rig->context);
  rig->ssl = NULL;
  rig->context = NULL;
}

static bool has_settled(const struct rig *rig)
{
  return rig->shaken || rig->alert != 0 || rig->ended;
}

bool rig_secure(struct rig *rig, const char *suites)
{
  make_client(rig, suites);
  (void) rig_until(rig, has_settled, 5000);
  return rig->shaken;
}

void rig_say(struct rig *rig, const void *data, size_t size)
{
  const uint8_t *at = data;
  while (size > 0) {
    int piece = size > 16384 ? 16384 : (int) size;
    assert_int_equal(SSL_write(rig->ssl, at, piece), piece);
    turn_client(rig);
    at += piece;
    size -= (size_t) piece;
  }
}

void rig_expect(struct rig *rig, const void *data, size_t size, const char *what)
{
  uint64_t until = uv_hrtime() + 3000000000ull;
  while (rig->app_size < size && uv_hrtime() < until) turn_once(rig);
  if (rig->app_size < size) fail_msg("%s: %zu bytes came, not %zu", what, rig->app_size, size);
  assert_memory_equal(rig->app, data, size);
  memmove(rig->app, rig->app + size, rig->app_size - size);
  rig->app_size -= size;
}

#define _GNU_SOURCE
/* Any bytes of a client before a hostile server, on the wire or inside TLS: it ends, what it holds is
 * bounded, and what it has seen can be judged.
 *
 * The input: 1 byte {bits 0-3 which act, bits 4-5: 0 raw, 1 raw behind a whole hello, 2 and 3 inside TLS},
 * 1 byte how many bytes go at a time, and those bytes. */
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "gauntlet/judge.h"
#include "gauntlet/visit_internal.h"

static const char text[] =
    "defaults\n cert root: ca=yes\n cert leaf: issuer=root san=DNS:broker.test\n trusts: root\n"
    " sends: leaf\n host: broker.test\n clock: 2026\n tls: 1.2 1.3\n why: w\n expect: accept\n"
    " clients: refuse\n flaw: mqtt\n"
    "case plain\n"
    "case script\n mqtt: connect; send 20 02 00 00 | 20 03 00 00 00; subscribe; send 90 03 ID 00; "
    "publish; send 40 02 ID ID; ping; flood 300 2000*d0; polite\n"
    "case owes\n mqtt: polite without puback pingresp\n"
    "case image\n https: request; send \"{host}{port}\"; request; image; request; image; close\n"
    "case finished\n wire: tls finished\n"
    "case spoiled\n wire: tls swap 2\n"
    "case cut\n wire: hello; send 15 03 03 00 02 01 5a; tls cut 100; close\n"
    "case flood\n wire: hello; flood 500 1000*aa; reset\n";

enum { CASES = 8, ACTS = 2 * CASES, TURNS = 4000, APP_MAX = 65536 };

static uv_loop_t loop;
static struct cases *cases;
static struct act acts[ACTS];
static uint8_t image[4096], hello[2][2048];
static size_t hello_size[2];
static SSL_CTX *contexts[2];

struct ending {
  bool over;
  struct observation seen;
};

static void on_ended(void *ctx, const struct observation *seen)
{
  struct ending *ending = ctx;
  require(!ending->over, "a visit ends once");
  ending->over = true;
  ending->seen = *seen;
}

static const struct visit_handler handler = {.ended = on_ended};

static SSL *make_client(unsigned version)
{
  SSL *ssl = SSL_new(contexts[version]);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  return ssl;
}

static void make_all(void)
{
  char why[256];
  struct error error = {0};
  cases = cases_parse(text, why, sizeof why);
  require(cases != NULL && cases->count == CASES, "the cases are read");
  require(uv_loop_init(&loop) == 0, "there is a loop");
  for (size_t i = 0; i < ACTS; i++) {
    require(act_open(&acts[i], cases->item[i / 2], i % 2 == 0 ? 12 : 13, NULL, &error) == 0,
            "each act is served");
    snprintf(acts[i].host, sizeof acts[i].host, "broker.test");
    acts[i].image = image;
    acts[i].image_size = sizeof image;
  }
  for (unsigned v = 0; v < 2; v++) {
    contexts[v] = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(contexts[v], v == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL *ssl = make_client(v);
    (void) SSL_do_handshake(ssl);
    hello_size[v] = (size_t) BIO_read(SSL_get_wbio(ssl), hello[v], sizeof hello[v]);
    SSL_free(ssl);
  }
}

/* --- One visit -------------------------------------------------------------------------------- */

struct call {
  struct ending ending;
  struct visit *visit;
  int fd;
  SSL *ssl;
  bool server_ended;
};

static void check_bounds(const struct visit *visit)
{
  require(visit->queue.size <= VISIT_QUEUE_MAX + 70000, "what waits to be sent is bounded");
  require(visit->talk.size <= VISIT_TALK_MAX + 16384, "what was said is bounded");
  require(visit->raw.size <= VISIT_RAW_MAX, "what is kept for a hello is bounded");
  require(visit->in.size < 8, "of a record only its head is kept");
  require(visit->out.size <= VISIT_RECORD_MAX + 4096, "records go out when they are whole");
}

static void turn(struct call *call)
{
  uint8_t data[65536];
  ssize_t n;
  uv_run(&loop, UV_RUN_NOWAIT);
  if (!call->ending.over) check_bounds(call->visit);
  while (!call->server_ended && (n = recv(call->fd, data, sizeof data, MSG_DONTWAIT)) >= 0) {
    call->server_ended = n == 0;
    if (n > 0 && call->ssl != NULL) BIO_write(SSL_get_rbio(call->ssl), data, (int) n);
  }
}

static void send_raw(struct call *call, const uint8_t *data, size_t size)
{
  for (unsigned tries = 0; size > 0 && tries < TURNS && !call->ending.over; tries++) {
    ssize_t n = send(call->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) data += n, size -= (size_t) n;
    turn(call);
  }
}

static void pump(struct call *call)
{
  uint8_t data[16384];
  int n;
  while ((n = BIO_read(SSL_get_wbio(call->ssl), data, sizeof data)) > 0)
    send_raw(call, data, (size_t) n);
  turn(call);
  (void) SSL_read(call->ssl, data, sizeof data);
}

static void secure(struct call *call, unsigned version)
{
  call->ssl = make_client(version);
  for (int i = 0; i < 12 && SSL_do_handshake(call->ssl) != 1; i++) pump(call);
  pump(call);
}

static void send_pieces(struct call *call, struct fuzz_input *in, size_t piece)
{
  size_t taken;
  if (piece > 200) piece = 16384;
  while (in->left > 0 && !call->ending.over) {
    const uint8_t *data = fuzz_take(in, piece, &taken);
    if (call->ssl == NULL)
      send_raw(call, data, taken);
    else if (SSL_write(call->ssl, data, (int) taken) != (int) taken)
      return;
    else
      pump(call);
  }
}

static void judge(const struct call *call, const struct act *act)
{
  struct trial_result result = {.c = act->c, .tls = act->tls};
  const struct observation *seen = &call->ending.seen;
  judge_add(&result.seen, seen);
  judge_trial(&result, false);
  require(result.verdict < VERDICT_COUNT && result.why[0] != '\0', "there is a verdict");
  require(seen->said || seen->begun || seen->alerted || result.verdict != VERDICT_PASS,
          "who was not shown the lie passes nothing");
  require(strlen(seen->client_id) < sizeof seen->client_id, "texts end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct call call = {.fd = -1};
  int pair[2];
  if (contexts[0] == NULL) make_all();
  unsigned what = fuzz_number(&in, 1), piece = fuzz_number(&in, 1);
  struct act *act = &acts[what & 15];
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "there are sockets");
  call.fd = pair[0];
  uv_update_time(&loop);
  call.visit = visit_open(&loop, pair[1], act, uv_now(&loop), &handler, &call.ending);
  require(call.visit != NULL, "a visit opens");
  if ((what >> 4 & 3) == 1) send_raw(&call, hello[what & 1], hello_size[what & 1]);
  if ((what >> 4 & 3) > 1) secure(&call, what & 1);
  send_pieces(&call, &in, piece + 1);
  (void) shutdown(call.fd, SHUT_WR);
  for (int i = 0; i < TURNS && !call.ending.over; i++) turn(&call);
  require(call.ending.over, "a visit ends with its client");
  judge(&call, act);
  SSL_free(call.ssl);
  close(call.fd);
  return 0;
}

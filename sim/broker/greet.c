/* Greets a broker as one of its clients: connects with a certificate, says CONNECT and leaves when
 * CONNACK has come.
 *
 * TCP -> TLS with the given certificate -> CONNECT -> CONNACK -> DISCONNECT. The broker's own
 * certificate is not looked at: it may be presenting a chain that a rehearsal broke on purpose. A
 * kick is such a greeting under another client's id: MQTT has the broker end the older session.
 * Whether a broker takes a certificate shows in TLS 1.3 only after the handshake, and not every
 * broker says why not: CONNACK, whatever its code, is the proof that it did. A session that is held does not leave: it pings, and
 * ends when the broker ends it.
 */
#define _POSIX_C_SOURCE 200809L
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "broker/internal.h"

enum {
  GREET_MS = 5000,
  PING_MS = 5000,
  CHUNK = 4096,
  ID_MAX = 64,
  CONNACK_SIZE = 4,
  KEEP_ALIVE_S = 30
};

struct broker_session {
  struct greet *greet; /* NULL: its connection is closed */
  enum broker_session_state state;
};

struct greet {
  struct task task;
  struct dial dial;
  SSL_CTX *context;
  SSL *ssl;
  BIO *in, *out;
  char id[ID_MAX + 1];
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  bool keep_session, sent;
  uint8_t answer[CONNACK_SIZE];
  size_t answered;
  char chunk[CHUNK];
  void (*done)(struct greet *greet);
  struct broker_session *session; /* that holds it; NULL: it leaves with CONNACK */
  union {
    broker_done kicked;
    broker_seen_done seen;
  };
  void *ctx;
  bool connected; /* from here on what ends it is the broker's answer */
  bool failed, refused;
  char why[160];
  struct error error;
};

static struct greet *greeting_of_dial(struct dial *dial)
{
  return (struct greet *) ((char *) dial - offsetof(struct greet, dial));
}

static void on_greeting_closed(struct dial *dial)
{
  struct greet *greet = greeting_of_dial(dial);
  struct broker *broker = greet->task.broker;
  broker_task_end(&greet->task);
  SSL_free(greet->ssl);
  SSL_CTX_free(greet->context);
  greet->done(greet);
  free(greet);
  broker_release(broker);
}

static void fail_greeting(struct greet *greet, const char *why)
{
  greet->failed = true;
  snprintf(greet->why, sizeof greet->why, "%s", why);
  dial_close(&greet->dial, on_greeting_closed);
}

/* The broker will not have this client. */
static void refuse_greeting(struct greet *greet, const char *why)
{
  greet->refused = greet->connected;
  fail_greeting(greet, why);
}

/* As in probe.c: a connection that has just been opened has room for what little is sent. */
static bool flush_greeting(struct greet *greet)
{
  char *data = NULL;
  long size = BIO_get_mem_data(greet->out, &data);
  if (size <= 0) return true;
  uv_buf_t buffer = uv_buf_init(data, (unsigned) size);
  bool sent = uv_try_write((uv_stream_t *) &greet->dial.tcp, &buffer, 1) == size;
  (void) BIO_reset(greet->out);
  return sent;
}

/* MQTT 3.1.1: a session that is kept has no end there, whatever the client's own version calls for
   when it is back. */
static bool send_connect(struct greet *greet)
{
  uint8_t packet[16 + ID_MAX] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, KEEP_ALIVE_S, 0, 0};
  size_t id = strlen(greet->id), size = 14 + id;
  packet[1] = (uint8_t) (size - 2);
  packet[9] = greet->keep_session ? 0x00 : 0x02; /* Clean Session */
  packet[13] = (uint8_t) id;
  memcpy(packet + 14, greet->id, id);
  greet->sent = true;
  return SSL_write(greet->ssl, packet, (int) size) == (int) size && flush_greeting(greet);
}

static void leave(struct greet *greet)
{
  static const uint8_t disconnect[] = {0xe0, 0};
  if (greet->answer[0] != 0x20) {
    fail_greeting(greet, "what it answers is no CONNACK");
    return;
  }
  if (greet->session != NULL && greet->answer[3] == 0) {
    greet->session->state = BROKER_SESSION_OPEN;
    dial_extend(&greet->dial, PING_MS);
    return;
  }
  if (SSL_write(greet->ssl, disconnect, sizeof disconnect) > 0) flush_greeting(greet);
  dial_close(&greet->dial, on_greeting_closed);
}

static bool is_open(const struct greet *greet)
{
  return greet->session != NULL && greet->session->state == BROKER_SESSION_OPEN;
}

static void ping(struct greet *greet)
{
  static const uint8_t request[] = {0xc0, 0};
  if (SSL_write(greet->ssl, request, sizeof request) > 0) flush_greeting(greet);
  dial_extend(&greet->dial, PING_MS);
}

/* Answers to pings; and that is all that comes to a client without subscriptions, until the end. */
static void read_on(struct greet *greet)
{
  char unread[64];
  int n;
  do n = SSL_read(greet->ssl, unread, sizeof unread);
  while (n > 0);
  bool goes_on = SSL_get_error(greet->ssl, n) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  if (!goes_on) fail_greeting(greet, "the broker has ended the session");
}

/* In TLS 1.3 a refused certificate shows here, with the first read. */
static void read_answer(struct greet *greet)
{
  if (is_open(greet)) {
    read_on(greet);
    return;
  }
  int n =
      SSL_read(greet->ssl, greet->answer + greet->answered, (int) (CONNACK_SIZE - greet->answered));
  if (n > 0) greet->answered += (size_t) n;
  if (greet->answered == CONNACK_SIZE) {
    leave(greet);
    return;
  }
  if (n > 0 || SSL_get_error(greet->ssl, n) == SSL_ERROR_WANT_READ) return;
  char why[160];
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  snprintf(why, sizeof why, "it refuses the connection: %s",
           reason == NULL ? "it ends TLS" : reason);
  ERR_clear_error();
  refuse_greeting(greet, why);
}

/* Where what we say is not taken any more, the broker may have ended it: what it said before is
   still to be read. */
static void advance_greeting(struct greet *greet)
{
  if (!SSL_is_init_finished(greet->ssl)) {
    int result = SSL_do_handshake(greet->ssl);
    int why = SSL_get_error(greet->ssl, result);
    (void) flush_greeting(greet);
    if (result != 1 && why == SSL_ERROR_WANT_READ) return;
    if (result != 1) {
      ERR_clear_error();
      refuse_greeting(greet, "it ends the TLS handshake");
      return;
    }
  }
  if (!greet->sent) (void) send_connect(greet);
  read_answer(greet);
}

static void on_greeting_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct greet *greet = greeting_of_dial(handle->data);
  *buffer = uv_buf_init(greet->chunk, sizeof greet->chunk);
}

static void on_greeting_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct greet *greet = greeting_of_dial(stream->data);
  if (greet->dial.closing || size == 0) return;
  if (size < 0) {
    refuse_greeting(greet, size == UV_EOF ? "it closes the connection" : uv_strerror((int) size));
    return;
  }
  BIO_write(greet->in, buffer->base, (int) size);
  advance_greeting(greet);
}

static bool make_greeting_tls(struct greet *greet)
{
  greet->context = SSL_CTX_new(TLS_client_method());
  if (greet->context == NULL ||
      SSL_CTX_use_certificate_chain_file(greet->context, greet->certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(greet->context, greet->key, SSL_FILETYPE_PEM) != 1)
    return false;
  SSL_CTX_set_verify(greet->context, SSL_VERIFY_NONE, NULL);
  greet->ssl = SSL_new(greet->context);
  greet->in = BIO_new(BIO_s_mem());
  greet->out = BIO_new(BIO_s_mem());
  if (greet->ssl == NULL || greet->in == NULL || greet->out == NULL) {
    BIO_free(greet->in);
    BIO_free(greet->out);
    return false;
  }
  BIO_set_mem_eof_return(greet->in, -1);
  SSL_set_bio(greet->ssl, greet->in, greet->out);
  SSL_set_connect_state(greet->ssl);
  return SSL_set_tlsext_host_name(greet->ssl, greet->task.broker->config.host) == 1;
}

static void on_greeting_event(struct dial *dial, int status)
{
  struct greet *greet = greeting_of_dial(dial);
  if (status == UV_ETIMEDOUT && is_open(greet)) {
    ping(greet);
    return;
  }
  if (status != 0) {
    fail_greeting(greet, uv_strerror(status));
    return;
  }
  if (!make_greeting_tls(greet)) {
    ERR_clear_error();
    fail_greeting(greet, "OpenSSL cannot use the client's certificate and key");
    return;
  }
  greet->connected = true;
  uv_read_start((uv_stream_t *) &dial->tcp, on_greeting_alloc, on_greeting_read);
  advance_greeting(greet);
}

static void on_greeting_cancel(struct task *task)
{
  struct greet *greet = (struct greet *) task;
  if (!greet->dial.closing) fail_greeting(greet, "stopped");
  greet->failed = true;
  greet->error.code = EXIT_CODE_INTERRUPTED;
}

static struct greet *begin_greeting(struct broker *broker, const char *id, const char *certificate,
                                    const char *key)
{
  struct greet *greet = calloc(1, sizeof *greet);
  if (greet == NULL) memory_gone("a connection to the broker");
  snprintf(greet->id, sizeof greet->id, "%s", id);
  snprintf(greet->certificate, sizeof greet->certificate, "%s", certificate);
  snprintf(greet->key, sizeof greet->key, "%s", key);
  greet->error.code = EXIT_CODE_SETUP;
  broker_task_begin(broker, &greet->task, on_greeting_cancel);
  dial_start(&greet->dial, broker->loop, broker->config.permit, broker_address(broker, BROKER_MAIN),
             broker->port[BROKER_MAIN], GREET_MS, 0, on_greeting_event);
  return greet;
}

static void end_kick(struct greet *greet)
{
  char why[sizeof greet->why];
  unsigned code = greet->answer[3];
  memcpy(why, greet->why, sizeof why);
  if (!greet->failed && code != 0)
    snprintf(why, sizeof why, "the broker answers CONNACK code %u", code);
  bool failed = greet->failed || code != 0;
  if (failed)
    error_set(&greet->error, greet->error.code, "the session of client %s cannot be ended: %s",
              greet->id, why);
  greet->kicked(greet->ctx, failed ? &greet->error : NULL);
}

void broker_take_over(struct broker *broker, const struct broker_kick *wanted, broker_done done,
                      void *ctx)
{
  struct greet *greet =
      begin_greeting(broker, wanted->client_id, wanted->certificate_path, wanted->key_path);
  greet->keep_session = wanted->keep_session;
  greet->done = end_kick;
  greet->kicked = done;
  greet->ctx = ctx;
}

static void end_try(struct greet *greet)
{
  struct broker_seen seen = {.takes = !greet->failed};
  bool told = !greet->failed || (greet->refused && greet->error.code != EXIT_CODE_INTERRUPTED);
  snprintf(seen.why, sizeof seen.why, "%s", greet->why);
  if (!told) error_set(&greet->error, greet->error.code, "no answer: %s", greet->why);
  greet->seen(greet->ctx, told ? &seen : NULL, told ? NULL : &greet->error);
}

void broker_try_client(struct broker *broker, const struct broker_client *client,
                       broker_seen_done done, void *ctx)
{
  struct greet *greet =
      begin_greeting(broker, client->client_id, client->certificate_path, client->key_path);
  greet->done = end_try;
  greet->seen = done;
  greet->ctx = ctx;
}

/* --- A session that is held ------------------------------------------------------------------- */

static void end_session(struct greet *greet)
{
  struct broker_session *session = greet->session;
  if (session == NULL) return; /* let go */
  bool answered = !greet->failed || greet->refused;
  session->greet = NULL;
  session->state = session->state == BROKER_SESSION_OPEN ? BROKER_SESSION_ENDED
                   : answered                            ? BROKER_SESSION_REFUSED
                                                         : BROKER_SESSION_UNREACHED;
}

struct broker_session *broker_hold(struct broker *broker, const struct broker_client *client)
{
  struct broker_session *session = calloc(1, sizeof *session);
  if (session == NULL) memory_gone("a session at the broker");
  session->greet =
      begin_greeting(broker, client->client_id, client->certificate_path, client->key_path);
  session->greet->session = session;
  session->greet->done = end_session;
  return session;
}

enum broker_session_state broker_held(const struct broker_session *session)
{
  return session->state;
}

void broker_let_go(struct broker_session *session)
{
  struct greet *greet = session->greet;
  if (greet != NULL) {
    bool open = is_open(greet);
    greet->session = NULL;
    if (!greet->dial.closing && open)
      leave(greet);
    else if (!greet->dial.closing)
      fail_greeting(greet, "let go");
  }
  free(session);
}

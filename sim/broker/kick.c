/* Ends a client's session at the local mosquitto: connects under its id, as MQTT has it, and leaves again.
 *
 * TCP -> TLS with the given certificate -> CONNECT -> CONNACK: the other session is over -> DISCONNECT. The broker's
 * certificate is not looked at: it is our own child on 127.0.0.1, and it may be presenting a chain that a rehearsal
 * broke on purpose.
 */
#define _POSIX_C_SOURCE 200809L
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "broker/internal.h"

enum { KICK_MS = 5000, CHUNK = 4096, ID_MAX = 64, CONNACK_SIZE = 4, KEEP_ALIVE_S = 30 };

struct kick {
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
  broker_done done;
  void *ctx;
  bool failed;
  struct error error;
};

static struct kick *of_dial(struct dial *dial)
{
  return (struct kick *) ((char *) dial - offsetof(struct kick, dial));
}

static void on_closed(struct dial *dial)
{
  struct kick *kick = of_dial(dial);
  struct broker *broker = kick->task.broker;
  broker_task_end(&kick->task);
  SSL_free(kick->ssl);
  SSL_CTX_free(kick->context);
  kick->done(kick->ctx, kick->failed ? &kick->error : NULL);
  free(kick);
  broker_release(broker);
}

static void fail(struct kick *kick, const char *why)
{
  kick->failed = true;
  error_set(&kick->error, EXIT_CODE_SETUP, "the session of client %s cannot be ended: %s", kick->id, why);
  dial_close(&kick->dial, on_closed);
}

/* As in probe.c: a connection that has just been opened has room for what little is sent. */
static bool flush(struct kick *kick)
{
  char *data = NULL;
  long size = BIO_get_mem_data(kick->out, &data);
  if (size <= 0) return true;
  uv_buf_t buffer = uv_buf_init(data, (unsigned) size);
  bool sent = uv_try_write((uv_stream_t *) &kick->dial.tcp, &buffer, 1) == size;
  (void) BIO_reset(kick->out);
  return sent;
}

/* MQTT 3.1.1: a session that is kept has no end there, whatever the client's own version calls for when it is back. */
static bool send_connect(struct kick *kick)
{
  uint8_t packet[16 + ID_MAX] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, KEEP_ALIVE_S, 0, 0};
  size_t id = strlen(kick->id), size = 14 + id;
  packet[1] = (uint8_t) (size - 2);
  packet[9] = kick->keep_session ? 0x00 : 0x02; /* Clean Session */
  packet[13] = (uint8_t) id;
  memcpy(packet + 14, kick->id, id);
  kick->sent = true;
  return SSL_write(kick->ssl, packet, (int) size) == (int) size && flush(kick);
}

static void leave(struct kick *kick)
{
  static const uint8_t disconnect[] = {0xe0, 0};
  char why[64];
  snprintf(why, sizeof why, "mosquitto answers CONNACK code %u", kick->answer[3]);
  if (kick->answer[0] != 0x20 || kick->answer[3] != 0) {
    fail(kick, why);
    return;
  }
  if (SSL_write(kick->ssl, disconnect, sizeof disconnect) > 0) flush(kick);
  dial_close(&kick->dial, on_closed);
}

/* In TLS 1.3 a refused certificate shows here, with the first read. */
static void read_answer(struct kick *kick)
{
  int n = SSL_read(kick->ssl, kick->answer + kick->answered, (int) (CONNACK_SIZE - kick->answered));
  if (n > 0) kick->answered += (size_t) n;
  if (kick->answered == CONNACK_SIZE) {
    leave(kick);
    return;
  }
  if (n > 0 || SSL_get_error(kick->ssl, n) == SSL_ERROR_WANT_READ) return;
  char why[160];
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  snprintf(why, sizeof why, "mosquitto refuses the operator's connection (%s)",
           reason == NULL ? "it ends TLS" : reason);
  ERR_clear_error();
  fail(kick, why);
}

static void advance(struct kick *kick)
{
  if (!SSL_is_init_finished(kick->ssl)) {
    int result = SSL_do_handshake(kick->ssl);
    int why = SSL_get_error(kick->ssl, result);
    bool sent = flush(kick);
    if (result != 1 && why == SSL_ERROR_WANT_READ && sent) return;
    if (result != 1 || !sent) {
      ERR_clear_error();
      fail(kick, "mosquitto ends the TLS handshake");
      return;
    }
  }
  if (!kick->sent && !send_connect(kick)) {
    fail(kick, "the connection does not take data");
    return;
  }
  read_answer(kick);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct kick *kick = of_dial(handle->data);
  *buffer = uv_buf_init(kick->chunk, sizeof kick->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct kick *kick = of_dial(stream->data);
  if (kick->dial.closing || size == 0) return;
  if (size < 0) {
    fail(kick, size == UV_EOF ? "mosquitto closes the connection" : uv_strerror((int) size));
    return;
  }
  BIO_write(kick->in, buffer->base, (int) size);
  advance(kick);
}

static bool make_tls(struct kick *kick)
{
  kick->context = SSL_CTX_new(TLS_client_method());
  if (kick->context == NULL || SSL_CTX_use_certificate_chain_file(kick->context, kick->certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(kick->context, kick->key, SSL_FILETYPE_PEM) != 1)
    return false;
  SSL_CTX_set_verify(kick->context, SSL_VERIFY_NONE, NULL);
  kick->ssl = SSL_new(kick->context);
  kick->in = BIO_new(BIO_s_mem());
  kick->out = BIO_new(BIO_s_mem());
  if (kick->ssl == NULL || kick->in == NULL || kick->out == NULL) {
    BIO_free(kick->in);
    BIO_free(kick->out);
    return false;
  }
  BIO_set_mem_eof_return(kick->in, -1);
  SSL_set_bio(kick->ssl, kick->in, kick->out);
  SSL_set_connect_state(kick->ssl);
  return SSL_set_tlsext_host_name(kick->ssl, kick->task.broker->config.host) == 1;
}

static void on_event(struct dial *dial, int status)
{
  struct kick *kick = of_dial(dial);
  if (status != 0) {
    fail(kick, uv_strerror(status));
    return;
  }
  if (!make_tls(kick)) {
    ERR_clear_error();
    fail(kick, "OpenSSL cannot use the operator's certificate and key");
    return;
  }
  uv_read_start((uv_stream_t *) &dial->tcp, on_alloc, on_read);
  advance(kick);
}

static void on_cancel(struct task *task)
{
  struct kick *kick = (struct kick *) task;
  if (!kick->dial.closing) fail(kick, "stopped");
  kick->failed = true;
  kick->error.code = EXIT_CODE_INTERRUPTED;
}

void kick_run(struct broker *broker, const struct broker_kick *wanted, broker_done done, void *ctx)
{
  struct kick *kick = calloc(1, sizeof *kick);
  if (kick == NULL) memory_gone("a kick");
  kick->done = done;
  kick->ctx = ctx;
  kick->keep_session = wanted->keep_session;
  snprintf(kick->id, sizeof kick->id, "%s", wanted->client_id);
  snprintf(kick->certificate, sizeof kick->certificate, "%s", wanted->certificate_path);
  snprintf(kick->key, sizeof kick->key, "%s", wanted->key_path);
  error_set(&kick->error, EXIT_CODE_INTERRUPTED, "stopped");
  broker_task_begin(broker, &kick->task, on_cancel);
  dial_start(&kick->dial, broker->loop, broker->config.permit, broker_address(broker, BROKER_MAIN),
             broker->port[BROKER_MAIN], KICK_MS, 0, on_event);
}

/* A handshake without trust, to see the certificate that a broker serves: it is looked at and
 * given up. In TLS 1.2 the broker ends it because we show none, which is no failure once it was
 * seen. */
#define _POSIX_C_SOURCE 200809L
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host_port.h"
#include "base/memory.h"
#include "broker/internal.h"

enum { PROBE_MS = 5000, CHUNK = 4096 };

struct probe {
  struct task task;
  struct dial dial;
  SSL_CTX *context;
  SSL *ssl;
  BIO *in, *out;
  enum broker_listener listener;
  char chunk[CHUNK];
  broker_seen_done done;
  void *ctx;
  struct broker_seen seen;
  bool failed;
  struct error error;
};

static struct probe *probe_of_dial(struct dial *dial)
{
  return (struct probe *) ((char *) dial - offsetof(struct probe, dial));
}

static void on_closed(struct dial *dial)
{
  struct probe *probe = probe_of_dial(dial);
  struct broker *broker = probe->task.broker;
  broker_task_end(&probe->task);
  SSL_free(probe->ssl);
  SSL_CTX_free(probe->context);
  if (probe->failed)
    probe->done(probe->ctx, NULL, &probe->error);
  else
    probe->done(probe->ctx, &probe->seen, NULL);
  free(probe);
  broker_release(broker);
}

static void fail_probe(struct probe *probe, const char *why)
{
  struct broker *broker = probe->task.broker;
  probe->failed = true;
  char place[HOST_PORT_MAX];
  error_set(&probe->error, EXIT_CODE_SETUP, "the certificate that %s serves cannot be seen: %s",
            host_port(broker_address(broker, probe->listener), broker_port(broker, probe->listener),
                      place),
            why);
  dial_close(&probe->dial, on_closed);
}

static bool take_certificate(struct probe *probe)
{
  X509 *leaf = SSL_get0_peer_certificate(probe->ssl);
  STACK_OF(X509) *chain = SSL_get_peer_cert_chain(probe->ssl);
  if (leaf == NULL || chain == NULL) return false;
  probe->seen.certificates = (unsigned) sk_X509_num(chain);
  return X509_digest(leaf, EVP_sha256(), probe->seen.fingerprint, NULL) == 1;
}

/* A connection that has just been opened has room for a whole flight, so what cannot be sent at
   once is a failure. */
static bool flush(struct probe *probe)
{
  char *data = NULL;
  long size = BIO_get_mem_data(probe->out, &data);
  if (size <= 0) return true;
  uv_buf_t buffer = uv_buf_init(data, (unsigned) size);
  bool sent = uv_try_write((uv_stream_t *) &probe->dial.tcp, &buffer, 1) == size;
  (void) BIO_reset(probe->out);
  return sent;
}

/* In TLS 1.2 the broker refuses us, who have no certificate, before the handshake ends: what it
 * served has been seen all the same. */
static void advance(struct probe *probe)
{
  int result = SSL_do_handshake(probe->ssl);
  int why = SSL_get_error(probe->ssl, result);
  bool sent = flush(probe);
  if (why == SSL_ERROR_WANT_READ && sent) return;
  if (take_certificate(probe))
    dial_close(&probe->dial, on_closed);
  else
    fail_probe(probe, sent ? "it ends the TLS handshake" : "the connection does not take data");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct probe *probe = probe_of_dial(handle->data);
  *buffer = uv_buf_init(probe->chunk, sizeof probe->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct probe *probe = probe_of_dial(stream->data);
  if (probe->dial.closing || size == 0) return;
  if (size < 0) {
    fail_probe(probe, size == UV_EOF ? "it closes the connection" : uv_strerror((int) size));
    return;
  }
  BIO_write(probe->in, buffer->base, (int) size);
  advance(probe);
}

static bool make_tls(struct probe *probe)
{
  probe->context = SSL_CTX_new(TLS_client_method());
  if (probe->context == NULL) return false;
  SSL_CTX_set_verify(probe->context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_security_level(probe->context, 0);
  probe->ssl = SSL_new(probe->context);
  probe->in = BIO_new(BIO_s_mem());
  probe->out = BIO_new(BIO_s_mem());
  if (probe->ssl == NULL || probe->in == NULL || probe->out == NULL) {
    BIO_free(probe->in);
    BIO_free(probe->out);
    return false;
  }
  BIO_set_mem_eof_return(probe->in, -1);
  SSL_set_bio(probe->ssl, probe->in, probe->out);
  SSL_set_connect_state(probe->ssl);
  return SSL_set_tlsext_host_name(probe->ssl, probe->task.broker->config.host) == 1;
}

static void on_event(struct dial *dial, int status)
{
  struct probe *probe = probe_of_dial(dial);
  if (status != 0) {
    fail_probe(probe, uv_strerror(status));
    return;
  }
  if (!make_tls(probe)) {
    fail_probe(probe, "OpenSSL cannot make a connection");
    return;
  }
  uv_read_start((uv_stream_t *) &dial->tcp, on_alloc, on_read);
  advance(probe);
}

static void on_cancel(struct task *task)
{
  struct probe *probe = (struct probe *) task;
  if (!probe->dial.closing) fail_probe(probe, "stopped");
  probe->failed = true;
  probe->error.code = EXIT_CODE_INTERRUPTED;
}

void broker_probe(struct broker *broker, enum broker_listener listener, broker_seen_done done,
                  void *ctx)
{
  struct probe *probe = calloc(1, sizeof *probe);
  if (probe == NULL) memory_gone("a look at the broker");
  probe->done = done;
  probe->ctx = ctx;
  probe->listener = listener;
  error_set(&probe->error, EXIT_CODE_INTERRUPTED, "stopped");
  broker_task_begin(broker, &probe->task, on_cancel);
  dial_start(&probe->dial, broker->loop, broker->config.permit, broker_address(broker, listener),
             broker->port[listener], PROBE_MS, 0, on_event);
}

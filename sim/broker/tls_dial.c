/* TLS over memory BIOs, between a dial's socket and the owner: what comes is put in, the handshake
 * or the owner takes it out. What the other side ends is told in its own words where OpenSSL has
 * some.
 */
#define _POSIX_C_SOURCE 200809L
#include "broker/tls_dial.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <string.h>

#include "net/failure.h"
#include "net/tls_alpn.h"
#include "net/tls_failure.h"

static struct tls_dial *tls_dial_of(struct dial *dial)
{
  return (struct tls_dial *) ((char *) dial - offsetof(struct tls_dial, dial));
}

/* A device that does not take the chain never comes to what follows. */
static void name(struct tls_dial *dial, enum device_failure failure)
{
  enum device_failure verdict = tls_failure_of_verdict(dial->verdict);
  dial->failure = verdict != DEVICE_FAIL_NONE ? verdict : failure;
}

/* To the owner: probe.c or greet.c. */
static void tell(struct tls_dial *dial, enum tls_dial_event event, const char *why)
{
  dial->config.event(dial, event, why);
}

/* The other side has ended the connection. */
static enum device_failure of_end(const struct tls_dial *dial, int status)
{
  enum device_failure failure = status == UV_EOF ? DEVICE_FAIL_TCP_CLOSED : net_failure(-status);
  if (dial->ready && failure == DEVICE_FAIL_TCP_CLOSED) return DEVICE_FAIL_TLS_CLOSED;
  if (dial->ready && failure == DEVICE_FAIL_TCP_RESET) return DEVICE_FAIL_TLS_RESET;
  return failure;
}

/* The other side has ended TLS; the error is on OpenSSL's queue, if there is one. */
static enum device_failure of_error(void)
{
  unsigned long error = ERR_peek_last_error();
  if (error == 0) return DEVICE_FAIL_TLS_CLOSED;
  return ERR_GET_LIB(error) == ERR_LIB_SSL ? tls_failure_of_reason(ERR_GET_REASON(error))
                                           : DEVICE_FAIL_TLS_INTERNAL;
}

static bool flush(struct tls_dial *dial)
{
  char *data = NULL;
  long size = BIO_get_mem_data(dial->out, &data);
  if (size <= 0) return true;
  uv_buf_t buffer = uv_buf_init(data, (unsigned) size);
  bool sent = uv_try_write((uv_stream_t *) &dial->dial.tcp, &buffer, 1) == size;
  (void) BIO_reset(dial->out);
  return sent;
}

/* Where the handshake is not taken any more the other side has ended it, which shows in what is
   read. */
static bool shake(struct tls_dial *dial)
{
  int result = SSL_do_handshake(dial->ssl);
  int why = SSL_get_error(dial->ssl, result);
  (void) flush(dial);
  name(dial, result == 1 ? DEVICE_FAIL_NONE : of_error());
  ERR_clear_error();
  if (result == 1) return true;
  if (why != SSL_ERROR_WANT_READ) tell(dial, TLS_DIAL_ENDED, "it ends the TLS handshake");
  return false;
}

static void advance(struct tls_dial *dial)
{
  if (!dial->ready) {
    if (!shake(dial)) return;
    dial->ready = true;
    tell(dial, TLS_DIAL_READY, NULL);
  }
  if (!dial->dial.closing) tell(dial, TLS_DIAL_DATA, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct tls_dial *dial = tls_dial_of(handle->data);
  *buffer = uv_buf_init(dial->chunk, sizeof dial->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct tls_dial *dial = tls_dial_of(stream->data);
  if (dial->dial.closing || size == 0) return;
  if (size < 0) {
    name(dial, of_end(dial, (int) size));
    tell(dial, TLS_DIAL_ENDED,
         size == UV_EOF ? "it closes the connection" : uv_strerror((int) size));
    return;
  }
  BIO_write(dial->in, buffer->base, (int) size);
  advance(dial);
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct tls_dial *dial = SSL_get_app_data(ssl);
  if (ok != 1 && dial->verdict == X509_V_OK) dial->verdict = X509_STORE_CTX_get_error(store);
  return 1;
}

static bool set_trust(struct tls_dial *dial)
{
  if (dial->config.ca == NULL) return true;
  SSL_CTX_set_verify(dial->context, SSL_VERIFY_PEER, on_verify);
  return SSL_CTX_load_verify_file(dial->context, dial->config.ca) == 1;
}

/* The name, or the address. */
static bool set_host(struct tls_dial *dial)
{
  const char *host = dial->config.host;
  struct in6_addr address;
  if (SSL_set_tlsext_host_name(dial->ssl, host) != 1) return false;
  if (dial->config.ca == NULL) return true;
  if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(dial->ssl), host) == 1;
  return SSL_set1_host(dial->ssl, host) == 1;
}

/* Level 0: also what is too weak to be trusted can be looked at. */
static bool make_context(struct tls_dial *dial)
{
  const struct tls_dial_config *config = &dial->config;
  dial->context = SSL_CTX_new(TLS_client_method());
  if (dial->context == NULL) return false;
  SSL_CTX_set_verify(dial->context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_security_level(dial->context, 0);
  unsigned char alpn[TLS_ALPN_MAX];
  if (config->alpn != NULL &&
      SSL_CTX_set_alpn_protos(dial->context, alpn, tls_alpn(config->alpn, alpn)) != 0)
    return false;
  if (!set_trust(dial)) return false;
  return config->certificate == NULL ||
         (SSL_CTX_use_certificate_chain_file(dial->context, config->certificate) == 1 &&
          SSL_CTX_use_PrivateKey_file(dial->context, config->key, SSL_FILETYPE_PEM) == 1);
}

static bool make_tls(struct tls_dial *dial)
{
  if (!make_context(dial)) return false;
  dial->ssl = SSL_new(dial->context);
  dial->in = BIO_new(BIO_s_mem());
  dial->out = BIO_new(BIO_s_mem());
  if (dial->ssl == NULL || dial->in == NULL || dial->out == NULL) {
    BIO_free(dial->in);
    BIO_free(dial->out);
    return false;
  }
  BIO_set_mem_eof_return(dial->in, -1);
  SSL_set_bio(dial->ssl, dial->in, dial->out);
  SSL_set_app_data(dial->ssl, dial);
  SSL_set_connect_state(dial->ssl);
  return set_host(dial);
}

/* Of what comes before the first byte, and of the deadline. */
static enum device_failure of_status(const struct tls_dial *dial, int status)
{
  bool late = status == UV_ETIMEDOUT;
  if (late && dial->ready) return DEVICE_FAIL_MQTT_TIMEOUT;
  if (late) return dial->connected ? DEVICE_FAIL_TLS_TIMEOUT : DEVICE_FAIL_TCP_TIMEOUT;
  return status <= UV_EAI_ADDRFAMILY && status >= UV_EAI_PROTOCOL ? DEVICE_FAIL_NAME_NOT_FOUND
                                                                  : net_failure(-status);
}

/* Called by the dial: the connection stands, or not, or the deadline has passed. */
static void on_dial_event(struct dial *tcp, int status)
{
  struct tls_dial *dial = tls_dial_of(tcp);
  if (status != 0) {
    bool late = dial->connected && status == UV_ETIMEDOUT;
    name(dial, of_status(dial, status));
    tell(dial, late ? TLS_DIAL_LATE : TLS_DIAL_UNREACHED, uv_strerror(status));
    return;
  }
  bool made = make_tls(dial);
  ERR_clear_error();
  if (!made) {
    dial->failure = DEVICE_FAIL_TLS_INTERNAL;
    tell(dial, TLS_DIAL_UNUSABLE, NULL);
    return;
  }
  dial->connected = true;
  uv_read_start((uv_stream_t *) &tcp->tcp, on_alloc, on_read);
  advance(dial);
}

void tls_dial_start(struct tls_dial *dial, uv_loop_t *loop, const struct tls_dial_config *config)
{
  memset(dial, 0, sizeof *dial);
  dial->config = *config;
  dial_start(&dial->dial, loop, config->permit, config->address, config->port, config->from,
             config->turn, config->timeout_ms, 0, on_dial_event);
}

bool tls_dial_peer(const struct tls_dial *dial, struct chain_prints *out)
{
  STACK_OF(X509) *chain = dial->ssl != NULL ? SSL_get_peer_cert_chain(dial->ssl) : NULL;
  int count = chain != NULL ? sk_X509_num(chain) : 0;
  out->count = 0;
  for (int i = 0; i < count && out->count < CHAIN_PRINTS_MAX; i++) {
    const X509 *one = sk_X509_value(chain, i);
    if (X509_digest(one, EVP_sha256(), out->sha256[out->count++], NULL) != 1) return false;
  }
  return count > 0;
}

int tls_dial_read(struct tls_dial *dial, void *data, size_t size, const char **why)
{
  int n = SSL_read(dial->ssl, data, (int) size);
  if (n > 0) return n;
  bool more = SSL_get_error(dial->ssl, n) == SSL_ERROR_WANT_READ;
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  *why = reason == NULL ? "it ends TLS" : reason;
  if (!more) name(dial, of_error());
  ERR_clear_error();
  return more ? 0 : -1;
}

bool tls_dial_write(struct tls_dial *dial, const void *data, size_t size)
{
  bool taken = SSL_write(dial->ssl, data, (int) size) == (int) size && flush(dial);
  ERR_clear_error();
  return taken;
}

void tls_dial_extend(struct tls_dial *dial, uint64_t timeout_ms)
{
  dial_extend(&dial->dial, timeout_ms);
}

bool tls_dial_is_closing(const struct tls_dial *dial)
{
  return dial->dial.closing;
}

static void on_dial_gone(struct dial *tcp)
{
  struct tls_dial *dial = tls_dial_of(tcp);
  SSL_free(dial->ssl);
  SSL_CTX_free(dial->context);
  dial->closed(dial); /* the owner's, which may free it */
}

void tls_dial_close(struct tls_dial *dial, void (*closed)(struct tls_dial *dial))
{
  dial->closed = closed;
  dial_close(&dial->dial, on_dial_gone);
}

#define _POSIX_C_SOURCE 200809L
/* One client: TLS on its side, plain MQTT on mosquitto's.
 *
 * SHAKING: the TLS handshake. GREETING: its CONNECT is collected and judged; reading stops until
 * mosquitto's end is open. RELAYING: bytes both ways. LEAVING: nothing is taken any more, what was
 * sent is given time to arrive.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "terminator/internal.h"

enum { CHUNK = 16384 };
enum client_state { SHAKING, GREETING, RELAYING, LEAVING };

struct client {
  struct client *next, **link;
  struct terminator *terminator;
  int listener;
  enum client_state state;
  SSL *ssl;
  BIO *in, *out; /* of ssl */
  uv_tcp_t tcp;
  uv_pipe_t broker;
  uv_timer_t deadline;
  uv_connect_t connecting;
  uv_shutdown_t shutdown[2];
  unsigned shutting; /* shutdowns that have not come back */
  unsigned handles;
  bool closing, gone; /* gone: the client's end has closed */
  bool broker_open;
  char name[TERMINATOR_NAME_MAX];
  uint8_t greeting[TERMINATOR_CONNECT_MAX + 8];
  size_t greeting_size;
};

struct parcel {
  uv_write_t request;
  struct client *client;
  char bytes[];
};

static char room[CHUNK]; /* one thread, and nothing stays in it from one call to the next */

static void go_on(struct client *c);

static const char *shown(const struct client *c)
{
  return c->name[0] != '\0' ? c->name : "a client";
}

/* --- The end ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
  struct client *c = handle->data;
  if (--c->handles > 0) return;
  SSL_free(c->ssl);
  free(c);
}

static void close_now(struct client *c)
{
  if (c->closing) return;
  c->closing = true;
  *c->link = c->next;
  if (c->next != NULL) c->next->link = c->link;
  c->terminator->client_count--;
  uv_close((uv_handle_t *) &c->tcp, on_handle_closed);
  uv_close((uv_handle_t *) &c->broker, on_handle_closed);
  uv_close((uv_handle_t *) &c->deadline, on_handle_closed);
}

static void close_if_done(struct client *c)
{
  if (c->gone && c->shutting == 0) close_now(c);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
  (void) status;
  struct client *c = request->data;
  c->shutting--;
  if (!c->closing) close_if_done(c);
}

static void on_sent(uv_write_t *request, int status);

static bool send_bytes(struct client *c, uv_stream_t *to, const void *bytes, size_t size)
{
  struct parcel *parcel = malloc(sizeof *parcel + size);
  if (parcel == NULL) memory_gone("a packet at the terminator");
  memcpy(parcel->bytes, bytes, size);
  parcel->client = c;
  parcel->request.data = parcel;
  uv_buf_t buffer = uv_buf_init(parcel->bytes, (unsigned) size);
  if (uv_write(&parcel->request, to, &buffer, 1, on_sent) == 0) return true;
  free(parcel);
  return false;
}

static void flush(struct client *c)
{
  char *bytes = NULL;
  long size = BIO_get_mem_data(c->out, &bytes);
  if (size > 0) (void) send_bytes(c, (uv_stream_t *) &c->tcp, bytes, (size_t) size);
  (void) BIO_reset(c->out);
}

static void end_stream(struct client *c, int which, uv_stream_t *stream)
{
  c->shutdown[which].data = c;
  if (uv_shutdown(&c->shutdown[which], stream, on_shutdown) == 0) c->shutting++;
}

static void on_deadline(uv_timer_t *timer)
{
  struct client *c = timer->data;
  if (c->state != LEAVING)
    terminator_log(c->terminator, "%s: %s has not %s in time: closed", terminator_stem[c->listener],
                   shown(c), c->state == SHAKING ? "done its TLS handshake" : "sent its CONNECT");
  close_now(c);
}

/* What was sent to either side still arrives; the client's bytes are read and forgotten, because
 * closing over unread ones would reset the connection, and the alert in it be lost. */
static void leave(struct client *c)
{
  if (c->state == LEAVING || c->closing) return;
  c->state = LEAVING;
  ERR_clear_error();
  if (SSL_is_init_finished(c->ssl)) (void) SSL_shutdown(c->ssl);
  ERR_clear_error();
  flush(c);
  uv_timer_start(&c->deadline, on_deadline, TERMINATOR_LINGER_MS, 0);
  end_stream(c, 0, (uv_stream_t *) &c->tcp);
  if (c->broker_open) {
    uv_read_stop((uv_stream_t *) &c->broker);
    end_stream(c, 1, (uv_stream_t *) &c->broker);
  }
  close_if_done(c);
}

static void refuse(struct client *c, const char *why)
{
  terminator_log(c->terminator, "%s: %s refused: %s", terminator_stem[c->listener], shown(c), why);
  leave(c);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
  (void) handle, (void) suggested;
  *out = uv_buf_init(room, sizeof room);
}

static void on_client_bytes(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct client *c = stream->data;
  if (size == 0) return;
  if (size < 0) {
    c->gone = true;
    uv_read_stop(stream);
    leave(c);
    close_if_done(c);
    return;
  }
  if (c->state == LEAVING) return;
  if (BIO_write(c->in, buffer->base, (int) size) != size) memory_gone("a record at the terminator");
  go_on(c);
}

static void on_broker_bytes(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct client *c = stream->data;
  if (size == 0 || c->state != RELAYING) return;
  ERR_clear_error();
  if (size < 0 || SSL_write(c->ssl, buffer->base, (int) size) != size) {
    leave(c);
    return;
  }
  flush(c);
  if (uv_stream_get_write_queue_size((uv_stream_t *) &c->tcp) > TERMINATOR_QUEUE_MAX)
    uv_read_stop(stream);
}

static void on_sent(uv_write_t *request, int status)
{
  struct parcel *parcel = request->data;
  struct client *c = parcel->client;
  free(parcel);
  if (c->closing || c->state != RELAYING) return;
  if (status != 0) {
    leave(c);
    return;
  }
  if (uv_stream_get_write_queue_size((uv_stream_t *) &c->tcp) == 0)
    uv_read_start((uv_stream_t *) &c->broker, on_room, on_broker_bytes);
  if (uv_stream_get_write_queue_size((uv_stream_t *) &c->broker) == 0)
    uv_read_start((uv_stream_t *) &c->tcp, on_room, on_client_bytes);
}

static void relay(struct client *c)
{
  char bytes[CHUNK];
  int size;
  ERR_clear_error();
  while ((size = SSL_read(c->ssl, bytes, sizeof bytes)) > 0)
    if (!send_bytes(c, (uv_stream_t *) &c->broker, bytes, (size_t) size)) break;
  bool more = SSL_get_error(c->ssl, size) == SSL_ERROR_WANT_READ;
  flush(c);
  if (!more)
    leave(c);
  else if (uv_stream_get_write_queue_size((uv_stream_t *) &c->broker) > TERMINATOR_QUEUE_MAX)
    uv_read_stop((uv_stream_t *) &c->tcp);
}

/* --- CONNECT ---------------------------------------------------------------------------------- */

/* Under which client id it may connect; NULL: any. */
static const char *id_of(const struct client *c)
{
  const char *name = c->terminator->config->operator_name;
  if (name != NULL && strcmp(c->name, name) == 0) return NULL;
  return roster_id(c->terminator->roster, c->name);
}

static void on_broker_open(uv_connect_t *request, int status)
{
  struct client *c = request->data;
  uint8_t connect[sizeof c->greeting + TERMINATOR_NAME_MAX + 8];
  if (c->closing || c->state == LEAVING) return;
  if (status != 0) {
    refuse(c, "mosquitto does not take the connection");
    return;
  }
  c->broker_open = true;
  struct terminator_connect judged =
      terminator_connect(c->greeting, c->greeting_size, c->name, id_of(c), connect);
  uv_timer_stop(&c->deadline);
  c->state = RELAYING;
  if (!send_bytes(c, (uv_stream_t *) &c->broker, connect, judged.size) ||
      uv_read_start((uv_stream_t *) &c->broker, on_room, on_broker_bytes) != 0 ||
      (c->greeting_size > judged.taken &&
       !send_bytes(c, (uv_stream_t *) &c->broker, c->greeting + judged.taken,
                   c->greeting_size - judged.taken))) {
    leave(c);
    return;
  }
  uv_read_start((uv_stream_t *) &c->tcp, on_room, on_client_bytes);
  relay(c);
}

static void judge_connect(struct client *c)
{
  uint8_t connect[sizeof c->greeting + TERMINATOR_NAME_MAX + 8];
  struct terminator_connect judged =
      terminator_connect(c->greeting, c->greeting_size, c->name, id_of(c), connect);
  if (judged.wrong != NULL) {
    refuse(c, judged.wrong);
  } else if (judged.taken > 0) {
    uv_read_stop((uv_stream_t *) &c->tcp);
    c->connecting.data = c;
    uv_pipe_connect(&c->connecting, &c->broker, TERMINATOR_SOCKET, on_broker_open);
  }
}

/* The buffer holds the longest CONNECT and is judged whenever the records that are here have been
   read. */
static void greet(struct client *c)
{
  int size = 1;
  while (size > 0 && c->greeting_size < sizeof c->greeting) {
    ERR_clear_error();
    size = SSL_read(c->ssl, c->greeting + c->greeting_size,
                    (int) (sizeof c->greeting - c->greeting_size));
    if (size > 0) c->greeting_size += (size_t) size;
  }
  bool open = size > 0 || SSL_get_error(c->ssl, size) == SSL_ERROR_WANT_READ;
  flush(c);
  if (open)
    judge_connect(c);
  else
    leave(c);
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* The only CN, if it is a name that mosquitto's patterns can stand on. */
static bool find_name(struct client *c, X509 *leaf)
{
  X509_NAME *subject = leaf != NULL ? X509_get_subject_name(leaf) : NULL;
  int at = subject != NULL ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return false;
  const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  int size = ASN1_STRING_length(text);
  if (size < 1 || size >= TERMINATOR_NAME_MAX) return false;
  const uint8_t *bytes = ASN1_STRING_get0_data(text);
  for (int i = 0; i < size; i++)
    if (bytes[i] < ' ' || bytes[i] >= 0x7f || strchr("+#/", bytes[i]) != NULL) return false;
  memcpy(c->name, bytes, (size_t) size);
  return true;
}

/* OpenSSL keeps no certificate that it refused: its name is taken down for the log while it is
   looked at. */
static int on_verified(int good, X509_STORE_CTX *chain)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct client *c = SSL_get_app_data(ssl);
  X509 *leaf = X509_STORE_CTX_get0_cert(chain);
  if (!good && leaf != NULL) (void) find_name(c, leaf);
  return good;
}

static void refuse_handshake(struct client *c)
{
  char reason[160];
  long verdict = SSL_get_verify_result(c->ssl);
  ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
  refuse(c, verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : reason);
}

static void shake(struct client *c)
{
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  int error = SSL_get_error(c->ssl, result);
  if (result == 1 && find_name(c, SSL_get0_peer_certificate(c->ssl))) {
    flush(c);
    terminator_log(c->terminator, "%s: %s accepted, %s handshake, %s", terminator_stem[c->listener],
                   c->name, SSL_session_reused(c->ssl) ? "resumed" : "full",
                   SSL_get_version(c->ssl));
    c->state = GREETING;
    uint32_t connect_ms = c->terminator->config->connect_ms;
    uv_timer_start(&c->deadline, on_deadline, connect_ms != 0 ? connect_ms : TERMINATOR_CONNECT_MS,
                   0);
    go_on(c);
  } else if (result == 1) {
    refuse(c, "its certificate has no usable CN");
  } else if (error != SSL_ERROR_WANT_READ) {
    refuse_handshake(c);
  } else {
    flush(c);
  }
}

static void go_on(struct client *c)
{
  if (c->closing) return;
  switch (c->state) {
  case SHAKING: shake(c); break;
  case GREETING: greet(c); break;
  case RELAYING: relay(c); break;
  case LEAVING: break;
  }
}

/* --- The beginning ---------------------------------------------------------------------------- */

static bool make_tls(struct client *c)
{
  c->ssl = SSL_new(c->terminator->context[c->listener]);
  c->in = BIO_new(BIO_s_mem());
  c->out = BIO_new(BIO_s_mem());
  if (c->ssl == NULL || c->in == NULL || c->out == NULL) {
    BIO_free(c->in);
    BIO_free(c->out);
    return false;
  }
  BIO_set_mem_eof_return(c->in, -1);
  SSL_set_bio(c->ssl, c->in, c->out);
  SSL_set_app_data(c->ssl, c);
  SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verified);
  SSL_set_accept_state(c->ssl);
  return true;
}

void client_accept(struct terminator *t, int listener, int fd)
{
  uint32_t handshake_ms =
      t->config->handshake_ms != 0 ? t->config->handshake_ms : TERMINATOR_HANDSHAKE_MS;
  struct client *c = calloc(1, sizeof *c);
  if (c == NULL) memory_gone("a client of the terminator");
  *c = (struct client){
      .next = t->clients, .link = &t->clients, .terminator = t, .listener = listener, .handles = 3};
  if (t->clients != NULL) t->clients->link = &c->next;
  t->clients = c;
  t->client_count++;
  uv_tcp_init(&t->loop, &c->tcp);
  uv_pipe_init(&t->loop, &c->broker, 0);
  uv_timer_init(&t->loop, &c->deadline);
  c->tcp.data = c->broker.data = c->deadline.data = c;
  int opened = uv_tcp_open(&c->tcp, fd);
  if (opened != 0) close(fd);
  if (opened != 0 || t->client_count > TERMINATOR_CLIENTS_MAX || !make_tls(c) ||
      uv_timer_start(&c->deadline, on_deadline, handshake_ms, 0) != 0 ||
      uv_read_start((uv_stream_t *) &c->tcp, on_room, on_client_bytes) != 0) {
    close_now(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
}

void client_close_all(struct terminator *t)
{
  while (t->clients != NULL) close_now(t->clients);
}

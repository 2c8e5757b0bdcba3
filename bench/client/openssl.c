#define _GNU_SOURCE
/* Plain OpenSSL on libuv's poll handles: what a careful author of a load tool writes when no MQTT
 * library is wanted.
 *
 * How it goes: a non-blocking connect; the handshake as the socket allows; CONNECT; then whole
 * packets out, and CONNACK, PUBACK and PINGRESP in. A connection that ends for whatever reason is
 * counted once and frees itself when libuv gives its handle back. `openssl_lean` also lets OpenSSL
 * release the record buffers of connections that rest.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define IN_SIZE   64 /* bytes of input in hand: sixteen PUBACKs */
#define EVERY_MS  1000
#define IDLE_MS   (CLIENT_KEEP_ALIVE_S * 750u)
#define CONNACK   0x20
#define PUBACK    0x40
#define PINGRESP  0xd0
#define ALL_TAKEN ((1u << CLIENT_WINDOW) - 1)

enum state { CONNECTING, HANDSHAKE, AWAITING_CONNACK, ONLINE };

struct connection {
  uv_poll_t poll;
  SSL *ssl;
  size_t index;
  uint64_t sent_ms; /* began, until something was sent */
  uint32_t unacked; /* bit n: packet id n + 1 awaits its PUBACK */
  int fd, events;   /* what the poll handle waits for */
  enum state state;
  bool pinged;
  bool out_counts;  /* the packet in `out` is a QoS 0 message */
  uint8_t out_size; /* not 0: OpenSSL wants this very packet again */
  uint8_t in_size;
  uint8_t out[PEER_PACKET_MAX], in[IN_SIZE];
};

/* Parsed once, by `open`: OpenSSL 3.0 sets up a decoder for every key it parses, which costs 0.2 ms
 * each time, and a tool that reconnects its devices would keep what it has parsed. */
struct identity {
  X509 *leaf;
  STACK_OF(X509) * issuers;
  EVP_PKEY *key;
};

static struct {
  const struct client_config *config;
  SSL_CTX *tls;
  struct identity *identities;
  struct connection **connections;
  uv_timer_t timer;
  struct client_counts counts;
  char version[32];
} own;

static void on_closed(uv_handle_t *handle)
{
  free(handle->data);
}

static void end(struct connection *c)
{
  if (c->state == ONLINE) {
    own.counts.online--;
    own.counts.lost++;
  } else {
    own.counts.failed++;
  }
  own.connections[c->index] = NULL;
  uv_close((uv_handle_t *) &c->poll, on_closed);
  SSL_free(c->ssl);
  close(c->fd);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void await(struct connection *c, int events)
{
  if (c->events == events) return;
  c->events = events;
  uv_poll_start(&c->poll, events, on_poll);
}

/* After a call to OpenSSL that did not succeed: false when the connection has ended. */
static bool try_again(struct connection *c, int result)
{
  int reason = SSL_get_error(c->ssl, result);
  if (reason == SSL_ERROR_WANT_READ) return true;
  if (reason == SSL_ERROR_WANT_WRITE) {
    await(c, UV_READABLE | UV_WRITABLE);
    return true;
  }
  end(c);
  return false;
}

/* Sends the packet in `out`; it stays there while the socket is full. false: the connection has
   ended. */
static bool flush(struct connection *c)
{
  ERR_clear_error();
  int result = SSL_write(c->ssl, c->out, c->out_size);
  if (result <= 0) return try_again(c, result);
  c->out_size = 0;
  c->sent_ms = uv_now(own.config->loop);
  if (c->out_counts) own.counts.confirmed++;
  c->out_counts = false;
  return true;
}

static void begin_session(struct connection *c)
{
  c->state = AWAITING_CONNACK;
  c->out_size = (uint8_t) peer_write_connect(c->index, c->out);
  await(c, UV_READABLE);
  flush(c);
}

static void shake_hands(struct connection *c)
{
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  if (result == 1)
    begin_session(c);
  else
    try_again(c, result);
}

static void on_connected(struct connection *c)
{
  int failure = 0;
  socklen_t size = sizeof failure;
  if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) {
    end(c);
    return;
  }
  c->state = HANDSHAKE;
  await(c, UV_READABLE);
  shake_hands(c);
}

/* One whole packet; false: nothing that a broker may say now. */
static bool obey(struct connection *c, const uint8_t *packet, size_t size)
{
  if (c->state == AWAITING_CONNACK) {
    if (packet[0] != CONNACK || size != 4 || packet[3] != 0) return false;
    c->state = ONLINE;
    own.counts.online++;
    return true;
  }
  if (packet[0] == PINGRESP && size == 2) {
    c->pinged = false;
    return true;
  }
  if (packet[0] != PUBACK || size != 4) return false;
  unsigned id = (unsigned) (packet[2] << 8 | packet[3]);
  if (id == 0 || id > CLIENT_WINDOW || (c->unacked & 1u << (id - 1)) == 0) return false;
  c->unacked &= ~(1u << (id - 1));
  own.counts.confirmed++;
  return true;
}

/* Every packet that is whole. A length that needs a second byte belongs to none that a broker sends
   us. */
static bool take_packets(struct connection *c)
{
  size_t at = 0;
  while (c->in_size - at >= 2) {
    size_t size = 2u + c->in[at + 1];
    if (size > 4) return false;
    if (c->in_size - at < size) break;
    if (!obey(c, c->in + at, size)) return false;
    at += size;
  }
  memmove(c->in, c->in + at, c->in_size - at);
  c->in_size = (uint8_t) (c->in_size - at);
  return true;
}

/* As long as OpenSSL holds bytes: what is still in the socket, the poll handle tells. false: the
   connection ended. */
static bool receive(struct connection *c)
{
  do {
    ERR_clear_error();
    int result = SSL_read(c->ssl, c->in + c->in_size, IN_SIZE - c->in_size);
    if (result <= 0) return try_again(c, result);
    c->in_size = (uint8_t) (c->in_size + result);
    if (!take_packets(c)) {
      end(c);
      return false;
    }
  } while (SSL_has_pending(c->ssl));
  return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  struct connection *c = poll->data;
  if (status != 0) {
    end(c);
  } else if (c->state == CONNECTING) {
    on_connected(c);
  } else if (c->state == HANDSHAKE) {
    await(c, UV_READABLE);
    shake_hands(c);
  } else {
    if ((events & UV_WRITABLE) != 0) await(c, UV_READABLE);
    if ((events & UV_WRITABLE) != 0 && c->out_size > 0 && !flush(c)) return;
    receive(c); /* also when only writable: it may have been SSL_read that had something to write */
  }
}

/* A connection that rests for three quarters of its keep-alive pings; one whose ping got no answer
   by then is lost. */
static void look_after(struct connection *c, uint64_t now_ms)
{
  uint64_t passed_ms = now_ms - c->sent_ms;
  if (c->state != ONLINE) {
    if (passed_ms >= PEER_CONNECT_MS) end(c);
  } else if (passed_ms >= IDLE_MS) {
    if (c->pinged || c->out_size > 0) {
      end(c);
      return;
    }
    c->pinged = true;
    memcpy(c->out, "\xc0\x00", 2);
    c->out_size = 2;
    flush(c);
  }
}

static void on_timer(uv_timer_t *timer)
{
  uint64_t now_ms = uv_now(timer->loop);
  for (size_t i = 0; i < own.config->devices; i++)
    if (own.connections[i] != NULL) look_after(own.connections[i], now_ms);
}

/* ---- opening ---- */

static SSL_CTX *make_context(const char *trust, bool lean)
{
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  if (tls == NULL) return NULL;
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(tls,
                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | (lean ? SSL_MODE_RELEASE_BUFFERS : 0));
  SSL_CTX_set_read_ahead(tls, 1);
  if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") == 1 &&
      SSL_CTX_set1_groups_list(tls, "P-256") == 1 &&
      SSL_CTX_load_verify_locations(tls, trust, NULL) == 1)
    return tls;
  SSL_CTX_free(tls);
  return NULL;
}

static bool parse_chain(struct identity *out, const struct peer_identity *from, const uint8_t **der)
{
  out->issuers = sk_X509_new_null();
  for (size_t i = 0; i < from->certificates; i++) {
    X509 *certificate = d2i_X509(NULL, der, from->certificate_size[i]);
    if (certificate == NULL) return false;
    if (i == 0)
      out->leaf = certificate;
    else if (sk_X509_push(out->issuers, certificate) == 0)
      return false;
  }
  return out->leaf != NULL;
}

static bool parse_identity(struct identity *out, const struct peer_identity *from)
{
  const uint8_t *der = from->der;
  if (!parse_chain(out, from, &der)) return false;
  out->key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &der, from->key_size);
  return out->key != NULL;
}

static int load_identities(const struct client_config *config, struct error *error)
{
  struct peer_identity *from;
  if (peer_identities(config, &from, error) != 0) return -1;
  own.identities = calloc(config->devices, sizeof *own.identities);
  for (size_t i = 0; i < config->devices; i++) {
    if (own.identities == NULL || !parse_identity(&own.identities[i], &from[i]))
      return error_set(error, EXIT_CODE_USAGE, "OpenSSL cannot use %s.crt and its key",
                       peer_id(i).text);
    free(from[i].der);
  }
  free(from);
  return 0;
}

static int open_peer(const struct client_config *config, bool lean, struct error *error)
{
  char trust[PEER_PATH_MAX];
  signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
  if (load_identities(config, error) != 0) return -1;
  peer_path(config, "ca", ".crt", trust);
  own.tls = make_context(trust, lean);
  if (own.tls == NULL)
    return error_set(error, EXIT_CODE_USAGE, "%s must hold the trusted roots in PEM", trust);
  own.connections = calloc(config->devices, sizeof(struct connection *));
  if (own.connections == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu connections: use fewer devices", config->devices);
  own.config = config;
  uv_timer_init(config->loop, &own.timer);
  uv_timer_start(&own.timer, on_timer, EVERY_MS, EVERY_MS);
  return 0;
}

static int open_plain(const struct client_config *config, struct error *error)
{
  return open_peer(config, false, error);
}

static int open_lean(const struct client_config *config, struct error *error)
{
  return open_peer(config, true, error);
}

/* ---- connecting ---- */

static bool use_identity(SSL *ssl, const struct identity *identity)
{
  return SSL_use_certificate(ssl, identity->leaf) == 1 &&
         SSL_set1_chain(ssl, identity->issuers) == 1 && SSL_use_PrivateKey(ssl, identity->key) == 1;
}

static SSL *make_ssl(size_t index, int fd)
{
  SSL *ssl = SSL_new(own.tls);
  if (ssl == NULL) return NULL;
  SSL_set_connect_state(ssl);
  if (SSL_set1_host(ssl, own.config->host) == 1 &&
      SSL_set_tlsext_host_name(ssl, own.config->host) == 1 &&
      use_identity(ssl, &own.identities[index]) && SSL_set_fd(ssl, fd) == 1)
    return ssl;
  SSL_free(ssl);
  return NULL;
}

/* Without TCP_NODELAY: the kernel puts messages that are written one by one into common segments,
 * as it does for libmosquitto. With it, a QoS 0 message costs more than twice the CPU. */
static int begin_tcp(void)
{
  int fd = socket(own.config->broker.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const struct sockaddr *to = (const struct sockaddr *) &own.config->broker;
  if (connect(fd, to, sizeof(struct sockaddr_in)) == 0 || errno == EINPROGRESS) return fd;
  close(fd);
  return -1;
}

static struct connection *make_connection(size_t index)
{
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL) return NULL;
  c->index = index;
  c->sent_ms = uv_now(own.config->loop);
  c->fd = begin_tcp();
  if (c->fd >= 0) c->ssl = make_ssl(index, c->fd);
  if (c->ssl != NULL && uv_poll_init(own.config->loop, &c->poll, c->fd) == 0) return c;
  SSL_free(c->ssl);
  if (c->fd >= 0) close(c->fd);
  free(c);
  return NULL;
}

static void connect_device(size_t index)
{
  struct connection *c = make_connection(index);
  if (c == NULL) {
    own.counts.failed++;
    return;
  }
  own.connections[index] = c;
  c->poll.data = c;
  await(c, UV_WRITABLE);
}

/* ---- messages ---- */

/* The lowest packet id in 1..CLIENT_WINDOW that no message holds. */
static uint16_t take_packet_id(struct connection *c)
{
  unsigned id = (unsigned) ffs((int) ~c->unacked);
  c->unacked |= 1u << (id - 1);
  return (uint16_t) id;
}

static bool publish(size_t index, int qos)
{
  struct connection *c = own.connections[index];
  if (c == NULL || c->state != ONLINE || c->out_size > 0) return false;
  if (qos == 1 && c->unacked == ALL_TAKEN) return false;
  c->out_counts = qos == 0;
  c->out_size = (uint8_t) peer_write_publish(index, qos == 0 ? 0 : take_packet_id(c), c->out);
  return flush(c);
}

static void counts(struct client_counts *out)
{
  *out = own.counts;
}

static const char *version(void)
{
  snprintf(own.version, sizeof own.version, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
  return own.version;
}

const struct client_kind client_openssl = {.name = "openssl",
                                           .version = version,
                                           .open = open_plain,
                                           .connect = connect_device,
                                           .publish = publish,
                                           .counts = counts};
const struct client_kind client_openssl_lean = {.name = "openssl_lean",
                                                .version = version,
                                                .open = open_lean,
                                                .connect = connect_device,
                                                .publish = publish,
                                                .counts = counts};

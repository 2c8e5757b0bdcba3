#define _GNU_SOURCE
/* libmosquitto with an external loop: the library reads and writes when libuv's poll handle says
 * that it can, and its keep-alive is looked after once a second. One client, with its own SSL_CTX,
 * per device: the library has no other way.
 *
 * What the documentation does not say (2.0.11): while TLS shakes hands, mosquitto_loop_read drives
 * it also where something must be written, and mosquitto_want_write means nothing; so OpenSSL is
 * asked what it waits for. mosquitto_connect_async resolves the host on every connect, before it
 * returns. TCP_NODELAY stays off, the library's default: with it the library spends twice the CPU
 * on a QoS 0 message.
 */
#include <mosquitto.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define EVERY_MS 1000

struct connection {
  uv_poll_t poll;
  struct mosquitto *client;
  size_t index;
  uint64_t began_ms;
  unsigned unacked;
  int events;
  bool online;
  char topic[PEER_TOPIC_SIZE];
};

static struct {
  const struct client_config *config;
  struct connection **connections;
  uv_timer_t timer;
  struct client_counts counts;
  uint16_t port;
  uint8_t payload[CLIENT_PAYLOAD];
  char trust[PEER_PATH_MAX], version[32];
} own;

static void on_closed(uv_handle_t *handle)
{
  free(handle->data);
}

static void end(struct connection *c)
{
  if (c->online) {
    own.counts.online--;
    own.counts.lost++;
  } else {
    own.counts.failed++;
  }
  own.connections[c->index] = NULL;
  uv_close((uv_handle_t *) &c->poll, on_closed);
  mosquitto_destroy(c->client);
}

static void on_connack(struct mosquitto *client, void *user, int code)
{
  (void) client;
  struct connection *c = user;
  if (code != 0 || c->online) return;
  c->online = true;
  own.counts.online++;
}

/* QoS 0: the library wrote it to the socket; QoS 1: PUBACK came. */
static void on_published(struct mosquitto *client, void *user, int packet_id)
{
  (void) client;
  (void) packet_id;
  struct connection *c = user;
  c->unacked--;
  own.counts.confirmed++;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* The TLS session while it shakes hands, or NULL. */
static SSL *handshake_of(const struct connection *c)
{
  SSL *ssl = mosquitto_ssl_get(c->client);
  return ssl != NULL && !SSL_is_init_finished(ssl) ? ssl : NULL;
}

static void await(struct connection *c)
{
  SSL *handshake = handshake_of(c);
  bool write = handshake != NULL ? SSL_want_write(handshake) : mosquitto_want_write(c->client);
  int events = UV_READABLE | (write ? UV_WRITABLE : 0);
  if (c->events == events) return;
  c->events = events;
  uv_poll_start(&c->poll, events, on_poll);
}

static int step(struct connection *c, int events)
{
  if (handshake_of(c) != NULL) {
    int code = mosquitto_loop_read(c->client, 1);
    if (code != MOSQ_ERR_SUCCESS || handshake_of(c) != NULL) return code;
    return mosquitto_loop_write(c->client, 1); /* CONNECT waits in the library's queue */
  }
  int code = (events & UV_WRITABLE) != 0 ? mosquitto_loop_write(c->client, 1) : MOSQ_ERR_SUCCESS;
  if (code == MOSQ_ERR_SUCCESS && (events & UV_READABLE) != 0)
    code = mosquitto_loop_read(c->client, 1);
  return code;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  struct connection *c = poll->data;
  if (status == 0 && step(c, events) == MOSQ_ERR_SUCCESS && mosquitto_socket(c->client) >= 0)
    await(c);
  else
    end(c);
}

static void look_after(struct connection *c, uint64_t now_ms)
{
  bool late = !c->online && now_ms - c->began_ms >= PEER_CONNECT_MS;
  if (!late && mosquitto_loop_misc(c->client) == MOSQ_ERR_SUCCESS &&
      mosquitto_socket(c->client) >= 0)
    await(c);
  else
    end(c);
}

static void on_timer(uv_timer_t *timer)
{
  uint64_t now_ms = uv_now(timer->loop);
  for (size_t i = 0; i < own.config->devices; i++)
    if (own.connections[i] != NULL) look_after(own.connections[i], now_ms);
}

/* The library tries the first address that the name has, and a non-blocking connect never sees the
   second. */
static int check_host(const struct client_config *config, struct error *error)
{
  struct addrinfo *found = NULL;
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int status = getaddrinfo(config->host, NULL, &hints, &found);
  const struct sockaddr_in *first =
      status == 0 ? (const struct sockaddr_in *) found->ai_addr : NULL;
  const struct sockaddr_in *broker = (const struct sockaddr_in *) &config->broker;
  bool same = first != NULL && found->ai_family == AF_INET &&
              first->sin_addr.s_addr == broker->sin_addr.s_addr;
  if (status == 0) freeaddrinfo(found);
  if (same) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%s must resolve to 127.0.0.1 before all else: see /etc/hosts", config->host);
}

static int open_peer(const struct client_config *config, struct error *error)
{
  if (peer_check(config, error) != 0 || check_host(config, error) != 0) return -1;
  peer_path(config, "ca", ".crt", own.trust);
  memset(own.payload, 'x', sizeof own.payload);
  own.port = ntohs(((const struct sockaddr_in *) &config->broker)->sin_port);
  own.connections = calloc(config->devices, sizeof(struct connection *));
  if (own.connections == NULL || mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu connections: use fewer devices", config->devices);
  own.config = config;
  uv_timer_init(config->loop, &own.timer);
  uv_timer_start(&own.timer, on_timer, EVERY_MS, EVERY_MS);
  return 0;
}

static bool configure(struct mosquitto *client, const char *id)
{
  char certificate[PEER_PATH_MAX], key[PEER_PATH_MAX];
  peer_path(own.config, id, ".crt", certificate);
  peer_path(own.config, id, ".key", key);
  mosquitto_connect_callback_set(client, on_connack);
  mosquitto_publish_callback_set(client, on_published);
  return mosquitto_tls_set(client, own.trust, NULL, certificate, key, NULL) == MOSQ_ERR_SUCCESS &&
         mosquitto_tls_opts_set(client, SSL_VERIFY_PEER, "tlsv1.3", NULL) == MOSQ_ERR_SUCCESS &&
         mosquitto_max_inflight_messages_set(client, CLIENT_WINDOW) == MOSQ_ERR_SUCCESS;
}

static bool begin(struct connection *c, size_t index)
{
  struct peer_id id = peer_id(index);
  c->client = mosquitto_new(id.text, true, c);
  return c->client != NULL && configure(c->client, id.text) &&
         mosquitto_connect_async(c->client, own.config->host, own.port, CLIENT_KEEP_ALIVE_S) ==
             MOSQ_ERR_SUCCESS &&
         uv_poll_init(own.config->loop, &c->poll, mosquitto_socket(c->client)) == 0;
}

static void connect_device(size_t index)
{
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL || !begin(c, index)) {
    if (c != NULL) mosquitto_destroy(c->client);
    free(c);
    own.counts.failed++;
    return;
  }
  c->index = index;
  c->began_ms = uv_now(own.config->loop);
  peer_topic(index, c->topic);
  c->poll.data = c;
  own.connections[index] = c;
  await(c);
}

static bool publish(size_t index, int qos)
{
  struct connection *c = own.connections[index];
  if (c == NULL || !c->online) return false;
  if (qos == 0 ? mosquitto_want_write(c->client) : c->unacked >= CLIENT_WINDOW) return false;
  c->unacked++; /* a QoS 0 message may be confirmed before the call returns */
  int code = mosquitto_publish(c->client, NULL, c->topic, CLIENT_PAYLOAD, own.payload, qos, false);
  if (code != MOSQ_ERR_SUCCESS) {
    end(c);
    return false;
  }
  await(c);
  return true;
}

static void counts(struct client_counts *out)
{
  *out = own.counts;
}

static const char *version(void)
{
  int major, minor, revision;
  mosquitto_lib_version(&major, &minor, &revision);
  snprintf(own.version, sizeof own.version, "libmosquitto %d.%d.%d", major, minor, revision);
  return own.version;
}

const struct client_kind client_libmosquitto = {.name = "libmosquitto",
                                                .version = version,
                                                .open = open_peer,
                                                .connect = connect_device,
                                                .publish = publish,
                                                .counts = counts};

#define _GNU_SOURCE
/* paho.mqtt.c's asynchronous client: it brings its own threads, sockets and timers, so libuv only
 * drives the commands. Callbacks come on the library's threads; everything that they touch is
 * atomic.
 */
#include <MQTTAsync.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

struct connection {
  MQTTAsync client;
  atomic_uint unacked; /* QoS 1: awaits PUBACK; QoS 0: awaits the library's word that it was sent */
  atomic_bool online;
  char topic[PEER_TOPIC_SIZE];
};

static struct {
  const struct client_config *config;
  struct connection **connections;
  atomic_size_t online, failed, lost;
  atomic_uint_fast64_t confirmed;
  char payload[CLIENT_PAYLOAD];
  char trust[PEER_PATH_MAX], address[PEER_PATH_MAX], version[32];
} own;

static void on_connected(void *user, MQTTAsync_successData *data)
{
  (void) data;
  struct connection *c = user;
  atomic_fetch_add(&own.online, 1);
  atomic_store(&c->online, true);
}

static void on_failed(void *user, MQTTAsync_failureData *data)
{
  (void) user;
  (void) data;
  atomic_fetch_add(&own.failed, 1);
}

static void on_lost(void *user, char *cause)
{
  (void) cause;
  struct connection *c = user;
  if (!atomic_exchange(&c->online, false)) return;
  atomic_fetch_sub(&own.online, 1);
  atomic_fetch_add(&own.lost, 1);
}

/* The library demands one; nothing is subscribed to. */
static int on_message(void *user, char *topic, int topic_size, MQTTAsync_message *message)
{
  (void) user;
  (void) topic_size;
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static void on_sent(void *user, MQTTAsync_successData *data)
{
  (void) data;
  struct connection *c = user;
  atomic_fetch_sub(&c->unacked, 1);
  atomic_fetch_add(&own.confirmed, 1);
}

static void on_not_sent(void *user, MQTTAsync_failureData *data)
{
  (void) data;
  struct connection *c = user;
  atomic_fetch_sub(&c->unacked, 1);
}

static int open_peer(const struct client_config *config, struct error *error)
{
  MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
  options.do_openssl_init = 1;
  if (peer_check(config, error) != 0) return -1;
  peer_path(config, "ca", ".crt", own.trust);
  memset(own.payload, 'x', sizeof own.payload);
  unsigned port = ntohs(((const struct sockaddr_in *) &config->broker)->sin_port);
  int size = snprintf(own.address, sizeof own.address, "ssl://%s:%u", config->host, port);
  if (size < 0 || (size_t) size >= sizeof own.address)
    return error_set(error, EXIT_CODE_USAGE,
                     "--host is too long: use the name in the broker's certificate");
  own.connections = calloc(config->devices, sizeof(struct connection *));
  if (own.connections == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu connections: use fewer devices", config->devices);
  own.config = config;
  MQTTAsync_global_init(&options);
  return 0;
}

/* The library copies what it is given here. */
static int connect_client(struct connection *c, const char *id)
{
  char certificate[PEER_PATH_MAX], key[PEER_PATH_MAX];
  peer_path(own.config, id, ".crt", certificate);
  peer_path(own.config, id, ".key", key);
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  tls.trustStore = own.trust;
  tls.keyStore = certificate;
  tls.privateKey = key;
  tls.enableServerCertAuth = 1;
  tls.verify = 1; /* the host name too */
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.keepAliveInterval = CLIENT_KEEP_ALIVE_S;
  options.cleansession = 1;
  options.maxInflight = CLIENT_WINDOW;
  options.connectTimeout = PEER_CONNECT_MS / 1000;
  options.automaticReconnect = 0;
  options.ssl = &tls;
  options.onSuccess = on_connected;
  options.onFailure = on_failed;
  options.context = c;
  return MQTTAsync_connect(c->client, &options);
}

static bool begin(struct connection *c, size_t index)
{
  struct peer_id id = peer_id(index);
  peer_topic(index, c->topic);
  return MQTTAsync_create(&c->client, own.address, id.text, MQTTCLIENT_PERSISTENCE_NONE, NULL) ==
             MQTTASYNC_SUCCESS &&
         MQTTAsync_setCallbacks(c->client, c, on_lost, on_message, NULL) == MQTTASYNC_SUCCESS &&
         connect_client(c, id.text) == MQTTASYNC_SUCCESS;
}

static void connect_device(size_t index)
{
  struct connection *c = calloc(1, sizeof *c);
  if (c == NULL || !begin(c, index)) {
    if (c != NULL) MQTTAsync_destroy(&c->client);
    free(c);
    atomic_fetch_add(&own.failed, 1);
    return;
  }
  own.connections[index] = c;
}

static bool publish(size_t index, int qos)
{
  struct connection *c = own.connections[index];
  if (c == NULL || !atomic_load(&c->online) || atomic_load(&c->unacked) >= CLIENT_WINDOW)
    return false;
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = on_sent;
  options.onFailure = on_not_sent;
  options.context = c;
  atomic_fetch_add(&c->unacked, 1);
  if (MQTTAsync_send(c->client, c->topic, CLIENT_PAYLOAD, own.payload, qos, 0, &options) ==
      MQTTASYNC_SUCCESS)
    return true;
  atomic_fetch_sub(&c->unacked, 1);
  return false;
}

static void counts(struct client_counts *out)
{
  *out = (struct client_counts){.online = atomic_load(&own.online),
                                .failed = atomic_load(&own.failed),
                                .lost = atomic_load(&own.lost),
                                .confirmed = atomic_load(&own.confirmed)};
}

static const char *version(void)
{
  const char *number = "unknown";
  for (const MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info->name != NULL; info++)
    if (strcmp(info->name, "Version") == 0) number = info->value;
  snprintf(own.version, sizeof own.version, "paho.mqtt.c %s", number);
  return own.version;
}

const struct client_kind client_paho = {.name = "paho",
                                        .version = version,
                                        .open = open_peer,
                                        .connect = connect_device,
                                        .publish = publish,
                                        .counts = counts};

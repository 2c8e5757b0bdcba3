/* The connection, by paho's MQTTAsync.
 *
 * paho's automaticReconnect is not used: it does not try again when the first connection fails, doubles its pauses
 * to a minute, and its own queue for messages while disconnected drops or refuses what does not fit. Instead a keeper
 * thread connects once a second while the link is down, the outbox owns what is not acknowledged, and each new
 * connection subscribes again (a broker that was killed has forgotten the session) before anything is sent, so that no
 * answer can be missed.
 */
#define _POSIX_C_SOURCE 200809L
#include <MQTTAsync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "operator/internal.h"

enum { RETRY_MS = 1000, CONNECT_S = 10, HANG_MS = 15000, STOP_MS = 2000, KEEP_ALIVE_S = 20 };
enum { FILTERS = 4, FILTERS_MAX = 6 }; /* the others with config.ota only */

static char *const filters[FILTERS_MAX] = {"private/+/telemetry", "private/+/trust/ack",  "private/+/cert/ack",
                                           "private/+/status",    "private/+/ota/status", "private/+/ota/get"};

static int filter_count(const struct operator* op)
{
  return op->config.ota ? FILTERS_MAX : FILTERS;
}

uint64_t link_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void enter(struct operator* op, enum link_state state, enum operator_event_kind kind, const char *text)
{
  struct operator_event event = {.kind = kind, .index = SIZE_MAX};
  snprintf(event.text, sizeof event.text, "%s", text);
  pthread_mutex_lock(&op->mutex);
  op->state = state;
  op->since_ms = link_now_ms();
  if (state == LINK_DOWN) outbox_recall(op);
  bool tell = !op->stopping;
  if (tell) inbox_event(op, &event);
  pthread_mutex_unlock(&op->mutex);
  if (tell) op->config.wake(op->config.ctx);
}

static void hang_up(struct operator* op)
{
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  MQTTAsync_disconnect(op->client, &options);
}

static void begin_with_the_first(struct operator* op)
{
  pthread_mutex_lock(&op->mutex);
  op->at = 0;
  op->since_ms = 0; /* at once: there may be another one */
  pthread_mutex_unlock(&op->mutex);
}

static void on_lost(void *ctx, char *cause)
{
  struct operator* op = ctx;
  enter(op, LINK_DOWN, OPERATOR_LOST, cause != NULL ? cause : "the connection to the broker was lost");
  if (op->config.other_count > 0) begin_with_the_first(op);
}

static int on_message(void *ctx, char *topic, int topic_size, MQTTAsync_message *message)
{
  /* A topic with a zero inside is none of ours; for others paho passes 0 or the size, depending on its release. */
  if (topic_size == 0 || (size_t) topic_size == strlen(topic))
    inbox_message(ctx, topic, message->payload, (size_t) message->payloadlen, message->retained != 0);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static void on_subscribed(void *ctx, MQTTAsync_successData *data)
{
  struct operator* op = ctx;
  for (int i = 0; data != NULL && i < filter_count(op); i++) {
    if (data->alt.qosList[i] <= 2) continue;
    char text[160];
    snprintf(text, sizeof text, "the broker refuses the subscription to %s: let the operator's CN read private/#",
             filters[i]);
    enter(op, LINK_DOWN, OPERATOR_FAILED, text);
    hang_up(op);
    return;
  }
  enter(op, LINK_UP, OPERATOR_CONNECTED, "");
  link_pump(op);
}

static void on_subscribe_failed(void *ctx, MQTTAsync_failureData *data)
{
  (void) data;
  enter(ctx, LINK_DOWN, OPERATOR_FAILED, "the broker did not accept the operator's subscriptions");
  hang_up(ctx);
}

/* The keeper connects again at once. */
static void on_forgotten(void *ctx)
{
  struct operator* op = ctx;
  pthread_mutex_lock(&op->mutex);
  op->forgotten = true;
  op->state = LINK_DOWN;
  op->since_ms = 0;
  pthread_cond_broadcast(&op->changed);
  pthread_mutex_unlock(&op->mutex);
}

static void on_forgotten_well(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  on_forgotten(ctx);
}

static void on_forgotten_badly(void *ctx, MQTTAsync_failureData *data)
{
  (void) data;
  on_forgotten(ctx);
}

/* A clean session has ended the one of an earlier run, with all that waited there. It would not outlive a connection
 * either, so this one ends here, and the next one begins a session that does. */
static void forget_earlier_run(struct operator* op)
{
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  options.onSuccess = on_forgotten_well;
  options.onFailure = on_forgotten_badly;
  options.context = op;
  if (MQTTAsync_disconnect(op->client, &options) != MQTTASYNC_SUCCESS) on_forgotten(op);
}

static void on_connected(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  static const int qos[FILTERS_MAX] = {1, 1, 1, 1, 1, 0};
  struct operator* op = ctx;
  if (!op->forgotten) {
    forget_earlier_run(op);
    return;
  }
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.onSuccess = on_subscribed;
  options.onFailure = on_subscribe_failed;
  options.context = op;
  if (MQTTAsync_subscribeMany(op->client, filter_count(op), filters, qos, &options) != MQTTASYNC_SUCCESS)
    on_subscribe_failed(op, NULL);
}

/* The pause before the next attempt is one per round, not one per server. paho could go through a list of servers by
 * itself, but 1.3.12 was seen to name the first one whichever it has reached. */
static void fail_over(struct operator* op, const char *text)
{
  enter(op, LINK_DOWN, OPERATOR_FAILED, text);
  pthread_mutex_lock(&op->mutex);
  op->at = (op->at + 1) % (op->config.other_count + 1);
  if (op->at != 0) op->since_ms = 0;
  pthread_mutex_unlock(&op->mutex);
}

static void on_connect_failed(void *ctx, MQTTAsync_failureData *data)
{
  struct operator* op = ctx;
  char text[256], tls[sizeof op->tls_error];
  pthread_mutex_lock(&op->mutex);
  memcpy(tls, op->tls_error, sizeof tls);
  op->tls_error[0] = '\0';
  pthread_mutex_unlock(&op->mutex);
  const char *why = data != NULL && data->message != NULL ? data->message : "no reason given";
  if (tls[0] != '\0')
    snprintf(text, sizeof text, "the operator cannot connect: %s", tls);
  else /* paho has one sentence for a refused connection and for a wrong name in the certificate */
    snprintf(text, sizeof text,
             "the operator cannot connect: %.50s: check that %.50s listens, with a certificate for that name", why,
             strstr(op->uri[op->at], "://") + 3);
  fail_over(op, text);
}

static int on_tls_error(const char *text, size_t size, void *ctx)
{
  struct operator* op = ctx;
  size_t n = size < sizeof op->tls_error - 1 ? size : sizeof op->tls_error - 1;
  pthread_mutex_lock(&op->mutex);
  memcpy(op->tls_error, text, n);
  op->tls_error[n] = '\0';
  op->tls_error[strcspn(op->tls_error, "\r\n")] = '\0';
  pthread_mutex_unlock(&op->mutex);
  return 0;
}

static int connect_once(struct operator* op)
{
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  tls.trustStore = op->config.ca_path;
  tls.keyStore = op->config.certificate_path;
  tls.privateKey = op->config.key_path;
  tls.enableServerCertAuth = 1;
  tls.verify = 1; /* the host name */
  tls.disableDefaultTrustStore = 1;
  tls.sslVersion = MQTT_SSL_VERSION_DEFAULT; /* the highest that both know: paho has no name for 1.3 */
  tls.ssl_error_cb = on_tls_error;
  tls.ssl_error_context = op;

  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  char *const uri = op->uri[op->at];
  options.serverURIs = &uri; /* copied */
  options.serverURIcount = 1;
  options.keepAliveInterval = op->config.keep_alive_s != 0 ? op->config.keep_alive_s : KEEP_ALIVE_S;
  options.cleansession = !op->forgotten;
  options.maxInflight = WINDOW + 100; /* paho resends what was in flight before a loss beside what we send */
  options.connectTimeout = CONNECT_S;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.ssl = &tls;
  options.onSuccess = on_connected;
  options.onFailure = on_connect_failed;
  options.context = op;
  return MQTTAsync_connect(op->client, &options);
}

static int write_uri(char uri[OPERATOR_URI_MAX], const char *host, uint16_t port, struct error *error)
{
  bool bare_ipv6 = strchr(host, ':') != NULL;
  int n = snprintf(uri, OPERATOR_URI_MAX, bare_ipv6 ? "ssl://[%s]:%u" : "ssl://%s:%u", host, port);
  if (n > 0 && n < OPERATOR_URI_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the broker's host name is too long");
}

static int write_uris(struct operator* op, struct error *error)
{
  if (write_uri(op->uri[0], op->config.host, op->config.port, error) != 0) return -1;
  for (size_t i = 0; i < op->config.other_count; i++)
    if (write_uri(op->uri[i + 1], op->config.others[i].host, op->config.others[i].port, error) != 0) return -1;
  return 0;
}

int link_open(struct operator* op, struct error *error)
{
  if (write_uris(op, error) != 0) return -1;
  const char *uri = op->uri[0], *name = op->config.client_id != NULL ? op->config.client_id : "operator";
  int status = MQTTAsync_create(&op->client, uri, name, MQTTCLIENT_PERSISTENCE_NONE, NULL);
  if (status != MQTTASYNC_SUCCESS)
    return error_set(error, EXIT_CODE_INTERNAL, "paho does not make a client for %s: %s", uri,
                     MQTTAsync_strerror(status));
  status = MQTTAsync_setCallbacks(op->client, op, on_lost, on_message, NULL);
  if (status == MQTTASYNC_SUCCESS) return 0;
  MQTTAsync_destroy(&op->client);
  return error_set(error, EXIT_CODE_INTERNAL, "paho does not take its callbacks: %s", MQTTAsync_strerror(status));
}

static void answer(struct operator* op)
{
  pthread_mutex_lock(&op->mutex);
  op->answered = true;
  pthread_cond_broadcast(&op->changed);
  pthread_mutex_unlock(&op->mutex);
}

static void on_done(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  answer(ctx);
}

static void on_not_done(void *ctx, MQTTAsync_failureData *data)
{
  (void) data;
  answer(ctx);
}

/* Waits for on_done or on_not_done, if paho took the request. */
static void await_answer(struct operator* op, int status)
{
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += STOP_MS / 1000;
  pthread_mutex_lock(&op->mutex);
  int waited = status == MQTTASYNC_SUCCESS ? 0 : -1;
  while (!op->answered && waited == 0) waited = pthread_cond_timedwait(&op->changed, &op->mutex, &deadline);
  op->answered = false;
  pthread_mutex_unlock(&op->mutex);
}

/* One after the other: paho 1.3.12 loses the memory of an UNSUBACK that comes while it disconnects. */
static void leave(struct operator* op)
{
  MQTTAsync_responseOptions unsubscribe = MQTTAsync_responseOptions_initializer;
  unsubscribe.onSuccess = on_done;
  unsubscribe.onFailure = on_not_done;
  unsubscribe.context = op;
  MQTTAsync_disconnectOptions disconnect = MQTTAsync_disconnectOptions_initializer;
  disconnect.onSuccess = on_done;
  disconnect.onFailure = on_not_done;
  disconnect.context = op;
  disconnect.timeout = STOP_MS / 2;
  await_answer(op, MQTTAsync_unsubscribeMany(op->client, filter_count(op), filters, &unsubscribe));
  await_answer(op, MQTTAsync_disconnect(op->client, &disconnect));
}

/* Keeper's thread. */
static void go_home(struct operator* op)
{
  leave(op);
  enter(op, LINK_DOWN, OPERATOR_LOST, "the operator returns to its first broker");
  begin_with_the_first(op);
}

void link_keep(struct operator* op)
{
  pthread_mutex_lock(&op->mutex);
  uint64_t age_ms = link_now_ms() - op->since_ms;
  bool dial = op->state == LINK_DOWN && age_ms >= RETRY_MS;
  bool hangs = op->state == LINK_CONNECTING && age_ms >= HANG_MS;
  bool home = op->returning && op->state == LINK_UP;
  if (home) op->returning = false;
  if (dial || home) {
    op->state = LINK_CONNECTING;
    op->since_ms = link_now_ms();
  }
  pthread_mutex_unlock(&op->mutex);

  if (home) go_home(op);
  if (hangs) {
    fail_over(op, "the broker does not answer the operator");
    hang_up(op);
  }
  int status = dial ? connect_once(op) : MQTTASYNC_SUCCESS;
  if (status != MQTTASYNC_SUCCESS) {
    char text[160];
    snprintf(text, sizeof text, "the operator cannot connect: %s", MQTTAsync_strerror(status));
    fail_over(op, text);
  }
  link_pump(op);
}

static void on_sent(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  struct operator* op =((struct flight *) ctx)->op;
  outbox_landed(ctx, true);
  link_pump(op);
}

static void on_not_sent(void *ctx, MQTTAsync_failureData *data)
{
  (void) data;
  outbox_landed(ctx, false);
}

/* The parcel may land, and be freed, while MQTTAsync_send still runs; paho has copied it by then. */
void link_pump(struct operator* op)
{
  for (;;) {
    pthread_mutex_lock(&op->mutex);
    struct parcel *parcel = op->state == LINK_UP && !op->stopping ? outbox_take(op) : NULL;
    struct flight *flight = parcel != NULL ? parcel->flight : NULL;
    pthread_mutex_unlock(&op->mutex);
    if (parcel == NULL) return;

    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_sent;
    options.onFailure = on_not_sent;
    options.context = flight;
    if (MQTTAsync_send(op->client, parcel->topic, (int) parcel->size, parcel->data, parcel->qos, parcel->retain,
                       &options) == MQTTASYNC_SUCCESS)
      continue;
    outbox_landed(flight, false);
    return;
  }
}

void link_close(struct operator* op)
{
  if (MQTTAsync_isConnected(op->client)) leave(op);
  MQTTAsync_destroy(&op->client);
}

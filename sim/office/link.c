/* The connection, by paho's MQTTAsync.
 *
 * paho's automaticReconnect is not used: it does not try again when the first connection fails,
 * doubles its pauses to a minute, and its own queue for messages while disconnected drops or
 * refuses what does not fit. Instead a keeper thread connects once a second while the link is down,
 * the outbox owns what is not acknowledged, and each new connection subscribes again (a broker that
 * was killed has forgotten the session) before anything is sent, so that no answer can be missed.
 */
#define _POSIX_C_SOURCE 200809L
#include <MQTTAsync.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/host_port.h"
#include "base/text.h"
#include "office/internal.h"

enum { RETRY_MS = 1000, CONNECT_S = 10, HANG_MS = 12000, STOP_MS = 2000, KEEP_ALIVE_S = 20 };
enum { DIAGNOSE_AFTER = 3, DIAGNOSE_EVERY = 10, UNSUBSCRIBED = 3 };

/* Whose messages the back office hears. */
enum filter_of { OF_ALL, OF_UPDATES, OF_TRESPASS };
static const struct {
  const char *below; /* NULL: telemetry */
  int qos;
  enum filter_of of;
} heard[FILTERS_MAX] = {
    {NULL, 1, OF_ALL},       {"trust/ack", 1, OF_ALL},      {"cert/ack", 1, OF_ALL},
    {"status", 1, OF_ALL},   {"ota/status", 1, OF_UPDATES}, {"ota/get", 0, OF_UPDATES},
    {"csr", 1, OF_TRESPASS},
};

static void choose_filters(struct office *op)
{
  for (size_t f = 0; f < FILTERS_MAX; f++) {
    if ((heard[f].of == OF_UPDATES && !op->config.ota) ||
        (heard[f].of == OF_TRESPASS && !op->config.trespass))
      continue;
    struct office_filter *filter = &op->filters[op->filter_count++];
    filter->qos = heard[f].qos;
    if (heard[f].below == NULL)
      names_telemetry_filter(op->config.names, filter->topics);
    else
      names_filter(op->config.names, heard[f].below, filter->topics);
  }
}

uint64_t link_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void enter_by(struct office *op, enum link_state state, enum office_event_kind kind,
                     uint8_t code, const char *text)
{
  struct office_event event = {.kind = kind, .index = SIZE_MAX, .code = code};
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

static void enter(struct office *op, enum link_state state, enum office_event_kind kind,
                  const char *text)
{
  enter_by(op, state, kind, 0, text);
}

static void hang_up(struct office *op)
{
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  MQTTAsync_disconnect(op->client, &options);
}

static void begin_with_the_first(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  op->at = 0;
  op->since_ms = 0; /* at once: there may be another one */
  pthread_mutex_unlock(&op->mutex);
}

/* Says why, once somebody has found out, and goes on to the next server: the pause before the next
 * attempt is one per round, not one per server. paho could go through a list of servers by itself,
 * but 1.3.12 was seen to name the first one whichever it has reached. */
static void fail_over(struct office *op, const struct office_failure *failure)
{
  pthread_mutex_lock(&op->mutex);
  op->failure = *failure;
  op->failed++;
  pthread_mutex_unlock(&op->mutex);
  enter(op, LINK_DOWN, OFFICE_FAILED, "");
  pthread_mutex_lock(&op->mutex);
  op->at = (op->at + 1) % (op->config.other_count + 1);
  if (op->at != 0) op->since_ms = 0;
  pthread_mutex_unlock(&op->mutex);
}

static void fail_with(struct office *op, bool final, const char *text)
{
  struct office_failure failure = {.failure = DEVICE_FAIL_NONE, .final = final};
  text_copy(failure.text, sizeof failure.text, text);
  fail_over(op, &failure);
}

/* A broker may close the connection where another one refuses a subscription. */
static void end_unsubscribed(struct office *op)
{
  char text[LOSS_TEXT_MAX], cut[LOSS_TEXT_MAX];
  loss_unsubscribed(op, cut);
  pthread_mutex_lock(&op->mutex);
  bool first = op->state == LINK_CONNECTING, sends = op->cut_size > 0;
  bool final = !sends && op->failed + 1 >= UNSUBSCRIBED;
  if (first) op->state = LINK_DOWN;
  if (first) loss_describe(op, NULL, text);
  pthread_mutex_unlock(&op->mutex);
  if (first) fail_with(op, final, sends ? text : cut);
}

static void on_lost(void *ctx, char *cause)
{
  struct office *op = ctx;
  char text[LOSS_TEXT_MAX];
  uint8_t taken = 0;
  pthread_mutex_lock(&op->mutex);
  bool was_up = op->state == LINK_UP;
  if (was_up) loss_describe(op, cause, text);
  if (was_up) taken = loss_takeover(op, text);
  pthread_mutex_unlock(&op->mutex);
  if (!was_up) {
    end_unsubscribed(op);
    return;
  }
  enter_by(op, LINK_DOWN, OFFICE_LOST, taken, text);
  if (op->config.other_count > 0) begin_with_the_first(op);
}

static int on_message(void *ctx, char *topic, int topic_size, MQTTAsync_message *message)
{
  /* A topic with a zero inside is none of ours; for others paho passes 0 or the size, depending on
     its release. */
  if (topic_size == 0 || (size_t) topic_size == strlen(topic))
    inbox_message(ctx, topic, message->payload, (size_t) message->payloadlen,
                  message->retained != 0);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

/* paho has one sentence for most of what can go wrong, and none for the rest. Asking takes a
 * connection of its own: not at once where the operator was connected before, as then the broker is
 * being restarted, or there is another one, which is worth more than a reason.
 */
static bool is_worth_asking(const struct office *op)
{
  unsigned rounds = (op->failed + 1) / (unsigned) (op->config.other_count + 1);
  if (!op->has_connected) return true;
  if (op->config.other_count == 0) return rounds > 1;
  return rounds >= DIAGNOSE_AFTER && (rounds - DIAGNOSE_AFTER) % DIAGNOSE_EVERY == 0;
}

/* The keeper asks: this is paho's thread. What was found out last says more than paho does. */
static void ask_or_fail(struct office *op, const char *text)
{
  pthread_mutex_lock(&op->mutex);
  bool over = op->state != LINK_CONNECTING, asks = !over && is_worth_asking(op);
  struct office_failure known = op->failure;
  if (asks) op->to_be_diagnosed = true;
  if (asks) pthread_cond_broadcast(&op->changed);
  pthread_mutex_unlock(&op->mutex);
  if (asks || over) return;
  if (known.failure != DEVICE_FAIL_NONE)
    fail_over(op, &known);
  else
    fail_with(op, false, text);
}

static void refuse_subscription(struct office *op, unsigned filter, int code)
{
  char text[LOSS_TEXT_MAX];
  pthread_mutex_lock(&op->mutex);
  bool first = op->state == LINK_CONNECTING;
  if (first) op->state = LINK_DOWN;
  pthread_mutex_unlock(&op->mutex);
  if (!first) return;
  loss_refused(op, filter, code, text);
  fail_with(op, true, text);
  hang_up(op);
}

static void on_subscribed(void *ctx, MQTTAsync_successData *data)
{
  const struct subscription *subscription = ctx;
  struct office *op = subscription->op;
  /* of a SUBACK with more codes than filters paho hands out a list instead of the one code */
  int code = data != NULL ? data->alt.qos : -1;
  if (code < 0 || code > 2) {
    refuse_subscription(op, subscription->filter, code);
    return;
  }
  pthread_mutex_lock(&op->mutex);
  op->granted |= 1u << subscription->filter;
  bool all = op->granted == (1u << op->filter_count) - 1 && op->state == LINK_CONNECTING;
  if (all) {
    op->failed = 0;
    op->has_connected = true;
    op->failure = (struct office_failure){.failure = DEVICE_FAIL_NONE};
  }
  pthread_mutex_unlock(&op->mutex);
  if (!all) return;
  enter(op, LINK_UP, OFFICE_CONNECTED, "");
  link_pump(op);
}

static void on_subscribe_failed(void *ctx, MQTTAsync_failureData *data)
{
  const struct subscription *subscription = ctx;
  if (data != NULL && data->code < 0) /* the connection has ended */
    end_unsubscribed(subscription->op);
  else
    refuse_subscription(subscription->op, subscription->filter, data != NULL ? data->code : -1);
}

/* The keeper connects again at once. */
static void on_forgotten(void *ctx)
{
  struct office *op = ctx;
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

/* A clean session has ended the one of an earlier run, with all that waited there. It would not
 * outlive a connection either, so this one ends here, and the next one begins a session that
 * does. */
static void forget_earlier_run(struct office *op)
{
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  options.onSuccess = on_forgotten_well;
  options.onFailure = on_forgotten_badly;
  options.context = op;
  if (MQTTAsync_disconnect(op->client, &options) != MQTTASYNC_SUCCESS) on_forgotten(op);
}

/* One packet for each: paho 1.3.12 hands out what a SUBACK holds without saying how many codes that
   were. */
static void on_connected(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  struct office *op = ctx;
  if (!op->forgotten) {
    forget_earlier_run(op);
    return;
  }
  pthread_mutex_lock(&op->mutex);
  op->granted = 0;
  op->greeted = true;
  pthread_mutex_unlock(&op->mutex);
  for (unsigned f = 0; f < op->filter_count; f++) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    op->subscriptions[f] = (struct subscription){.op = op, .filter = f};
    options.onSuccess = on_subscribed;
    options.onFailure = on_subscribe_failed;
    options.context = &op->subscriptions[f];
    if (MQTTAsync_subscribe(op->client, op->filters[f].topics, op->filters[f].qos, &options) ==
        MQTTASYNC_SUCCESS)
      continue;
    on_subscribe_failed(&op->subscriptions[f], NULL);
    return;
  }
}

static struct diagnose_question question_of(const struct office *op)
{
  const struct server *server = &op->server[op->at];
  return (struct diagnose_question){.host = server->host,
                                    .port = server->port,
                                    .server_name = op->config.server_name,
                                    .alpn = op->config.alpn,
                                    .permit = op->config.permit,
                                    .ca_path = op->config.ca_path,
                                    .certificate_path = op->config.certificate_path,
                                    .key_path = op->config.key_path,
                                    .client_id = op->config.client_id,
                                    .login = op->config.login,
                                    .keep_session = op->forgotten,
                                    .new_fleet = op->config.new_fleet};
}

static void on_connect_failed(void *ctx, MQTTAsync_failureData *data)
{
  static const char connack[] = "CONNACK";
  struct office *op = ctx;
  const char *why = data != NULL && data->message != NULL && data->message[0] != '\0'
                        ? data->message
                        : "no reason given";
  char text[300];
  if (data != NULL && data->code > 0 && strncmp(why, connack, sizeof connack - 1) == 0) {
    struct diagnosis diagnosis;
    snprintf(text, sizeof text, "code %d", data->code);
    const struct diagnose_question question = question_of(op);
    diagnose_describe(device_failure_of_connack((uint8_t) data->code), &question, text, &diagnosis);
    struct office_failure failure = {.failure = diagnosis.failure,
                                     .final = diagnose_is_final(diagnosis.failure)};
    memcpy(failure.text, diagnosis.text, sizeof failure.text);
    fail_over(op, &failure);
    return;
  }
  char place[HOST_PORT_MAX];
  snprintf(text, sizeof text, "the connection to %s failed: %s",
           host_port(op->server[op->at].host, op->server[op->at].port, place), why);
  ask_or_fail(op, text);
}

static int connect_once(struct office *op)
{
  MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
  tls.trustStore = op->config.ca_path;
  tls.keyStore = op->config.certificate_path;
  tls.privateKey = op->config.key_path;
  tls.enableServerCertAuth = 1;
  tls.verify = op->config.server_name == NULL; /* the host's name, and paho knows no other */
  if (op->config.alpn != NULL) {
    tls.protos = op->alpn;
    tls.protos_len = tls_alpn(op->config.alpn, op->alpn);
  }
  tls.disableDefaultTrustStore = 1;
  /* the highest that both know: paho has no name for 1.3 */
  tls.sslVersion = MQTT_SSL_VERSION_DEFAULT;

  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  char *const uri = op->server[op->at].uri;
  options.serverURIs = &uri; /* copied */
  options.serverURIcount = 1;
  options.keepAliveInterval = op->config.keep_alive_s != 0 ? op->config.keep_alive_s : KEEP_ALIVE_S;
  options.cleansession = !op->forgotten;
  /* paho resends what was in flight before a loss beside what we send */
  options.maxInflight = WINDOW + 100;
  options.connectTimeout = CONNECT_S;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.username = op->config.login.user;
  options.password = op->config.login.user != NULL ? op->config.login.password : NULL;
  options.ssl = &tls;
  options.onSuccess = on_connected;
  options.onFailure = on_connect_failed;
  options.context = op;
  return MQTTAsync_connect(op->client, &options);
}

/* An IPv6 address gets no brackets here: paho 1.3.12 connects to it with and without, but compares
 * "[::1" with the certificate where they are there. */
static int set_server(struct server *server, const char *host, uint16_t port, struct error *error)
{
  snprintf(server->host, sizeof server->host, "%s", host);
  server->port = port;
  int n = snprintf(server->uri, sizeof server->uri, "ssl://%s:%u", host, port);
  if (n > 0 && (size_t) n < sizeof server->uri && strlen(host) < sizeof server->host) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the broker's host name is too long");
}

static int set_servers(struct office *op, struct error *error)
{
  if (set_server(&op->server[0], op->config.host, op->config.port, error) != 0) return -1;
  for (size_t i = 0; i < op->config.other_count; i++)
    if (set_server(&op->server[i + 1], op->config.others[i].host, op->config.others[i].port,
                   error) != 0)
      return -1;
  return 0;
}

int link_open(struct office *op, struct error *error)
{
  if (set_servers(op, error) != 0) return -1;
  choose_filters(op);
  const char *uri = op->server[0].uri;
  int status =
      MQTTAsync_create(&op->client, uri, op->config.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL);
  if (status != MQTTASYNC_SUCCESS)
    return error_set(error, EXIT_CODE_INTERNAL, "paho does not make a client for %s: %s", uri,
                     MQTTAsync_strerror(status));
  status = MQTTAsync_setCallbacks(op->client, op, on_lost, on_message, NULL);
  if (status == MQTTASYNC_SUCCESS) return 0;
  MQTTAsync_destroy(&op->client);
  return error_set(error, EXIT_CODE_INTERNAL, "paho does not take its callbacks: %s",
                   MQTTAsync_strerror(status));
}

static void answer(struct office *op)
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
static void await_answer(struct office *op, int status)
{
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += STOP_MS / 1000;
  pthread_mutex_lock(&op->mutex);
  int waited = status == MQTTASYNC_SUCCESS ? 0 : -1;
  while (!op->answered && waited == 0)
    waited = pthread_cond_timedwait(&op->changed, &op->mutex, &deadline);
  op->answered = false;
  pthread_mutex_unlock(&op->mutex);
}

/* One after the other: paho 1.3.12 loses the memory of an UNSUBACK that comes while it
   disconnects. */
static void leave(struct office *op)
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
  char *topics[FILTERS_MAX];
  for (unsigned f = 0; f < op->filter_count; f++) topics[f] = op->filters[f].topics;
  await_answer(op,
               MQTTAsync_unsubscribeMany(op->client, (int) op->filter_count, topics, &unsubscribe));
  await_answer(op, MQTTAsync_disconnect(op->client, &disconnect));
}

/* Keeper's thread. */
static void go_home(struct office *op)
{
  leave(op);
  enter(op, LINK_DOWN, OFFICE_LOST, "the operator returns to its first broker");
  begin_with_the_first(op);
}

/* Keeper's thread. Nobody else connects in the meantime: the state is CONNECTING. */
static void find_out(struct office *op)
{
  const struct diagnose_question question = question_of(op);
  struct diagnosis diagnosis;
  diagnose(&question, &diagnosis);
  struct office_failure failure = {.failure = diagnosis.failure,
                                   .final = diagnose_is_final(diagnosis.failure)};
  memcpy(failure.text, diagnosis.text, sizeof failure.text);
  if (diagnosis.failure == DEVICE_FAIL_NONE)
    snprintf(failure.text, sizeof failure.text,
             "the operator's MQTT library does not get through, although a plain connection does");
  fail_over(op, &failure);
}

/* The name may have come to lead elsewhere since the run began; paho looks it up by itself. */
static bool may_dial(struct office *op)
{
  char beyond[PERMIT_ADDRESS_MAX], text[400];
  const char *host = op->server[op->at].host;
  if (permit_host(op->config.permit, host) && permit_look_up(op->config.permit, host, beyond))
    return true;
  snprintf(text, sizeof text, "nothing was sent: %.255s leads beyond this machine", host);
  fail_with(op, true, text);
  return false;
}

static void dial(struct office *op)
{
  if (!may_dial(op)) return;
  int status = connect_once(op);
  if (status == MQTTASYNC_SUCCESS) return;
  char text[160];
  snprintf(text, sizeof text, "the operator's MQTT library refuses to connect: %s",
           MQTTAsync_strerror(status));
  fail_with(op, false, text);
}

void link_keep(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  uint64_t age_ms = link_now_ms() - op->since_ms;
  bool ask = op->to_be_diagnosed;
  bool dials = op->state == LINK_DOWN && age_ms >= RETRY_MS;
  bool hangs = op->state == LINK_CONNECTING && age_ms >= HANG_MS && !ask;
  bool home = op->returning && op->state == LINK_UP, greeted = op->greeted;
  op->to_be_diagnosed = false;
  if (home) op->returning = false;
  if (dials || home) {
    op->state = LINK_CONNECTING;
    op->since_ms = link_now_ms();
    op->greeted = false;
  }
  pthread_mutex_unlock(&op->mutex);

  if (ask) find_out(op);
  if (home) go_home(op);
  if (hangs) {
    if (greeted)
      fail_with(op, false,
                "the broker let the operator in and does not answer its subscriptions: the broker "
                "breaks MQTT");
    else
      ask_or_fail(op, "the broker does not answer the operator");
    hang_up(op);
  }
  if (dials) dial(op);
  link_pump(op);
}

static void on_sent(void *ctx, MQTTAsync_successData *data)
{
  (void) data;
  struct office *op = ((struct flight *) ctx)->op;
  outbox_landed(ctx, true);
  link_pump(op);
}

static void on_not_sent(void *ctx, MQTTAsync_failureData *data)
{
  (void) data;
  outbox_landed(ctx, false);
}

/* The parcel may land, and be freed, while MQTTAsync_send still runs; paho has copied it by
   then. */
void link_pump(struct office *op)
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
    if (MQTTAsync_send(op->client, parcel->topic, (int) parcel->size, parcel->data, parcel->qos,
                       parcel->retain, &options) == MQTTASYNC_SUCCESS)
      continue;
    outbox_landed(flight, false);
    return;
  }
}

void link_close(struct office *op)
{
  if (MQTTAsync_isConnected(op->client)) leave(op);
  MQTTAsync_destroy(&op->client);
}

/* The device client: a table of states and events around a TLS connection and an MQTT session.
 *
 * The happy path: START asks for a transport, OPENED begins the handshake, BYTES carry it to its end, CONNECT goes out,
 * CONNACK begins the session, SUBACKs make it ready. What can go wrong: the transport closes (CLOSED), a wait passes
 * its deadline (TICK), the broker's chain or bytes are bad (BYTES), the body ends it
 * (STOP). Every way out goes through `end`, which names the failure once, frees the connection and returns to IDLE.
 */
#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "identity.h"
#include "platform.h"
#include "trust.h"
#include "update.h"

#define STATES(X)                                                       \
  X(IDLE, "idle")               /* no attempt under way */              \
  X(OPENING, "opening")         /* the body opens a transport */        \
  X(HANDSHAKING, "handshaking") /* TLS */                               \
  X(CONNECTING, "connecting")   /* CONNECT sent, CONNACK awaited */     \
  X(SUBSCRIBING, "subscribing") /* CONNACK accepted, SUBACKs awaited */ \
  X(ONLINE, "online")

enum state {
#define X(symbol, name) STATE_##symbol,
  STATES(X)
#undef X
      STATE_COUNT
};

struct client {
  struct device_config config;
  struct device_platform platform;
  struct device_effects *effects; /* of the step under way */
  struct device_tls tls;
  struct device_session session;
  uint64_t wait_ms;  /* deadline of the state's own wait */
  uint32_t received; /* bytes from the peer before CONNACK */
  uint32_t id;
  uint32_t trust_version;
  uint8_t state;
  uint8_t endpoint;
  bool full_handshake;
  uint16_t rx_size;
  union {
    uint8_t rx[DEVICE_SESSION_RECEIVE_MAX]; /* one MQTT packet being received */
    struct device_tls_handshake handshake;  /* while there is no MQTT yet */
  } buffer;
};

static void note(struct client *client, const struct device_note *what)
{
  if (client->config.host.observe != NULL) client->config.host.observe(client->config.host.ctx, what);
}

static void enter(struct client *client, enum state to, uint64_t wait_ms)
{
  struct device_note transition = {.kind = DEVICE_NOTE_STATE, .from = client->state, .to = (uint8_t) to};
  client->state = (uint8_t) to;
  client->wait_ms = wait_ms == 0 ? DEVICE_NEVER : client->platform.now_ms + wait_ms;
  note(client, &transition);
}

static bool has_connack(const struct client *client)
{
  return client->state == STATE_SUBSCRIBING || client->state == STATE_ONLINE;
}

/* The broker may have lost or refused the ticket that was offered: the next attempt does without. */
static bool blames_ticket(const struct client *client, enum device_failure failure)
{
  return client->tls.offered_ticket && !has_connack(client) && failure >= DEVICE_FAIL_TLS_NOT_TRUSTED &&
         failure <= DEVICE_FAIL_MQTT_PROTOCOL;
}

static void end(struct client *client, enum device_failure failure, uint8_t code)
{
  struct device_note ended = {.kind = DEVICE_NOTE_ENDED,
                              .failure = failure,
                              .tls_error = client->tls.error,
                              .verify_flags = client->tls.verdict.flags,
                              .alert = client->tls.verdict.alert,
                              .chain_certificates = client->tls.verdict.certificates,
                              .code = code};
  if (blames_ticket(client, failure)) device_tls_forget_ticket(&client->tls);
  device_tls_close(&client->tls);
  client->rx_size = 0;
  enter(client, STATE_IDLE, 0);
  note(client, &ended);
}

static void end_and_close(struct client *client, enum device_failure failure, uint8_t code)
{
  client->effects->close = true;
  end(client, failure, code);
}

/* What a TLS error is called once the session lives. */
static enum device_failure session_failure(const struct device_tls *tls)
{
  switch (tls->error) {
  case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return DEVICE_FAIL_SESSION_CLOSED;
  case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return DEVICE_FAIL_SESSION_DISCONNECT;
  case DEVICE_TLS_FULL: return DEVICE_FAIL_SESSION_BACKLOG;
  default: return DEVICE_FAIL_SESSION_PROTOCOL;
  }
}

static void end_by_tls(struct client *client)
{
  enum device_failure failure = has_connack(client) ? session_failure(&client->tls) : device_tls_failure(&client->tls);
  end_and_close(client, failure, 0);
}

/* MQTT
 * ---------------------------------------------------------------------------------------------------------------*/

static bool deliver(void *ctx, const struct device_mqtt_publish *message)
{
  struct client *client = ctx;
  int handled = device_update_handle(&client->session, message, &client->trust_version);
  if (handled != 0) return handled > 0;
  note(client, &(struct device_note){.kind = DEVICE_NOTE_MESSAGE,
                                     .retained = message->retain,
                                     .duplicate = message->duplicate,
                                     .qos = message->qos,
                                     .topic = message->topic,
                                     .topic_size = message->topic_size,
                                     .payload = message->payload,
                                     .payload_size = message->payload_size});
  return true;
}

static enum device_failure connack_failure(uint8_t version, uint8_t reason)
{
  static const struct {
    uint8_t version, reason;
    enum device_failure failure;
  } refusals[] = {
      {4, 1, DEVICE_FAIL_MQTT_REFUSED_VERSION},  {4, 2, DEVICE_FAIL_MQTT_REFUSED_ID},
      {4, 3, DEVICE_FAIL_MQTT_REFUSED_BUSY},     {4, 4, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {4, 5, DEVICE_FAIL_MQTT_REFUSED_AUTH},     {5, 0x84, DEVICE_FAIL_MQTT_REFUSED_VERSION},
      {5, 0x85, DEVICE_FAIL_MQTT_REFUSED_ID},    {5, 0x86, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 0x87, DEVICE_FAIL_MQTT_REFUSED_AUTH},  {5, 0x8a, DEVICE_FAIL_MQTT_REFUSED_AUTH},
      {5, 0x8c, DEVICE_FAIL_MQTT_REFUSED_AUTH},  {5, 0x88, DEVICE_FAIL_MQTT_REFUSED_BUSY},
      {5, 0x89, DEVICE_FAIL_MQTT_REFUSED_BUSY},  {5, 0x97, DEVICE_FAIL_MQTT_REFUSED_BUSY},
      {5, 0x9f, DEVICE_FAIL_MQTT_REFUSED_BUSY},  {5, 0x9c, DEVICE_FAIL_MQTT_REFUSED_MOVED},
      {5, 0x9d, DEVICE_FAIL_MQTT_REFUSED_MOVED},
  };
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
    if (refusals[i].version == version && refusals[i].reason == reason) return refusals[i].failure;
  return DEVICE_FAIL_MQTT_REFUSED_OTHER;
}

static void become_ready(struct client *client)
{
  if (client->state != STATE_SUBSCRIBING || !device_session_ready(&client->session)) return;
  enter(client, STATE_ONLINE, 0);
  note(client, &(struct device_note){.kind = DEVICE_NOTE_READY});
}

static void on_connack(struct client *client, const struct device_mqtt_packet *packet)
{
  uint8_t version = client->config.profile->mqtt_version;
  if (packet->type != DEVICE_MQTT_CONNACK) {
    end_and_close(client, DEVICE_FAIL_MQTT_PROTOCOL, 0);
    return;
  }
  if (packet->reason != 0) {
    device_tls_notify(&client->tls);
    end_and_close(client, connack_failure(version, packet->reason), packet->reason);
    return;
  }
  enter(client, STATE_SUBSCRIBING, 0);
  note(client, &(struct device_note){.kind = DEVICE_NOTE_ONLINE, .session_present = packet->session_present});
  device_session_begin(&client->session, packet);
  become_ready(client);
}

static void on_packet(struct client *client, const struct device_mqtt_packet *packet)
{
  if (client->state == STATE_CONNECTING) {
    on_connack(client, packet);
    return;
  }
  enum device_failure failure = device_session_packet(&client->session, packet);
  if (failure != DEVICE_FAIL_NONE) {
    device_tls_notify(&client->tls);
    end_and_close(client, failure, client->session.reason);
    return;
  }
  become_ready(client);
}

/* Takes whole packets off the front of the buffer. */
static void take_packets(struct client *client)
{
  uint8_t version = client->config.profile->mqtt_version;
  size_t taken = 0;
  while (client->state != STATE_IDLE && taken < client->rx_size) {
    struct device_mqtt_packet packet;
    int size = device_mqtt_decode(client->buffer.rx + taken, client->rx_size - taken, version, sizeof client->buffer.rx,
                                  &packet);
    if (size == DEVICE_MQTT_INCOMPLETE) break;
    if (size < 0) {
      end_and_close(client, has_connack(client) ? DEVICE_FAIL_SESSION_PROTOCOL : DEVICE_FAIL_MQTT_PROTOCOL, 0);
      return;
    }
    taken += (size_t) size;
    on_packet(client, &packet);
  }
  if (client->state == STATE_IDLE) return;
  memmove(client->buffer.rx, client->buffer.rx + taken, client->rx_size - taken);
  client->rx_size = (uint16_t) (client->rx_size - taken);
}

static void receive(struct client *client)
{
  int size = 1;
  while (client->state != STATE_IDLE && size > 0 && client->tls.error == 0) {
    size =
        device_tls_read(&client->tls, client->buffer.rx + client->rx_size, sizeof client->buffer.rx - client->rx_size);
    if (size <= 0) break;
    client->rx_size = (uint16_t) (client->rx_size + size);
    take_packets(client);
  }
}

/* Handlers, one per event and state ---------------------------------------------------------------------------------
 */

static void start(struct client *client, const struct device_event *event)
{
  assert(event->start.endpoint < client->config.endpoint_count);
  client->endpoint = event->start.endpoint;
  client->full_handshake = event->start.full_handshake;
  client->received = 0;
  client->effects->connect = true;
  client->effects->endpoint = client->endpoint;
  enter(client, STATE_OPENING, client->config.profile->tcp_timeout_ms);
}

static void go_on_handshaking(struct client *client)
{
  int result = device_tls_handshake(&client->tls);
  if (result == DEVICE_TLS_WANT) return;
  if (result != 0) {
    end_by_tls(client);
    return;
  }
  const struct device_tls_verdict *verdict = &client->tls.verdict;
  note(client, &(struct device_note){.kind = DEVICE_NOTE_HANDSHAKE,
                                     .verify_flags = verdict->flags,
                                     .tls_version = device_tls_version(&client->tls),
                                     .chain_certificates = verdict->certificates,
                                     .resumed = !verdict->checked,
                                     .anchor_id = verdict->checked ? verdict->anchor_id : NULL});
  client->rx_size = 0;
  enter(client, STATE_CONNECTING, client->config.profile->connack_timeout_ms);
  device_session_connect(&client->session);
  receive(client);
}

static void opened(struct client *client, const struct device_event *event)
{
  (void) event;
  const struct device_tls_options options = {
      .profile = client->config.profile,
      .host = &client->config.host,
      .peer = client->config.endpoints[client->endpoint].host,
      .endpoint = client->endpoint,
      .full_handshake = client->full_handshake,
  };
  enter(client, STATE_HANDSHAKING, client->config.profile->handshake_timeout_ms);
  if (device_tls_open(&client->tls, &client->buffer.handshake, &options) != 0) {
    end_by_tls(client);
    return;
  }
  go_on_handshaking(client);
}

static bool within_budget(struct client *client, size_t size)
{
  uint32_t left = client->config.profile->byte_budget - client->received;
  if (size > left) {
    end_and_close(client, DEVICE_FAIL_TLS_BYTE_BUDGET, 0);
    return false;
  }
  client->received += (uint32_t) size;
  return true;
}

static void handshake_bytes(struct client *client, const struct device_event *event)
{
  if (within_budget(client, event->bytes.size)) go_on_handshaking(client);
}

static void connack_bytes(struct client *client, const struct device_event *event)
{
  if (within_budget(client, event->bytes.size)) receive(client);
}

static void session_bytes(struct client *client, const struct device_event *event)
{
  (void) event;
  receive(client);
}

static void transport_closed(struct client *client, const struct device_event *event)
{
  enum device_failure cause = event->closed.cause;
  if (has_connack(client))
    end(client,
        cause == DEVICE_FAIL_NONE || cause == DEVICE_FAIL_TCP_CLOSED ? DEVICE_FAIL_SESSION_CLOSED
                                                                     : DEVICE_FAIL_SESSION_RESET,
        0);
  else
    end(client, cause == DEVICE_FAIL_NONE ? DEVICE_FAIL_TCP_CLOSED : cause, 0);
}

static void tick(struct client *client, const struct device_event *event)
{
  (void) event;
  static const enum device_failure late[STATE_COUNT] = {
      [STATE_OPENING] = DEVICE_FAIL_TCP_TIMEOUT,
      [STATE_HANDSHAKING] = DEVICE_FAIL_TLS_TIMEOUT,
      [STATE_CONNECTING] = DEVICE_FAIL_MQTT_TIMEOUT,
  };
  enum device_failure failure = DEVICE_FAIL_NONE;
  if (client->platform.now_ms >= client->wait_ms) failure = late[client->state];
  if (has_connack(client)) failure = device_session_tick(&client->session);
  if (failure == DEVICE_FAIL_NONE) return;
  device_tls_notify(&client->tls);
  end_and_close(client, failure, 0);
}

static void publish(struct client *client, const struct device_event *event)
{
  client->effects->accepted = device_session_publish(&client->session, event, has_connack(client));
}

static void subscribe(struct client *client, const struct device_event *event)
{
  client->effects->accepted = device_session_subscribe(&client->session, event);
}

static void stop(struct client *client, const struct device_event *event)
{
  bool live = has_connack(client);
  if (live) device_session_disconnect(&client->session, event->stop.reason);
  device_tls_notify(&client->tls);
  end_and_close(client, live ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED, event->stop.reason);
}

/* clang-format off */
#define EVENTS (DEVICE_STOP + 1)
static void (*const table[STATE_COUNT][EVENTS])(struct client *, const struct device_event *) = {
  [STATE_IDLE]        = {[DEVICE_START] = start, [DEVICE_PUBLISH] = publish},
  [STATE_OPENING]     = {[DEVICE_OPENED] = opened, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop},
  [STATE_HANDSHAKING] = {[DEVICE_BYTES] = handshake_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop},
  [STATE_CONNECTING]  = {[DEVICE_BYTES] = connack_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop},
  [STATE_SUBSCRIBING] = {[DEVICE_BYTES] = session_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_SUBSCRIBE] = subscribe, [DEVICE_STOP] = stop},
  [STATE_ONLINE]      = {[DEVICE_BYTES] = session_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_SUBSCRIBE] = subscribe, [DEVICE_STOP] = stop},
};
/* clang-format on */

/* The interface -----------------------------------------------------------------------------------------------------
 */

static size_t builtin_storage_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct client);
}

/* Finds what the device cannot live without. The bundle's signature was checked before it was committed; since then
 * the slot's CRC vouches for it. */
static enum device_failure boot(struct client *client)
{
  const struct device_host *host = &client->config.host;
  struct device_nvm_identity identity;
  struct device_nvm_slot slot;
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  struct device_trust_bundle bundle;
  if (device_nvm_read_identity(host, &identity) != 0) return DEVICE_FAIL_DEVICE_IDENTITY;
  client->id = identity.id;
  mbedtls_platform_zeroize(&identity, sizeof identity);
  if (device_nvm_find(host, DEVICE_NVM_CERTIFICATE, &slot) != 0) return DEVICE_FAIL_DEVICE_NVM;
  if (slot.size == 0) return DEVICE_FAIL_DEVICE_IDENTITY;
  if (device_nvm_find(host, DEVICE_NVM_TRUST, &slot) != 0) return DEVICE_FAIL_DEVICE_NVM;
  if (slot.size == 0) return DEVICE_FAIL_NONE;
  if (slot.size > sizeof bytes || host->nvm_read(host->ctx, slot.offset, bytes, slot.size) != 0)
    return DEVICE_FAIL_DEVICE_NVM;
  if (device_trust_parse(bytes, slot.size, &bundle) != DEVICE_UPDATE_COMMITTED) return DEVICE_FAIL_DEVICE_NVM;
  client->trust_version = bundle.version;
  return DEVICE_FAIL_NONE;
}

static int builtin_create(void *storage, const struct device_config *config)
{
  assert((uintptr_t) storage % alignof(max_align_t) == 0);
  struct client *client = storage;
  memset(client, 0, sizeof *client);
  client->config = *config;
  client->platform.host = &client->config.host;
  client->wait_ms = DEVICE_NEVER;
  device_tls_init(&client->tls);
  device_platform_enter(&client->platform);
  psa_status_t status = psa_crypto_init();
  device_platform_leave();
  if (status != PSA_SUCCESS) return -DEVICE_FAIL_TLS_INTERNAL;
  enum device_failure failure = boot(client);
  client->session = (struct device_session){.profile = config->profile,
                                            .host = &client->config.host,
                                            .tls = &client->tls,
                                            .id = client->id,
                                            .deliver = deliver,
                                            .ctx = client,
                                            .ping_due_ms = DEVICE_NEVER};
  return -(int) failure;
}

static void lend(struct client *client, const struct device_event *event, struct device_effects *effects)
{
  bool bytes = event->kind == DEVICE_BYTES;
  client->effects = effects;
  client->tls.in = bytes ? event->bytes.data : NULL;
  client->tls.in_size = bytes ? event->bytes.size : 0;
  client->tls.out = effects->out;
  client->tls.out_size = 0;
  client->tls.out_capacity = effects->out_capacity;
}

static void take_back(struct client *client)
{
  struct device_effects *effects = client->effects;
  effects->out_size = client->tls.out_size;
  effects->deadline_ms = has_connack(client) ? device_session_deadline(&client->session) : client->wait_ms;
  client->effects = NULL;
  client->tls.in = NULL;
  client->tls.out = NULL;
  client->tls.in_size = client->tls.out_capacity = 0;
}

static void builtin_step(void *storage, const struct device_event *event, struct device_effects *effects)
{
  struct client *client = storage;
  assert((size_t) event->kind < EVENTS);
  assert(effects->out_capacity >= DEVICE_OUT_MIN);
  *effects = (struct device_effects){.out = effects->out, .out_capacity = effects->out_capacity};
  client->platform.now_ms = event->now_ms;
  client->platform.unix_s = event->unix_s;
  client->session.now_ms = event->now_ms;
  lend(client, event, effects);
  device_platform_enter(&client->platform);
  if (table[client->state][event->kind] != NULL) table[client->state][event->kind](client, event);
  /* whoever wrote or read last, a connection that broke underneath ends here */
  if (client->state != STATE_IDLE && client->tls.error != 0) end_by_tls(client);
  device_platform_leave();
  take_back(client);
}

static void builtin_destroy(void *storage)
{
  struct client *client = storage;
  device_platform_enter(&client->platform);
  device_tls_close(&client->tls);
  device_tls_forget_ticket(&client->tls);
  device_platform_leave();
  mbedtls_platform_zeroize(client, sizeof *client);
}

static uint32_t builtin_id(const void *storage)
{
  return ((const struct client *) storage)->id;
}

static uint32_t builtin_trust_version(const void *storage)
{
  return ((const struct client *) storage)->trust_version;
}

static const char *builtin_state_name(uint8_t state)
{
  static const char *const names[] = {
#define X(symbol, name) name,
      STATES(X)
#undef X
  };
  return state < STATE_COUNT ? names[state] : "unknown";
}

const struct device_ops device_builtin = {
    .name = "builtin",
    .storage_size = builtin_storage_size,
    .create = builtin_create,
    .step = builtin_step,
    .destroy = builtin_destroy,
    .id = builtin_id,
    .trust_version = builtin_trust_version,
    .state_name = builtin_state_name,
};

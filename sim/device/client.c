/* The device client: a table of states and events around a TLS connection and an MQTT session.
 *
 * The happy path: START asks for a transport, OPENED begins the handshake, BYTES carry it to its
 * end, CONNECT goes out, CONNACK begins the session, SUBACKs make it ready. What can go wrong: the
 * transport closes (CLOSED), a wait passes its deadline (TICK), the broker's chain or bytes are bad
 * (BYTES), the body ends it (STOP). Every way out goes through `end`, which names the failure once,
 * frees the connection and returns to IDLE.
 */
#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include <mbedtls/build_info.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "anchors.h"
#include "client.h"
#include "identity.h"
#include "trust.h"

static size_t aligned(size_t size)
{
  return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

static size_t client_size(const struct device_profile *profile)
{
  return profile->borrows ? sizeof(struct device_client) : sizeof(struct device_client_whole);
}

struct device_ota *device_client_ota(struct device_client *client)
{
  const struct device_profile *profile = client->config.profile;
  return profile->ota != NULL
             ? (struct device_ota *) ((char *) client + aligned(client_size(profile)))
             : NULL;
}

void device_client_note(struct device_client *client, const struct device_note *what)
{
  if (client->config.host.observe != NULL)
    client->config.host.observe(client->config.host.ctx, what);
}

void device_client_enter(struct device_client *client, enum device_client_state to,
                         uint64_t wait_ms)
{
  struct device_note transition = {
      .kind = DEVICE_NOTE_STATE, .from = client->state, .to = (uint8_t) to};
  client->state = (uint8_t) to;
  client->wait_ms = wait_ms == 0 ? DEVICE_NEVER : client->platform.now_ms + wait_ms;
  device_client_note(client, &transition);
}

bool device_client_has_connack(const struct device_client *client)
{
  return client->state == DEVICE_CLIENT_SUBSCRIBING || client->state == DEVICE_CLIENT_ONLINE;
}

/* Nothing that a ticket could be the reason of: the plan, or a broker that has no time. A ticket
 * dropped for that would make a storm dearer. */
static bool spares_ticket(enum device_failure failure)
{
  return failure == DEVICE_FAIL_STOPPED || failure == DEVICE_FAIL_MQTT_REFUSED_BUSY ||
         failure == DEVICE_FAIL_MQTT_REFUSED_MOVED;
}

/* The broker may have lost the ticket that was offered, or think ill of the session behind it, and
 * need not say so: it may close or refuse in CONNACK too. The next attempt does without, or the
 * device would be locked out until the ticket expires. One that came in a connection which ended so
 * is of a session that the broker has refused. */
static void judge_ticket(struct device_client *client, enum device_failure failure)
{
  bool ours = (failure >= DEVICE_FAIL_TLS_FIRST && failure <= DEVICE_FAIL_TLS_LAST) ||
              failure == DEVICE_FAIL_MQTT_TIMEOUT || failure == DEVICE_FAIL_MQTT_PROTOCOL;
  if (!client->tls.open || device_client_has_connack(client) || spares_ticket(failure)) return;
  if (!ours && !device_failure_is_refusal(failure)) return;
  if (client->tls.offered_ticket)
    device_tls_drop_ticket(&client->tls);
  else if (client->tls.fresh_ticket)
    device_tls_forget_ticket(&client->tls);
}

static void end(struct device_client *client, enum device_failure failure, uint8_t code,
                const struct device_mqtt_bytes *server)
{
  bool notified = client->tls.error == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
  struct device_note ended = {.kind = DEVICE_NOTE_ENDED,
                              .failure = failure,
                              .tls_error = notified ? 0 : client->tls.error,
                              .close_notify = notified,
                              .verify_flags = client->tls.verdict.flags,
                              .alert = client->tls.verdict.alert,
                              .chain_certificates = client->tls.verdict.certificates,
                              .secured = device_tls_is_secured(&client->tls),
                              .resumed = device_tls_is_secured(&client->tls) &&
                                         !client->tls.verdict.checked,
                              .code = code,
                              .server = server->size > 0 ? (const char *) server->data : NULL,
                              .server_size = server->size};
  bool live = device_client_has_connack(client);
  struct device_ota *ota = device_client_ota(client);
  if (ota != NULL)
    device_ota_offline(ota, !live && failure != DEVICE_FAIL_STOPPED, live ? client->rx_size : 0);
  judge_ticket(client, failure);
  device_tls_close(&client->tls);
  client->rx_size = 0;
  device_client_enter(client, DEVICE_CLIENT_IDLE, 0);
  device_client_note(client, &ended);
}

static const struct device_mqtt_bytes no_server;

void device_client_end(struct device_client *client, enum device_failure failure, uint8_t code)
{
  device_client_end_by(client, failure, code, &no_server);
}

void device_client_end_by(struct device_client *client, enum device_failure failure, uint8_t code,
                          const struct device_mqtt_bytes *server)
{
  client->effects->close = true;
  end(client, failure, code, server);
}

/* What a TLS error is called once the session lives. */
static enum device_failure session_failure(const struct device_tls *tls)
{
  switch (tls->error) {
  case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return DEVICE_FAIL_SESSION_CLOSED;
  case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return DEVICE_FAIL_SESSION_DISCONNECT;
  case DEVICE_TLS_FULL: return DEVICE_FAIL_SESSION_BACKLOG;
  case MBEDTLS_ERR_SSL_ALLOC_FAILED: return DEVICE_FAIL_SESSION_MEMORY;
  default:
    return device_tls_is_too_large(tls) ? DEVICE_FAIL_SESSION_RECORD : DEVICE_FAIL_SESSION_PROTOCOL;
  }
}

static void end_by_tls(struct device_client *client)
{
  enum device_failure failure = device_client_has_connack(client)
                                    ? session_failure(&client->tls)
                                    : device_tls_failure(&client->tls);
  device_client_end(client, failure, 0);
}

bool device_client_has_buffer(struct device_client *client)
{
  const struct device_host *host = &client->config.host;
  if (client->buffer == NULL) client->buffer = host->lend(host->ctx, sizeof *client->buffer);
  if (client->buffer != NULL) return true;
  device_tls_notify(&client->tls);
  device_client_end(
      client,
      device_client_has_connack(client) ? DEVICE_FAIL_SESSION_MEMORY : DEVICE_FAIL_TLS_INTERNAL, 0);
  return false;
}

static void give_back_buffer(struct device_client *client)
{
  const struct device_host *host = &client->config.host;
  if (!client->config.profile->borrows || client->buffer == NULL) return;
  host->give_back(host->ctx, client->buffer, sizeof *client->buffer);
  client->buffer = NULL;
}

/* Handlers, one per event and state. */

static void start(struct device_client *client, const struct device_event *event)
{
  assert(event->start.endpoint < client->config.endpoint_count);
  client->endpoint = event->start.endpoint;
  client->full_handshake = event->start.full_handshake;
  client->received = 0;
  client->effects->connect = true;
  client->effects->endpoint = client->endpoint;
  device_client_enter(client, DEVICE_CLIENT_OPENING, client->config.profile->tcp_timeout_ms);
}

static void note_handshake(struct device_client *client)
{
  const struct device_tls_verdict *verdict = &client->tls.verdict;
  const struct device_nvm_slot *own = &client->tls.found[DEVICE_NVM_CERTIFICATE];
  const mbedtls_x509_crt *leaf = device_tls_leaf(&client->tls);
  bool shows = !client->config.profile->no_certificate;
  device_client_note(
      client, &(struct device_note){.kind = DEVICE_NOTE_HANDSHAKE,
                                    .verify_flags = verdict->flags,
                                    .tls_version = device_tls_version(&client->tls),
                                    .chain_certificates = verdict->certificates,
                                    .resumed = !verdict->checked,
                                    .anchor_id = verdict->checked ? verdict->anchor_id : NULL,
                                    .leaf = leaf != NULL ? leaf->raw.p : NULL,
                                    .leaf_size = leaf != NULL ? leaf->raw.len : 0,
                                    .own_offset = own->offset,
                                    .own_size = shows ? own->size : 0});
}

static void go_on_handshaking(struct device_client *client)
{
  int result = device_tls_handshake(&client->tls);
  if (result == DEVICE_TLS_WANT) return;
  if (result != 0) {
    end_by_tls(client);
    return;
  }
  note_handshake(client);
  device_tls_settle(&client->tls);
  if (client->tls.error != 0) {
    end_by_tls(client);
    return;
  }
  client->rx_size = 0;
  device_client_enter(client, DEVICE_CLIENT_CONNECTING, client->config.profile->connack_timeout_ms);
  device_session_connect(&client->session);
  device_client_receive(client);
}

static void opened(struct device_client *client, const struct device_event *event)
{
  (void) event;
  const struct device_tls_options options = {
      .profile = client->config.profile,
      .host = &client->config.host,
      .peer = client->config.endpoints[client->endpoint].host,
      .endpoint = client->endpoint,
      .full_handshake = client->full_handshake,
  };
  device_client_enter(client, DEVICE_CLIENT_HANDSHAKING,
                      client->config.profile->handshake_timeout_ms);
  if (!device_client_has_buffer(client)) return;
  if (device_tls_open(&client->tls, &client->buffer->handshake, &options) != 0) {
    end_by_tls(client);
    return;
  }
  go_on_handshaking(client);
}

/* Up to CONNACK a peer may send so much and no more. What comes behind a CONNACK in one piece with it,
 * a kept session's messages perhaps, is no part of that. */
static void take_within_budget(struct device_client *client, const struct device_event *event,
                               void (*take)(struct device_client *client))
{
  size_t size = event->bytes.size;
  size_t left = client->config.profile->byte_budget - client->received;
  size_t counted = size < left ? size : left;
  client->received += (uint32_t) counted;
  client->tls.in_size = counted;
  take(client);
  if (counted == size) return;
  if (device_client_has_connack(client)) {
    client->tls.in = event->bytes.data + counted;
    client->tls.in_size = size - counted;
    device_client_receive(client);
  } else if (client->state != DEVICE_CLIENT_IDLE) {
    device_client_end(client, DEVICE_FAIL_TLS_BYTE_BUDGET, 0);
  }
}

static void handshake_bytes(struct device_client *client, const struct device_event *event)
{
  take_within_budget(client, event, go_on_handshaking);
}

static void connack_bytes(struct device_client *client, const struct device_event *event)
{
  take_within_budget(client, event, device_client_receive);
}

static void session_bytes(struct device_client *client, const struct device_event *event)
{
  (void) event;
  device_client_receive(client);
}

static void transport_closed(struct device_client *client, const struct device_event *event)
{
  enum device_failure cause = event->closed.cause;
  bool orderly = cause == DEVICE_FAIL_NONE || cause == DEVICE_FAIL_TCP_CLOSED;
  if (device_client_has_connack(client))
    cause = orderly ? DEVICE_FAIL_SESSION_CLOSED : DEVICE_FAIL_SESSION_RESET;
  else if (client->state == DEVICE_CLIENT_CONNECTING && (orderly || cause == DEVICE_FAIL_TCP_RESET))
    cause = orderly ? DEVICE_FAIL_TLS_CLOSED : DEVICE_FAIL_TLS_RESET;
  else if (orderly)
    cause = DEVICE_FAIL_TCP_CLOSED;
  end(client, cause, 0, &no_server);
}

static void tick(struct device_client *client, const struct device_event *event)
{
  (void) event;
  static const enum device_failure late[DEVICE_CLIENT_STATES_COUNT] = {
      [DEVICE_CLIENT_OPENING] = DEVICE_FAIL_TCP_TIMEOUT,
      [DEVICE_CLIENT_HANDSHAKING] = DEVICE_FAIL_TLS_TIMEOUT,
      [DEVICE_CLIENT_CONNECTING] = DEVICE_FAIL_MQTT_TIMEOUT,
  };
  enum device_failure failure = DEVICE_FAIL_NONE;
  if (client->platform.now_ms >= client->wait_ms) failure = late[client->state];
  if (device_client_has_connack(client)) failure = device_session_tick(&client->session);
  if (failure == DEVICE_FAIL_NONE) return;
  device_tls_notify(&client->tls);
  device_client_end(client, failure, 0);
}

static void publish(struct device_client *client, const struct device_event *event)
{
  client->effects->accepted =
      device_session_publish(&client->session, event, device_client_has_connack(client));
}

static void subscribe(struct device_client *client, const struct device_event *event)
{
  client->effects->accepted = device_session_subscribe(&client->session, event);
}

static void leave(struct device_client *client, uint8_t reason)
{
  bool live = device_client_has_connack(client);
  if (live) device_session_disconnect(&client->session, reason);
  device_tls_notify(&client->tls);
  device_client_end(client, live ? DEVICE_FAIL_SESSION_STOPPED : DEVICE_FAIL_STOPPED, reason);
}

static void stop(struct device_client *client, const struct device_event *event)
{
  leave(client, event->stop.reason);
}

/* The body is asked to start the device anew: what is open is closed before, what is not stays
   so. */
static void restart(struct device_client *client)
{
  struct device_effects *effects = client->effects;
  bool opening = effects->connect;
  effects->connect = false;
  if (client->state != DEVICE_CLIENT_IDLE) leave(client, 0);
  if (opening) effects->close = false;
}

static void fetched(struct device_client *client, const struct device_event *event)
{
  if (device_client_ota(client) != NULL)
    device_ota_fetched(device_client_ota(client), event->bytes.data, event->bytes.size);
}

static void fetch_ended(struct device_client *client, const struct device_event *event)
{
  if (device_client_ota(client) != NULL)
    device_ota_fetch_ended(device_client_ota(client), event->fetched.cause);
}

/* clang-format off */
#define EVENTS (DEVICE_FETCH_ENDED + 1)
/* need no connection */
#define DOWNLOADS [DEVICE_FETCHED] = fetched, [DEVICE_FETCH_ENDED] = fetch_ended
static void (*const table[DEVICE_CLIENT_STATES_COUNT][EVENTS])(struct device_client *, const struct device_event *) = {
  [DEVICE_CLIENT_IDLE]        = {[DEVICE_START] = start, [DEVICE_PUBLISH] = publish, DOWNLOADS},
  [DEVICE_CLIENT_OPENING]     = {[DEVICE_OPENED] = opened, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop, DOWNLOADS},
  [DEVICE_CLIENT_HANDSHAKING] = {[DEVICE_BYTES] = handshake_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop, DOWNLOADS},
  [DEVICE_CLIENT_CONNECTING]  = {[DEVICE_BYTES] = connack_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_STOP] = stop, DOWNLOADS},
  [DEVICE_CLIENT_SUBSCRIBING] = {[DEVICE_BYTES] = session_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_SUBSCRIBE] = subscribe, [DEVICE_STOP] = stop, DOWNLOADS},
  [DEVICE_CLIENT_ONLINE]      = {[DEVICE_BYTES] = session_bytes, [DEVICE_CLOSED] = transport_closed, [DEVICE_TICK] = tick,
                         [DEVICE_PUBLISH] = publish, [DEVICE_SUBSCRIBE] = subscribe, [DEVICE_STOP] = stop, DOWNLOADS},
};
/* clang-format on */

/* The interface of device.h. */

static size_t builtin_storage_size(const struct device_profile *profile)
{
  size_t size = client_size(profile);
  return profile->ota != NULL ? aligned(size) + sizeof(struct device_ota) : size;
}

static bool has_root(const struct device_client *client)
{
  const struct device_naming *naming = client->config.naming;
  return (naming != NULL && naming->root != NULL) || device_name_is_level(client->session.name);
}

static bool is_topic(const char *text, size_t most)
{
  return text == NULL || (text[0] != '\0' && strlen(text) <= most && strchr(text, '+') == NULL &&
                          strchr(text, '#') == NULL);
}

/* As device.h asks of it. */
static bool is_naming(const struct device_naming *naming)
{
  const char *client_id = naming->client_id;
  return (client_id == NULL ||
          (client_id[0] != '\0' && strlen(client_id) <= DEVICE_CLIENT_ID_MAX)) &&
         (naming->user == NULL || strlen(naming->user) <= DEVICE_USER_MAX) &&
         is_topic(naming->root, DEVICE_ROOT_MAX) && is_topic(naming->telemetry, DEVICE_TOPIC_MAX);
}

/* Finds what the device cannot live without. The bundle's signature was checked before it was
 * committed; since then the slot's CRC vouches for it. */
static enum device_failure boot(struct device_client *client)
{
  const struct device_host *host = &client->config.host;
  struct device_nvm_identity identity;
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  struct device_trust_bundle bundle;
  if (device_nvm_read_identity(host, &identity) != 0) return DEVICE_FAIL_DEVICE_IDENTITY;
  memcpy(client->session.name, identity.name, sizeof client->session.name);
  mbedtls_platform_zeroize(&identity, sizeof identity);
  if (!has_root(client)) return DEVICE_FAIL_DEVICE_IDENTITY;
  const struct device_nvm_slot *trust = &client->tls.found[DEVICE_NVM_TRUST];
  for (int area = 0; area < DEVICE_NVM_IMAGES; area++)
    if (device_nvm_find(host, (enum device_nvm_area) area, &client->tls.found[area]) != 0)
      return DEVICE_FAIL_DEVICE_NVM;
  if (client->tls.found[DEVICE_NVM_CERTIFICATE].size == 0 &&
      !client->config.profile->no_certificate)
    return DEVICE_FAIL_DEVICE_IDENTITY;
  if (trust->size == 0) return DEVICE_FAIL_NONE;
  if (trust->size > sizeof bytes ||
      host->nvm_read(host->ctx, trust->offset, bytes, trust->size) != 0)
    return DEVICE_FAIL_DEVICE_NVM;
  if (device_trust_parse(bytes, trust->size, &bundle) != DEVICE_UPDATE_COMMITTED)
    return DEVICE_FAIL_DEVICE_NVM;
  client->trust_version = bundle.version;
  return DEVICE_FAIL_NONE;
}

/* New firmware can bring the roots by which it will connect. What the device has may be newer. */
static enum device_failure trust_of_image(struct device_client *client,
                                          const struct device_slots_choice *choice)
{
  const struct device_host *host = &client->config.host;
  struct device_nvm_identity identity;
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  uint32_t size = choice->image.trust_size;
  if (size == 0 || size > sizeof bytes) return DEVICE_FAIL_NONE;
  if (host->flash_read(host->ctx, choice->slot, choice->image.trust_offset, bytes, size) != 0 ||
      device_nvm_read_identity(host, &identity) != 0)
    return DEVICE_FAIL_DEVICE_NVM;
  enum device_revocation policy = (enum device_revocation) client->config.profile->revocation;
  enum device_update update =
      device_trust_update(host, identity.update_key, policy, client->trust_version, bytes, size,
                          &client->trust_version);
  mbedtls_platform_zeroize(&identity, sizeof identity);
  if (update != DEVICE_UPDATE_COMMITTED) return DEVICE_FAIL_NONE;
  device_tls_credentials_changed(&client->tls);
  device_client_note(client, &(struct device_note){.kind = DEVICE_NOTE_TRUST,
                                                   .code = (uint8_t) update,
                                                   .version = client->trust_version});
  return DEVICE_FAIL_NONE;
}

static enum device_failure boot_image(struct device_client *client)
{
  struct device_slots_choice choice;
  struct device_ota *ota = device_client_ota(client);
  if (ota == NULL) return DEVICE_FAIL_NONE;
  enum device_failure failure =
      device_ota_boot(ota, client->config.profile, &client->config.host, &client->session, &choice);
  return failure == DEVICE_FAIL_NONE ? trust_of_image(client, &choice) : failure;
}

/* What it does not borrow lies behind the client. */
static void furnish(struct device_client *client)
{
  struct device_client_whole *whole = (struct device_client_whole *) client;
  if (client->config.profile->borrows) {
    client->session.outbox.lender = &client->config.host;
    return;
  }
  client->session.outbox.room = &whole->outbox;
  client->buffer = &whole->buffer;
}

static int builtin_create(void *storage, const struct device_config *config)
{
  assert((uintptr_t) storage % alignof(max_align_t) == 0);
  bool is_named = config->naming == NULL || is_naming(config->naming);
  assert(is_named);
  (void) is_named;
  struct device_client *client = storage;
  memset(client, 0, sizeof *client);
  client->config = *config;
  assert(!config->profile->borrows || config->host.lend != NULL);
  client->platform.host = &client->config.host;
  client->wait_ms = DEVICE_NEVER;
  device_tls_init(&client->tls);
  device_platform_enter(&client->platform);
  psa_status_t status = psa_crypto_init();
  device_platform_leave();
  if (status != PSA_SUCCESS) return -DEVICE_FAIL_TLS_INTERNAL;
  client->session = (struct device_session){.profile = config->profile,
                                            .host = &client->config.host,
                                            .tls = &client->tls,
                                            .naming = config->naming,
                                            .deliver = device_client_deliver,
                                            .ctx = client,
                                            .ping_due_ms = DEVICE_NEVER};
  furnish(client);
  enum device_failure failure = boot(client);
  device_platform_enter(&client->platform);
  if (failure == DEVICE_FAIL_NONE) failure = boot_image(client);
  device_platform_leave();
  if (failure == DEVICE_FAIL_NONE)
    device_anchors_attach();
  else
    device_outbox_clear(&client->session.outbox);
  return -(int) failure;
}

static void lend(struct device_client *client, const struct device_event *event,
                 struct device_effects *effects)
{
  bool bytes = event->kind == DEVICE_BYTES;
  client->effects = effects;
  client->tls.in = bytes ? event->bytes.data : NULL;
  client->tls.in_size = bytes ? event->bytes.size : 0;
  client->tls.out = effects->out;
  client->tls.out_size = 0;
  client->tls.out_capacity = effects->out_capacity;
}

static uint64_t deadline(struct device_client *client)
{
  const struct device_ota *ota = device_client_ota(client);
  uint64_t due = device_client_has_connack(client) ? device_session_deadline(&client->session)
                                                   : client->wait_ms;
  uint64_t update = ota != NULL ? device_ota_deadline(ota) : DEVICE_NEVER;
  return due < update ? due : update;
}

static void take_back(struct device_client *client)
{
  struct device_effects *effects = client->effects;
  effects->out_size = client->tls.out_size;
  effects->deadline_ms = deadline(client);
  client->effects = NULL;
  client->tls.in = NULL;
  client->tls.out = NULL;
  client->tls.in_size = client->tls.out_capacity = 0;
}

static void builtin_step(void *storage, const struct device_event *event,
                         struct device_effects *effects)
{
  struct device_client *client = storage;
  assert((size_t) event->kind < EVENTS);
  assert(effects->out_capacity >= DEVICE_OUT_MIN);
  *effects = (struct device_effects){.out = effects->out, .out_capacity = effects->out_capacity};
  client->platform.now_ms = event->now_ms;
  client->platform.unix_s = event->unix_s;
  client->session.now_ms = event->now_ms;
  lend(client, event, effects);
  device_platform_enter(&client->platform);
  device_tls_wake(&client->tls);
  if (table[client->state][event->kind] != NULL) table[client->state][event->kind](client, event);
  struct device_ota *ota = device_client_ota(client);
  if (ota != NULL) device_ota_go_on(ota, effects);
  if (effects->reboot) restart(client);
  device_tls_rest(&client->tls);
  /* whoever wrote or read last, a connection that broke underneath ends here */
  if (client->state != DEVICE_CLIENT_IDLE && client->tls.error != 0) end_by_tls(client);
  if (client->tls.handshake == NULL && client->rx_size == 0) give_back_buffer(client);
  device_platform_leave();
  take_back(client);
}

static void builtin_destroy(void *storage)
{
  struct device_client *client = storage;
  device_platform_enter(&client->platform);
  if (device_client_ota(client) != NULL) device_ota_end(device_client_ota(client));
  device_tls_close(&client->tls);
  device_tls_forget_ticket(&client->tls);
  device_anchors_detach();
  device_platform_leave();
  device_outbox_clear(&client->session.outbox);
  give_back_buffer(client);
  mbedtls_platform_zeroize(client, client_size(client->config.profile));
}

static const char *builtin_device_name(const void *storage)
{
  return ((const struct device_client *) storage)->session.name;
}

static uint32_t builtin_trust_version(const void *storage)
{
  return ((const struct device_client *) storage)->trust_version;
}

static const char *builtin_state_name(uint8_t state)
{
  static const char *const names[] = {
#define X(symbol, name) name,
      DEVICE_CLIENT_STATES(X)
#undef X
  };
  return state < DEVICE_CLIENT_STATES_COUNT ? names[state] : "unknown";
}

const struct device_ops device_builtin = {
    .name = "builtin",
    .tls_library = MBEDTLS_VERSION_STRING,
    .storage_size = builtin_storage_size,
    .create = builtin_create,
    .step = builtin_step,
    .destroy = builtin_destroy,
    .device_name = builtin_device_name,
    .trust_version = builtin_trust_version,
    .state_name = builtin_state_name,
};

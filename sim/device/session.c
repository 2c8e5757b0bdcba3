/* The sending half, and the clocks of the session; session_receive.c is the other. After CONNACK
 * it subscribes, brings the outbox back to where the broker's memory is, and sends on as far as
 * the window allows. It fails by silence only: an answer or a ping that is overdue ends the
 * session. */
#include "session.h"

#include <assert.h>
#include <string.h>

#include <mbedtls/platform_util.h>

#define QOS_NOT_SUPPORTED 0x9b /* MQTT 5 reason codes */
#define PACKET_TOO_LARGE  0x95

void device_session_observe(const struct device_session *session, const struct device_note *note)
{
  if (session->host->observe != NULL) session->host->observe(session->host->ctx, note);
}

/* A packet of size 0 did not fit its buffer: the limits of topic and outbox rule that out. */
static void send_packet(struct device_session *session, const uint8_t *packet, size_t size)
{
  if (device_tls_write(session->tls, packet, size) == 0) session->sent_ms = session->now_ms;
}

void device_session_send_ack(struct device_session *session, enum device_mqtt_type type,
                             uint16_t packet_id, uint8_t reason)
{
  uint8_t packet[8];
  send_packet(session, packet,
              device_mqtt_encode_ack(packet, sizeof packet, session->profile->mqtt_version, type,
                                     packet_id, reason));
}

/* The next piece of a topic of `size` bytes; false: it is too long. */
static bool append(char out[DEVICE_SESSION_TOPIC_MAX], size_t *size, const char *text)
{
  size_t more = strlen(text);
  if (more >= DEVICE_SESSION_TOPIC_MAX - *size) return false;
  memcpy(out + *size, text, more + 1);
  *size += more;
  return true;
}

/* Writes ROOT`below`; its size, or 0 if it is too long, which the device's own are not. */
static size_t make_topic(const struct device_session *session, const char *below,
                         char out[DEVICE_SESSION_TOPIC_MAX])
{
  const struct device_naming *naming = session->naming;
  size_t size = 0;
  bool fits = naming != NULL && naming->root != NULL
                  ? append(out, &size, naming->root)
                  : append(out, &size, "private/") && append(out, &size, session->name) &&
                        append(out, &size, "/");
  return fits && append(out, &size, below) ? size : 0;
}

/* The topic that the application means, as it stands or written to `own`; its size is 0 if it is
 * too long. */
static const char *meant_topic(const struct device_session *session,
                               const struct device_event *event, char own[DEVICE_SESSION_TOPIC_MAX],
                               size_t *size)
{
  const struct device_naming *naming = session->naming;
  const char *topic = event->publish.topic;
  bool absolute = event->publish.absolute;
  if (topic == NULL) {
    absolute = naming != NULL && naming->telemetry != NULL;
    topic = absolute ? naming->telemetry : "telemetry";
  }
  if (!absolute) {
    *size = make_topic(session, topic, own);
    return own;
  }
  *size = strlen(topic);
  if (*size >= DEVICE_SESSION_TOPIC_MAX) *size = 0;
  return topic;
}

bool device_session_topic_is(const struct device_session *session,
                             const struct device_mqtt_publish *message, const char *below)
{
  char topic[DEVICE_SESSION_TOPIC_MAX];
  size_t size = make_topic(session, below, topic);
  return size == message->topic_size && memcmp(topic, message->topic, size) == 0;
}

static bool packet_id_used(const struct device_session *session, uint16_t id)
{
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++)
    if (session->subscription[i].packet_id == id) return true;
  return device_outbox_find(&session->outbox, id) >= 0;
}

static uint16_t next_packet_id(struct device_session *session)
{
  do session->last_packet_id++;
  while (session->last_packet_id == 0 || packet_id_used(session, session->last_packet_id));
  return session->last_packet_id;
}

/* Gives `request` its packet id and sends it. False: too many wait for their SUBACK. */
static bool send_subscribe(struct device_session *session, struct device_mqtt_subscribe *request,
                           const struct device_session_subscription *wanted)
{
  uint8_t packet[DEVICE_MQTT_FILTERS * (DEVICE_SESSION_TOPIC_MAX + 3) + 8];
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++) {
    struct device_session_subscription *slot = &session->subscription[i];
    if (slot->packet_id != 0) continue;
    *slot = *wanted;
    request->packet_id = slot->packet_id = next_packet_id(session);
    slot->due_ms = session->now_ms + session->profile->ack_timeout_ms;
    send_packet(session, packet,
                device_mqtt_encode_subscribe(packet, sizeof packet, session->profile->mqtt_version,
                                             request));
    return true;
  }
  return false;
}

static bool own_pending(const struct device_session *session)
{
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++)
    if (session->subscription[i].packet_id != 0 && session->subscription[i].own != 0) return true;
  return false;
}

static const struct {
  const char *below;
  bool at_most_once, of_updates;
} own_filters[DEVICE_MQTT_FILTERS] = {{"trust", false, false},
                                      {"cert", false, false},
                                      {"ota/manifest", false, true},
                                      {"ota/block", true, true}};

size_t device_session_filter(const struct device_session *session, uint8_t bit,
                             char out[DEVICE_SESSION_TOPIC_MAX])
{
  size_t i = 0;
  while (i + 1 < DEVICE_MQTT_FILTERS && (bit >> i & 1) == 0) i++;
  return make_topic(session, own_filters[i].below, out);
}

/* Asks for those of the device's own filters that the broker has not confirmed in this session: a
 * broker that keeps the session may have lost the SUBSCRIBE that was on its way. */
static void subscribe_own(struct device_session *session)
{
  char topic[DEVICE_MQTT_FILTERS][DEVICE_SESSION_TOPIC_MAX];
  struct device_mqtt_subscribe request = {.qos = 1};
  struct device_session_subscription wanted = {.own = 0};
  size_t count = 0;
  if (session->profile->no_control) return;
  for (size_t i = 0; i < DEVICE_MQTT_FILTERS; i++) {
    uint8_t bit = (uint8_t) (1u << i);
    if ((session->confirmed & bit) != 0 ||
        (own_filters[i].of_updates && session->profile->ota == NULL))
      continue;
    (void) make_topic(session, own_filters[i].below, topic[count]);
    request.filter[count] = topic[count];
    if (own_filters[i].at_most_once) request.at_most_once |= (uint8_t) (1u << count);
    wanted.own |= bit;
    count++;
  }
  if (count > 0) (void) send_subscribe(session, &request, &wanted);
}

/* The password is in these two places only, and only as long as this takes. Whether the broker is
 * asked to judge a user name or a password. */
static bool send_connect(struct device_session *session, struct device_mqtt_connect *connect)
{
  const struct device_host *host = session->host;
  uint8_t packet[DEVICE_CLIENT_ID_MAX + DEVICE_SESSION_TOPIC_MAX + DEVICE_USER_MAX +
                 DEVICE_PASSWORD_MAX + 64];
  uint8_t password[DEVICE_PASSWORD_MAX];
  bool may = host->password != NULL && (connect->user != NULL || connect->version == 5);
  int size = may ? host->password(host->ctx, password) : -1;
  assert(size <= (int) sizeof password);
  if (size >= 0) connect->password = (struct device_mqtt_bytes){password, (size_t) size};
  send_packet(session, packet, device_mqtt_encode_connect(packet, sizeof packet, connect));
  connect->password = (struct device_mqtt_bytes){NULL, 0};
  mbedtls_platform_zeroize(password, sizeof password);
  mbedtls_platform_zeroize(packet, sizeof packet);
  return connect->user != NULL || size >= 0;
}

void device_session_connect(struct device_session *session)
{
  const struct device_profile *profile = session->profile;
  const struct device_naming *naming = session->naming;
  bool named = naming != NULL && naming->client_id != NULL;
  char will[DEVICE_SESSION_TOPIC_MAX];
  (void) make_topic(session, "status", will);
  struct device_mqtt_connect connect = {
      .version = profile->mqtt_version,
      .client_id = named ? naming->client_id : session->name,
      /* in MQTT 3.1.1 the session that follows would not persist either */
      .clean_start = profile->clean_start ||
                     (profile->forget_first && profile->mqtt_version == 5 && !session->begun),
      .keep_alive_s = profile->keep_alive_s,
      .session_expiry_s = profile->session_expiry_s,
      .receive_maximum = DEVICE_SESSION_INBOUND,
      .packet_maximum = DEVICE_SESSION_RECEIVE_MAX,
      .will_topic = profile->will ? will : NULL,
      .will_payload = {(const uint8_t *) "offline", 7},
      .will_qos = 1,
      .user = naming != NULL ? naming->user : NULL,
  };
  session->ping_due_ms = DEVICE_NEVER;
  session->reason = 0;
  memset(session->subscription, 0, sizeof session->subscription);
  bool judged = send_connect(session, &connect);
  if (!connect.clean_start) return; /* CONNACK will tell what the broker kept */
  session->confirmed = 0;
  /* who may be refused for a password waits for the word: a broker that closes with SUBSCRIBE unread
     resets the connection, and its CONNACK may be lost by that (seen with mosquitto 2.0.11) */
  if (!judged) subscribe_own(session);
}

/* SUBACK is awaited from CONNACK on, also where SUBSCRIBE left with CONNECT. */
static void await_subacks(struct device_session *session)
{
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++)
    session->subscription[i].due_ms = session->now_ms + session->profile->ack_timeout_ms;
}

void device_session_begin(struct device_session *session, const struct device_mqtt_packet *connack)
{
  uint16_t keep_alive_s =
      connack->has_keep_alive ? connack->keep_alive_s : session->profile->keep_alive_s;
  bool v5 = session->profile->mqtt_version == 5;
  session->keep_alive_ms = (uint32_t) keep_alive_s * 1000u;
  session->begun = true;
  session->heard_ms = session->now_ms;
  session->window = DEVICE_SESSION_WINDOW;
  if (v5 && connack->receive_maximum < session->window) session->window = connack->receive_maximum;
  session->maximum_qos = v5 ? connack->maximum_qos : 2;
  session->packet_maximum = connack->packet_maximum != 0 ? connack->packet_maximum : UINT32_MAX;
  if (!connack->session_present) {
    memset(session->inbound, 0, sizeof session->inbound);
    session->confirmed = 0;
  }
  if (!own_pending(session)) subscribe_own(session);
  await_subacks(session);
  device_outbox_rewind(&session->outbox, connack->session_present);
  device_session_flush(session);
}

bool device_session_ready(const struct device_session *session)
{
  return !own_pending(session);
}

/* The outbox keeps of the device's own messages what comes behind ROOT, so that its reserve does
 * not depend on ROOT's length. The topic is in the outbox or in `own`. */
static const char *topic_of(const struct device_session *session, size_t index,
                            char own[DEVICE_SESSION_TOPIC_MAX], size_t *size)
{
  const struct device_outbox_entry *entry = &session->outbox.room->entry[index];
  const char *kept = (const char *) device_outbox_bytes(&session->outbox, index);
  char below[DEVICE_SESSION_TOPIC_MAX];
  *size = entry->topic_size;
  if (!entry->internal) return kept;
  memcpy(below, kept, entry->topic_size);
  below[entry->topic_size] = '\0';
  *size = make_topic(session, below, own);
  return own;
}

/* Reported (an answer to the device's own only if it is a denial) and removed. */
static void end_entry(struct device_session *session, size_t index, uint8_t reason, bool declined)
{
  const struct device_outbox_entry *entry = &session->outbox.room->entry[index];
  bool denied = reason >= 0x80;
  char own[DEVICE_SESSION_TOPIC_MAX];
  size_t topic_size;
  const char *topic = topic_of(session, index, own, &topic_size);
  if (denied || !entry->internal)
    device_session_observe(
        session, &(struct device_note){.kind = denied ? DEVICE_NOTE_DENIED : DEVICE_NOTE_ACKED,
                                       .tag = entry->internal ? 0 : entry->tag,
                                       .qos = entry->qos,
                                       .code = reason,
                                       .declined = declined,
                                       .topic = topic,
                                       .topic_size = topic_size});
  device_outbox_remove(&session->outbox, index);
}

void device_session_finish(struct device_session *session, size_t index, uint8_t reason)
{
  end_entry(session, index, reason, false);
}

static size_t in_flight(const struct device_session *session)
{
  size_t count = 0;
  for (size_t i = 0; i < session->outbox.count; i++) {
    uint8_t phase = session->outbox.room->entry[i].phase;
    count += phase == DEVICE_OUTBOX_PUBLISHED || phase == DEVICE_OUTBOX_RELEASED;
  }
  return count;
}

static size_t encode_entry(struct device_session *session, size_t index, uint8_t *out,
                           size_t capacity)
{
  struct device_outbox_entry *entry = &session->outbox.room->entry[index];
  char own[DEVICE_SESSION_TOPIC_MAX];
  size_t topic_size;
  const char *topic = topic_of(session, index, own, &topic_size);
  bool duplicate = entry->packet_id != 0;
  if (!duplicate) entry->packet_id = next_packet_id(session);
  struct device_mqtt_publish publish = {
      .topic = topic,
      .topic_size = topic_size,
      .payload = device_outbox_bytes(&session->outbox, index) + entry->topic_size,
      .payload_size = entry->payload_size,
      .packet_id = entry->packet_id,
      .qos = entry->qos,
      .duplicate = duplicate,
  };
  return device_mqtt_encode_publish(out, capacity, session->profile->mqtt_version, &publish);
}

static void send_message(struct device_session *session, struct device_outbox_entry *entry,
                         const uint8_t *packet, size_t size)
{
  bool again = entry->sent;
  entry->phase = DEVICE_OUTBOX_PUBLISHED;
  entry->sent = true;
  send_packet(session, packet, size);
  if (again && !entry->internal)
    device_session_observe(
        session,
        &(struct device_note){.kind = DEVICE_NOTE_RESENT, .tag = entry->tag, .qos = entry->qos});
}

/* Sends one entry; false when the broker's limits forbid it and it was dropped. */
static bool send_entry(struct device_session *session, size_t index)
{
  uint8_t packet[DEVICE_SESSION_PACKET_MAX];
  struct device_outbox_entry *entry = &session->outbox.room->entry[index];
  entry->due_ms = session->now_ms + session->profile->ack_timeout_ms;
  if (entry->phase == DEVICE_OUTBOX_RECEIVED) {
    entry->phase = DEVICE_OUTBOX_RELEASED;
    device_session_send_ack(session, DEVICE_MQTT_PUBREL, entry->packet_id, 0);
    return true;
  }
  size_t size = encode_entry(session, index, packet, sizeof packet);
  uint8_t reason = entry->qos > session->maximum_qos ? QOS_NOT_SUPPORTED
                   : size > session->packet_maximum  ? PACKET_TOO_LARGE
                                                     : 0;
  if (reason != 0) {
    end_entry(session, index, reason, !entry->sent);
    return false;
  }
  send_message(session, entry, packet, size);
  return true;
}

void device_session_flush(struct device_session *session)
{
  size_t flying = in_flight(session);
  size_t i = 0;
  while (i < session->outbox.count && flying < session->window && session->tls->error == 0) {
    uint8_t phase = session->outbox.room->entry[i].phase;
    bool waiting = phase == DEVICE_OUTBOX_QUEUED || phase == DEVICE_OUTBOX_RECEIVED;
    if (waiting && !send_entry(session, i)) continue;
    flying += waiting;
    i++;
  }
}

bool device_session_acknowledge(struct device_session *session, const char *below, const char *text,
                                uint32_t tag)
{
  return device_outbox_add(&session->outbox,
                           &(struct device_outbox_message){.topic = below,
                                                           .topic_size = strlen(below),
                                                           .payload = (const uint8_t *) text,
                                                           .payload_size = strlen(text),
                                                           .tag = tag,
                                                           .qos = 1,
                                                           .internal = true});
}

void device_session_say(struct device_session *session, const char *below, const uint8_t *payload,
                        size_t size)
{
  uint8_t packet[DEVICE_SESSION_TOPIC_MAX + DEVICE_SESSION_SAY_MAX + 8];
  char topic[DEVICE_SESSION_TOPIC_MAX];
  struct device_mqtt_publish publish = {.topic = topic,
                                        .topic_size = make_topic(session, below, topic),
                                        .payload = payload,
                                        .payload_size = size};
  send_packet(
      session, packet,
      device_mqtt_encode_publish(packet, sizeof packet, session->profile->mqtt_version, &publish));
}

static bool publish_now(struct device_session *session, const struct device_outbox_message *message)
{
  uint8_t packet[DEVICE_SESSION_PACKET_MAX];
  struct device_mqtt_publish publish = {.topic = message->topic,
                                        .topic_size = message->topic_size,
                                        .payload = message->payload,
                                        .payload_size = message->payload_size};
  size_t size =
      device_mqtt_encode_publish(packet, sizeof packet, session->profile->mqtt_version, &publish);
  if (size == 0) return false;
  if (size > session->packet_maximum) {
    device_session_observe(session, &(struct device_note){.kind = DEVICE_NOTE_DENIED,
                                                          .tag = message->tag,
                                                          .code = PACKET_TOO_LARGE,
                                                          .declined = true,
                                                          .topic = message->topic,
                                                          .topic_size = message->topic_size});
    return false;
  }
  send_packet(session, packet, size);
  if (session->tls->error != 0) return false;
  device_session_observe(session,
                         &(struct device_note){.kind = DEVICE_NOTE_ACKED, .tag = message->tag});
  return true;
}

bool device_session_publish(struct device_session *session, const struct device_event *event,
                            bool online)
{
  char own[DEVICE_SESSION_TOPIC_MAX];
  size_t topic_size;
  const char *topic = meant_topic(session, event, own, &topic_size);
  struct device_outbox_message message = {
      .topic = topic,
      .topic_size = topic_size,
      .payload = event->publish.payload,
      .payload_size = event->publish.size,
      .tag = event->publish.tag,
      .qos = event->publish.qos,
      .once = event->publish.once,
  };
  if (message.topic_size == 0 || message.qos > 2 || (message.once && !online)) return false;
  if (message.qos == 0) return online && publish_now(session, &message);
  if (!device_outbox_add(&session->outbox, &message)) return false;
  if (online) device_session_flush(session);
  return true;
}

bool device_session_subscribe(struct device_session *session, const struct device_event *event)
{
  char own[DEVICE_SESSION_TOPIC_MAX];
  size_t size;
  const char *topic = meant_topic(session, event, own, &size);
  if (size == 0 || event->publish.qos > 2) return false;
  return send_subscribe(
      session, &(struct device_mqtt_subscribe){.filter = {topic}, .qos = event->publish.qos},
      &(struct device_session_subscription){.tag = event->publish.tag});
}

void device_session_disconnect(struct device_session *session, uint8_t reason)
{
  uint8_t packet[8];
  send_packet(
      session, packet,
      device_mqtt_encode_disconnect(packet, sizeof packet, session->profile->mqtt_version, reason));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static uint64_t answer_deadline(const struct device_session *session)
{
  uint64_t due = DEVICE_NEVER;
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++)
    if (session->subscription[i].packet_id != 0)
      due = earlier(due, session->subscription[i].due_ms);
  for (size_t i = 0; i < session->outbox.count; i++) {
    const struct device_outbox_entry *entry = &session->outbox.room->entry[i];
    if (entry->phase == DEVICE_OUTBOX_PUBLISHED || entry->phase == DEVICE_OUTBOX_RELEASED)
      due = earlier(due, entry->due_ms);
  }
  return due;
}

/* The broker wants to hear of the device [MQTT-3.1.2-22]; and the device must hear of the broker,
 * or one that sends nothing but QoS 0 would take a silent broker for a good one for ever. */
static uint64_t ping_time(const struct device_session *session)
{
  if (session->keep_alive_ms == 0 || session->ping_due_ms != DEVICE_NEVER) return DEVICE_NEVER;
  return earlier(session->sent_ms, session->heard_ms) + session->keep_alive_ms;
}

enum device_failure device_session_tick(struct device_session *session)
{
  if (session->now_ms >= session->ping_due_ms) return DEVICE_FAIL_SESSION_PING;
  if (session->now_ms >= answer_deadline(session)) return DEVICE_FAIL_SESSION_ACK;
  if (session->now_ms >= ping_time(session)) {
    uint8_t packet[2];
    send_packet(session, packet, device_mqtt_encode_pingreq(packet, sizeof packet));
    session->ping_due_ms = session->now_ms + session->profile->ack_timeout_ms;
  }
  return DEVICE_FAIL_NONE;
}

uint64_t device_session_deadline(const struct device_session *session)
{
  return earlier(earlier(session->ping_due_ms, answer_deadline(session)), ping_time(session));
}

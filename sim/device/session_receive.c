/* What the broker says after CONNACK. */
#include "session.h"

#define ID_NOT_FOUND 0x92 /* MQTT 5 reason code */

/* Of the application's filters (`bit` is 0) both answers are told, of the device's own the bad
   ones. */
static void tell_granted(const struct device_session *session, uint32_t tag, uint8_t bit,
                         uint8_t code)
{
  char topic[DEVICE_SESSION_TOPIC_MAX];
  struct device_note note = {.kind = DEVICE_NOTE_ACKED, .tag = tag, .code = code};
  if (code < 0x80 && bit != 0) return;
  if (code >= 0x80) {
    note.kind = DEVICE_NOTE_DENIED;
    note.subscription = true;
  }
  if (bit != 0) {
    note.topic_size = device_session_filter(session, bit, topic);
    note.topic = topic;
  }
  device_session_observe(session, &note);
}

/* One code per filter, in the order they were asked for [MQTT-3.8.4-5]. */
static enum device_failure on_granted(struct device_session *session,
                                      const struct device_session_subscription *asked,
                                      const struct device_mqtt_bytes *codes)
{
  uint8_t own = asked->own;
  for (size_t i = 0; i < codes->size; i++) {
    uint8_t bit = (uint8_t) (own & -own);
    if (i > 0 && bit == 0) return DEVICE_FAIL_SESSION_PROTOCOL;
    own &= (uint8_t) ~bit;
    if (codes->data[i] < 0x80) session->confirmed |= bit;
    tell_granted(session, asked->tag, bit, codes->data[i]);
  }
  return own == 0 ? DEVICE_FAIL_NONE : DEVICE_FAIL_SESSION_PROTOCOL;
}

static enum device_failure on_suback(struct device_session *session,
                                     const struct device_mqtt_packet *packet)
{
  for (size_t i = 0; i < DEVICE_SESSION_SUBSCRIPTIONS; i++) {
    struct device_session_subscription *slot = &session->subscription[i];
    if (slot->packet_id != packet->packet_id) continue;
    slot->packet_id = 0;
    return on_granted(session, slot, &packet->codes);
  }
  return DEVICE_FAIL_SESSION_PROTOCOL;
}

static enum device_failure on_pubrec(struct device_session *session,
                                     const struct device_mqtt_packet *packet, int index)
{
  struct device_outbox_entry *entry = index >= 0 ? &session->outbox.room->entry[index] : NULL;
  if (entry == NULL || entry->qos != 2) {
    device_session_send_ack(session, DEVICE_MQTT_PUBREL, packet->packet_id, ID_NOT_FOUND);
    return DEVICE_FAIL_NONE;
  }
  if (packet->reason >= 0x80) {
    device_session_finish(session, (size_t) index, packet->reason);
    return DEVICE_FAIL_NONE;
  }
  entry->phase = DEVICE_OUTBOX_RELEASED;
  entry->due_ms = session->now_ms + session->profile->ack_timeout_ms;
  device_session_send_ack(session, DEVICE_MQTT_PUBREL, packet->packet_id, 0);
  return DEVICE_FAIL_NONE;
}

static enum device_failure on_answer(struct device_session *session,
                                     const struct device_mqtt_packet *packet)
{
  int index = device_outbox_find(&session->outbox, packet->packet_id);
  if (packet->type == DEVICE_MQTT_PUBREC) return on_pubrec(session, packet, index);
  if (index < 0) return DEVICE_FAIL_NONE; /* a late answer to what is already complete */
  const struct device_outbox_entry *entry = &session->outbox.room->entry[index];
  bool fits = packet->type == DEVICE_MQTT_PUBACK
                  ? entry->qos == 1 && entry->phase == DEVICE_OUTBOX_PUBLISHED
                  : entry->phase == DEVICE_OUTBOX_RELEASED;
  if (!fits) return DEVICE_FAIL_SESSION_PROTOCOL;
  /* PUBCOMP with "packet id not found" ends the exchange as well: there is nothing left to
     release */
  bool gone = packet->type == DEVICE_MQTT_PUBCOMP && packet->reason == ID_NOT_FOUND;
  device_session_finish(session, (size_t) index, gone ? 0 : packet->reason);
  return DEVICE_FAIL_NONE;
}

static uint16_t *find_inbound(struct device_session *session, uint16_t packet_id)
{
  for (size_t i = 0; i < DEVICE_SESSION_INBOUND; i++)
    if (session->inbound[i] == packet_id) return &session->inbound[i];
  return NULL;
}

static enum device_failure on_publish(struct device_session *session,
                                      const struct device_mqtt_publish *message)
{
  if (message->qos == 2) {
    if (find_inbound(session, message->packet_id) == NULL) {
      uint16_t *slot = find_inbound(session, 0);
      if (slot == NULL) return DEVICE_FAIL_SESSION_PROTOCOL; /* more than our receive maximum */
      if (!session->deliver(session->ctx, message)) return DEVICE_FAIL_NONE;
      *slot = message->packet_id;
    }
    device_session_send_ack(session, DEVICE_MQTT_PUBREC, message->packet_id, 0);
    return DEVICE_FAIL_NONE;
  }
  if (session->deliver(session->ctx, message) && message->qos == 1)
    device_session_send_ack(session, DEVICE_MQTT_PUBACK, message->packet_id, 0);
  return DEVICE_FAIL_NONE;
}

static enum device_failure on_pubrel(struct device_session *session, uint16_t packet_id)
{
  uint16_t *slot = find_inbound(session, packet_id);
  if (slot != NULL) *slot = 0;
  device_session_send_ack(session, DEVICE_MQTT_PUBCOMP, packet_id, slot != NULL ? 0 : ID_NOT_FOUND);
  return DEVICE_FAIL_NONE;
}

static enum device_failure on_pingresp(struct device_session *session)
{
  session->ping_due_ms = DEVICE_NEVER;
  return DEVICE_FAIL_NONE;
}

static enum device_failure dispatch(struct device_session *session,
                                    const struct device_mqtt_packet *packet)
{
  switch (packet->type) {
  case DEVICE_MQTT_PUBLISH: return on_publish(session, &packet->publish);
  case DEVICE_MQTT_PUBACK:
  case DEVICE_MQTT_PUBREC:
  case DEVICE_MQTT_PUBCOMP: return on_answer(session, packet);
  case DEVICE_MQTT_PUBREL: return on_pubrel(session, packet->packet_id);
  case DEVICE_MQTT_SUBACK: return on_suback(session, packet);
  case DEVICE_MQTT_PINGRESP: return on_pingresp(session);
  case DEVICE_MQTT_DISCONNECT:
    session->reason = packet->reason;
    return DEVICE_FAIL_SESSION_DISCONNECT;
  default: return DEVICE_FAIL_SESSION_PROTOCOL;
  }
}

enum device_failure device_session_packet(struct device_session *session,
                                          const struct device_mqtt_packet *packet)
{
  session->heard_ms = session->now_ms;
  enum device_failure failure = dispatch(session, packet);
  if (failure == DEVICE_FAIL_NONE) device_session_flush(session);
  return failure;
}

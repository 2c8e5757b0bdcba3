/* The client's ear: decrypted bytes become packets, packets become the end of a wait, a message or
   the end of all. */
#include <string.h>

#include "client.h"
#include "update.h"

bool device_client_deliver(void *ctx, const struct device_mqtt_publish *message)
{
  struct device_client *client = ctx;
  int handled = device_update_handle(&client->session, message, &client->trust_version);
  struct device_ota *ota = device_client_ota(client);
  if (handled == 0 && ota != NULL) handled = device_ota_deliver(ota, message);
  if (handled != 0) return handled > 0;
  device_client_note(client, &(struct device_note){.kind = DEVICE_NOTE_MESSAGE,
                                                   .retained = message->retain,
                                                   .duplicate = message->duplicate,
                                                   .qos = message->qos,
                                                   .topic = message->topic,
                                                   .topic_size = message->topic_size,
                                                   .payload = message->payload,
                                                   .payload_size = message->payload_size});
  return true;
}

static void become_ready(struct device_client *client)
{
  if (client->state != DEVICE_CLIENT_SUBSCRIBING || !device_session_ready(&client->session)) return;
  device_client_enter(client, DEVICE_CLIENT_ONLINE, 0);
  device_client_note(client, &(struct device_note){.kind = DEVICE_NOTE_READY});
  if (device_client_ota(client) != NULL) device_ota_ready(device_client_ota(client));
}

static void on_connack(struct device_client *client, const struct device_mqtt_packet *packet)
{
  if (packet->type != DEVICE_MQTT_CONNACK) {
    device_client_end(client, DEVICE_FAIL_MQTT_PROTOCOL, 0);
    return;
  }
  if (packet->reason != 0) {
    device_tls_notify(&client->tls);
    device_client_end_by(client, device_failure_of_connack(packet->reason), packet->reason,
                         &packet->server_reference);
    return;
  }
  device_client_enter(client, DEVICE_CLIENT_SUBSCRIBING, 0);
  device_client_note(client, &(struct device_note){.kind = DEVICE_NOTE_ONLINE,
                                                   .session_present = packet->session_present});
  device_tls_confirmed(&client->tls);
  device_session_begin(&client->session, packet);
  if (device_client_ota(client) != NULL) device_ota_online(device_client_ota(client));
  become_ready(client);
}

static void on_packet(struct device_client *client, const struct device_mqtt_packet *packet)
{
  if (client->state == DEVICE_CLIENT_CONNECTING) {
    on_connack(client, packet);
    return;
  }
  enum device_failure failure = device_session_packet(&client->session, packet);
  if (failure != DEVICE_FAIL_NONE) {
    device_tls_notify(&client->tls);
    device_client_end_by(client, failure, client->session.reason, &packet->server_reference);
    return;
  }
  become_ready(client);
}

/* A broker that does not know the device's version answers in its own: with CONNACK, return code 1
 * (MQTT 3.1.1, 3.2.2.3) or any other; aedes 1.2 refuses the subscriptions that came with CONNECT
 * even before. A reason of MQTT 5 tells more than its form. */
static bool speaks_other_version(const struct device_client *client, const uint8_t *data,
                                 size_t size, uint8_t *reason)
{
  struct device_mqtt_packet packet;
  uint8_t other = client->config.profile->mqtt_version == 5 ? 4 : 5;
  bool whole = device_mqtt_decode(data, size, other, sizeof client->buffer->rx, &packet) > 0;
  if (!whole || (packet.type != DEVICE_MQTT_CONNACK && packet.type != DEVICE_MQTT_SUBACK))
    return false;
  *reason = packet.type == DEVICE_MQTT_CONNACK ? packet.reason : 0;
  return true;
}

static void end_by_bad_packet(struct device_client *client, const uint8_t *data, size_t size)
{
  uint8_t reason = 0;
  enum device_failure failure = DEVICE_FAIL_MQTT_PROTOCOL;
  if (device_client_has_connack(client))
    failure = DEVICE_FAIL_SESSION_PROTOCOL;
  else if (speaks_other_version(client, data, size, &reason))
    failure = reason >= 0x80 ? device_failure_of_connack(reason) : DEVICE_FAIL_MQTT_REFUSED_VERSION;
  device_client_end(client, failure, reason);
}

/* Takes whole packets off the front of the buffer. */
static void take_packets(struct device_client *client)
{
  uint8_t version = client->config.profile->mqtt_version;
  size_t taken = 0;
  while (client->state != DEVICE_CLIENT_IDLE && taken < client->rx_size) {
    struct device_mqtt_packet packet;
    int size = device_mqtt_decode(client->buffer->rx + taken, client->rx_size - taken, version,
                                  sizeof client->buffer->rx, &packet);
    if (size == DEVICE_MQTT_INCOMPLETE) break;
    if (size < 0) {
      end_by_bad_packet(client, client->buffer->rx + taken, client->rx_size - taken);
      return;
    }
    taken += (size_t) size;
    on_packet(client, &packet);
  }
  if (client->state == DEVICE_CLIENT_IDLE) return;
  memmove(client->buffer->rx, client->buffer->rx + taken, client->rx_size - taken);
  client->rx_size = (uint16_t) (client->rx_size - taken);
}

void device_client_receive(struct device_client *client)
{
  int size = 1;
  if (!device_client_has_buffer(client)) return;
  while (client->state != DEVICE_CLIENT_IDLE && size > 0 && client->tls.error == 0) {
    size = device_tls_read(&client->tls, client->buffer->rx + client->rx_size,
                           sizeof client->buffer->rx - client->rx_size);
    if (size <= 0) break;
    client->rx_size = (uint16_t) (client->rx_size + size);
    take_packets(client);
  }
}

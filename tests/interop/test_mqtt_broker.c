/* Our codec against mosquitto, and through it against mosquitto's command-line clients: what one
 * side says arrives byte-equal at the other, in MQTT 3.1.1 and 5, at every QoS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "mqtt_peer.h"

#define ROOM MQTT_PEER_BYTES

/* Every byte value, so that nothing on the way may take the payload for text. */
enum { PAYLOAD_SIZE = 300 };
static const struct device_mqtt_bytes NOTHING;

static void fill(uint8_t payload[PAYLOAD_SIZE])
{
  for (size_t i = 0; i < PAYLOAD_SIZE; i++) payload[i] = (uint8_t) i;
}

static struct device_mqtt_packet connect_as(struct mqtt_client *client, struct mqtt_broker *broker,
                                            struct device_mqtt_connect connect)
{
  mqtt_client_open(client, broker, connect.version);
  mqtt_client_send(client, device_mqtt_encode_connect(client->out, ROOM, &connect));
  const struct device_mqtt_packet connack = mqtt_client_expect(client, DEVICE_MQTT_CONNACK);
  assert_int_equal(connack.reason, 0);
  return connack;
}

static void disconnect(struct mqtt_client *client)
{
  mqtt_client_send(client, device_mqtt_encode_disconnect(client->out, ROOM, client->version, 0));
  mqtt_client_expect_end(client);
  mqtt_client_close(client);
}

static void subscribe(struct mqtt_client *client, const char *filter, uint8_t qos)
{
  mqtt_client_send(
      client, device_mqtt_encode_subscribe(client->out, ROOM, client->version,
                                           &(struct device_mqtt_subscribe){{filter}, 7, qos, 0}));
  const struct device_mqtt_packet suback = mqtt_client_expect(client, DEVICE_MQTT_SUBACK);
  assert_int_equal(suback.packet_id, 7);
  assert_int_equal(suback.codes.size, 1);
  assert_int_equal(suback.reason, qos);
}

static void send_ack(struct mqtt_client *client, enum device_mqtt_type type, uint16_t packet_id)
{
  mqtt_client_send(client,
                   device_mqtt_encode_ack(client->out, ROOM, client->version, type, packet_id, 0));
}

static void expect_ack(struct mqtt_client *client, enum device_mqtt_type type, uint16_t packet_id)
{
  const struct device_mqtt_packet ack = mqtt_client_expect(client, type);
  assert_int_equal(ack.packet_id, packet_id);
}

static void publish(struct mqtt_client *client, const struct device_mqtt_publish *message)
{
  mqtt_client_send(client, device_mqtt_encode_publish(client->out, ROOM, client->version, message));
  if (message->qos == 1) expect_ack(client, DEVICE_MQTT_PUBACK, message->packet_id);
  if (message->qos < 2) return;
  expect_ack(client, DEVICE_MQTT_PUBREC, message->packet_id);
  send_ack(client, DEVICE_MQTT_PUBREL, message->packet_id);
  expect_ack(client, DEVICE_MQTT_PUBCOMP, message->packet_id);
}

static void acknowledge(struct mqtt_client *client, const struct device_mqtt_packet *message)
{
  const uint16_t packet_id = message->packet_id;
  if (message->publish.qos == 1) send_ack(client, DEVICE_MQTT_PUBACK, packet_id);
  if (message->publish.qos < 2) return;
  send_ack(client, DEVICE_MQTT_PUBREC, packet_id);
  expect_ack(client, DEVICE_MQTT_PUBREL, packet_id);
  send_ack(client, DEVICE_MQTT_PUBCOMP, packet_id);
}

static const char *version_option(uint8_t version)
{
  return version == 5 ? "5" : "311";
}

/* Retained, so that nothing depends on when the subscriber arrives. */
static void mosquitto_reads_ours(struct mqtt_broker *broker, uint8_t version, uint8_t qos)
{
  static struct mqtt_client client;
  uint8_t payload[PAYLOAD_SIZE], got[1024];
  const char topic[] = {'o', 'u', 'r', 's', '/', (char) ('0' + version), '/', (char) ('0' + qos),
                        '\0'};
  const char *const reader[] = {"-V", version_option((uint8_t) (9 - version)),
                                "-t", topic,
                                "-q", "2",
                                "-C", "1",
                                "-W", "8",
                                "-N", NULL};
  fill(payload);
  connect_as(
      &client, broker,
      (struct device_mqtt_connect){.version = version, .client_id = "ours", .clean_start = true});
  publish(&client, &(struct device_mqtt_publish){.topic = topic,
                                                 .topic_size = strlen(topic),
                                                 .payload = payload,
                                                 .payload_size = sizeof payload,
                                                 .packet_id = qos > 0 ? 0xfffe : 0,
                                                 .qos = qos,
                                                 .retain = true});
  disconnect(&client);
  const size_t size = mqtt_broker_run(broker, "mosquitto_sub", reader, NOTHING, got, sizeof got);
  assert_int_equal(size, sizeof payload);
  assert_memory_equal(got, payload, sizeof payload);
}

static void what_we_publish_arrives_byte_equal_at_mosquittos_client(void **state)
{
  for (uint8_t version = 4; version <= 5; version++)
    for (uint8_t qos = 0; qos <= 2; qos++) mosquitto_reads_ours(*state, version, qos);
}

static void we_read_mosquittos(struct mqtt_broker *broker, uint8_t version, uint8_t qos)
{
  static struct mqtt_client client;
  uint8_t payload[PAYLOAD_SIZE], printed[64];
  const char qos_option[] = {(char) ('0' + qos), '\0'};
  const char *const plain[] = {"-V", "311", "-t", "theirs/x", "-q", qos_option, "-s", NULL};
  const char *const with_properties[] = {"-V",
                                         "5",
                                         "-t",
                                         "theirs/x",
                                         "-q",
                                         qos_option,
                                         "-s",
                                         "-D",
                                         "PUBLISH",
                                         "user-property",
                                         "k",
                                         "v",
                                         "-D",
                                         "PUBLISH",
                                         "content-type",
                                         "x",
                                         "-D",
                                         "PUBLISH",
                                         "message-expiry-interval",
                                         "60",
                                         NULL};
  fill(payload);
  connect_as(
      &client, broker,
      (struct device_mqtt_connect){.version = version, .client_id = "us", .clean_start = true});
  subscribe(&client, "theirs/+", qos);
  mqtt_broker_run(broker, "mosquitto_pub", version == 5 ? with_properties : plain,
                  (struct device_mqtt_bytes){payload, sizeof payload}, printed, sizeof printed);
  const struct device_mqtt_packet message = mqtt_client_expect(&client, DEVICE_MQTT_PUBLISH);
  assert_int_equal(message.publish.qos, qos);
  assert_int_equal(message.publish.topic_size, 8);
  assert_memory_equal(message.publish.topic, "theirs/x", 8);
  assert_int_equal(message.publish.payload_size, sizeof payload);
  assert_memory_equal(message.publish.payload, payload, sizeof payload);
  acknowledge(&client, &message);
  disconnect(&client);
}

static void what_mosquittos_client_publishes_arrives_byte_equal_here(void **state)
{
  for (uint8_t version = 4; version <= 5; version++)
    for (uint8_t qos = 0; qos <= 2; qos++) we_read_mosquittos(*state, version, qos);
}

static void answers_our_ping(void **state)
{
  static struct mqtt_client client;
  for (uint8_t version = 4; version <= 5; version++) {
    connect_as(
        &client, *state,
        (struct device_mqtt_connect){.version = version, .client_id = "p", .clean_start = true});
    mqtt_client_send(&client, device_mqtt_encode_pingreq(client.out, ROOM));
    mqtt_client_expect(&client, DEVICE_MQTT_PINGRESP);
    disconnect(&client);
  }
}

static void keeps_our_session(void **state)
{
  static struct mqtt_client client;
  for (uint8_t version = 4; version <= 5; version++) {
    const struct device_mqtt_connect connect = {.version = version,
                                                .client_id = version == 4 ? "keep4" : "keep5",
                                                .session_expiry_s = 60,
                                                .keep_alive_s = 30};
    assert_false(connect_as(&client, *state, connect).session_present);
    subscribe(&client, "keep/#", 1);
    disconnect(&client);
    assert_true(connect_as(&client, *state, connect).session_present);
    disconnect(&client);
  }
}

static void leave_a_will(struct mqtt_broker *broker, uint8_t version)
{
  static struct mqtt_client client;
  uint8_t got[64];
  const char *topic = version == 4 ? "will/4" : "will/5";
  const char *const reader[] = {"-t", topic, "-q", "1", "-C", "1", "-W", "8", "-N", NULL};
  connect_as(&client, broker,
             (struct device_mqtt_connect){.version = version,
                                          .client_id = "mortal",
                                          .clean_start = true,
                                          .receive_maximum = 10,
                                          .packet_maximum = 4096,
                                          .will_topic = topic,
                                          .will_payload = {(const uint8_t *) "off\0line", 8},
                                          .will_qos = 1,
                                          .will_retain = true});
  mqtt_client_close(&client);
  assert_int_equal(mqtt_broker_run(broker, "mosquitto_sub", reader, NOTHING, got, sizeof got), 8);
  assert_memory_equal(got, "off\0line", 8);
}

static void publishes_our_will_when_we_vanish(void **state)
{
  leave_a_will(*state, 4);
  leave_a_will(*state, 5);
}

/* mosquitto 2.0.11 ends a session that was taken over, or a second CONNECT, without a word: only
 * what it cannot parse gets a DISCONNECT. */
static void says_why_when_we_send_a_malformed_packet(void **state)
{
  static struct mqtt_client client;
  static const uint8_t qos_3[] = {0x36, 5, 0, 1, 'a', 0, 1};
  connect_as(&client, *state,
             (struct device_mqtt_connect){.version = 5, .client_id = "bad", .clean_start = true});
  memcpy(client.out, qos_3, sizeof qos_3);
  mqtt_client_send(&client, sizeof qos_3);
  assert_int_equal(mqtt_client_expect(&client, DEVICE_MQTT_DISCONNECT).reason, 0x81);
  mqtt_client_expect_end(&client);
  mqtt_client_close(&client);
}

static int start_broker(void **state)
{
  static struct mqtt_broker broker;
  *state = &broker;
  return mqtt_broker_start(&broker);
}

static int stop_broker(void **state)
{
  mqtt_broker_stop(*state);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_we_publish_arrives_byte_equal_at_mosquittos_client),
      cmocka_unit_test(what_mosquittos_client_publishes_arrives_byte_equal_here),
      cmocka_unit_test(answers_our_ping),
      cmocka_unit_test(keeps_our_session),
      cmocka_unit_test(publishes_our_will_when_we_vanish),
      cmocka_unit_test(says_why_when_we_send_a_malformed_packet),
  };
  return cmocka_run_group_tests(tests, start_broker, stop_broker);
}

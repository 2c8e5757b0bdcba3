#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "device/mqtt.h"
#include "mqtt_samples.h"

/* Encodes one packet of its own choice. */
typedef size_t encode(uint8_t *out, size_t capacity);

/* The packet has these bytes, fits a buffer of exactly its size, and no smaller one. */
static void assert_encodes(encode *packet, const char *hex)
{
  uint8_t expected[MQTT_SAMPLE_MAX];
  const size_t size = mqtt_from_hex(hex, expected);
  for (size_t capacity = 0; capacity <= size; capacity++) {
    uint8_t *exact = malloc(capacity > 0 ? capacity : 1);
    assert_non_null(exact);
    const size_t got = packet(exact, capacity);
    if (got != (capacity == size ? size : 0))
      fail_msg("%s: size %zu in %zu bytes of room", hex, got, capacity);
    if (capacity == size) assert_memory_equal(exact, expected, size);
    free(exact);
  }
}

static size_t bare_connect_4(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_connect(
      out, capacity,
      &(struct device_mqtt_connect){.version = 4, .client_id = "0000002a", .session_expiry_s = 9});
}

static size_t full_connect(uint8_t *out, size_t capacity, uint8_t version)
{
  const struct device_mqtt_connect connect = {
      .version = version,
      .client_id = "ab",
      .clean_start = true,
      .keep_alive_s = 60,
      .session_expiry_s = 0x01020304,
      .receive_maximum = 16,
      .packet_maximum = 4096,
      .will_topic = "w/t",
      .will_payload = {(const uint8_t *) "off", 3},
      .will_qos = 1,
      .will_retain = true,
  };
  return device_mqtt_encode_connect(out, capacity, &connect);
}

static size_t full_connect_4(uint8_t *out, size_t capacity)
{
  return full_connect(out, capacity, 4);
}

static size_t full_connect_5(uint8_t *out, size_t capacity)
{
  return full_connect(out, capacity, 5);
}

static size_t bare_connect_5(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_connect(out, capacity,
                                    &(struct device_mqtt_connect){.version = 5, .client_id = "ab"});
}

static size_t connect_with_password(uint8_t *out, size_t capacity, uint8_t version,
                                    const char *user, const char *password)
{
  const struct device_mqtt_connect connect = {
      .version = version,
      .client_id = "ab",
      .will_topic = "w",
      .will_payload = {(const uint8_t *) "o", 1},
      .user = user,
      .password = {(const uint8_t *) password, password != NULL ? strlen(password) : 0}};
  return device_mqtt_encode_connect(out, capacity, &connect);
}

static size_t connect_4_as_user(uint8_t *out, size_t capacity)
{
  return connect_with_password(out, capacity, 4, "us", NULL);
}

static size_t connect_4_with_password(uint8_t *out, size_t capacity)
{
  return connect_with_password(out, capacity, 4, "us", "pw!");
}

static size_t connect_5_with_password(uint8_t *out, size_t capacity)
{
  return connect_with_password(out, capacity, 5, "us", "");
}

static size_t connect_5_without_user(uint8_t *out, size_t capacity)
{
  return connect_with_password(out, capacity, 5, NULL, "pw!");
}

/* 3.1.3: client id, will, user name, password, in this order. */
static void encodes_user_name_and_password_behind_the_will(void **state)
{
  (void) state;
  assert_encodes(connect_4_as_user,
                 "10 18 0004 4d515454 04 84 0000 0002 6162 0001 77 0001 6f 0002 7573");
  assert_encodes(connect_4_with_password,
                 "10 1d 0004 4d515454 04 c4 0000 0002 6162 0001 77 0001 6f "
                 "0002 7573 0003 707721");
  assert_encodes(connect_5_with_password, "10 1c 0004 4d515454 05 c4 0000 00 0002 6162 00 0001 77 "
                                          "0001 6f 0002 7573 0000");
  assert_encodes(connect_5_without_user, "10 1b 0004 4d515454 05 44 0000 00 0002 6162 00 0001 77 "
                                         "0001 6f 0003 707721");
}

static void encodes_connect(void **state)
{
  (void) state;
  assert_encodes(bare_connect_4, "10 14 0004 4d515454 04 00 0000 0008 3030303030303261");
  assert_encodes(full_connect_4,
                 "10 18 0004 4d515454 04 2e 003c 0002 6162 0003 772f74 0003 6f6666");
  assert_encodes(bare_connect_5, "10 0f 0004 4d515454 05 00 0000 00 0002 6162");
  assert_encodes(full_connect_5, "10 27 0004 4d515454 05 2e 003c 0d 11 01020304 21 0010 27 "
                                 "00001000 0002 616200 0003 772f74 0003 6f6666");
}

static size_t publish(uint8_t *out, size_t capacity, uint8_t version, uint8_t qos, bool flags)
{
  const struct device_mqtt_publish message = {
      .topic = "a/bZZ",
      .topic_size = 3,
      .payload = (const uint8_t *) "hi",
      .payload_size = 2,
      .packet_id = 0x0102,
      .qos = qos,
      .duplicate = flags,
      .retain = flags,
  };
  return device_mqtt_encode_publish(out, capacity, version, &message);
}

static size_t publish_4_qos_0(uint8_t *out, size_t capacity)
{
  return publish(out, capacity, 4, 0, false);
}

static size_t publish_4_qos_2_again(uint8_t *out, size_t capacity)
{
  return publish(out, capacity, 4, 2, true);
}

static size_t publish_5_qos_1(uint8_t *out, size_t capacity)
{
  return publish(out, capacity, 5, 1, false);
}

static void encodes_publish(void **state)
{
  (void) state;
  assert_encodes(publish_4_qos_0, "30 07 0003 612f62 6869");
  assert_encodes(publish_4_qos_2_again, "3d 09 0003 612f62 0102 6869");
  assert_encodes(publish_5_qos_1, "32 0a 0003 612f62 0102 00 6869");
}

static size_t subscribe_4(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_subscribe(out, capacity, 4,
                                      &(struct device_mqtt_subscribe){{"a/#"}, 0x0102, 1, 0});
}

static size_t subscribe_5(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_subscribe(out, capacity, 5,
                                      &(struct device_mqtt_subscribe){{"a/#"}, 0x0102, 2, 0});
}

static void encodes_subscribe(void **state)
{
  (void) state;
  assert_encodes(subscribe_4, "82 08 0102 0003 612f23 01");
  assert_encodes(subscribe_5, "82 09 0102 00 0003 612f23 02");
}

static size_t puback_5_no_reason(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_ack(out, capacity, 5, DEVICE_MQTT_PUBACK, 1, 0);
}

static size_t pubrel_4_with_reason(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_ack(out, capacity, 4, DEVICE_MQTT_PUBREL, 0xffff, 0x92);
}

static size_t pubcomp_5_with_reason(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_ack(out, capacity, 5, DEVICE_MQTT_PUBCOMP, 0xffff, 0x92);
}

static void encodes_acks(void **state)
{
  (void) state;
  assert_encodes(puback_5_no_reason, "40 02 0001");
  assert_encodes(pubrel_4_with_reason, "62 02 ffff");
  assert_encodes(pubcomp_5_with_reason, "70 03 ffff 92");
}

static size_t disconnect_4(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_disconnect(out, capacity, 4, 0x04);
}

static size_t disconnect_5(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_disconnect(out, capacity, 5, 0);
}

static size_t disconnect_5_with_will(uint8_t *out, size_t capacity)
{
  return device_mqtt_encode_disconnect(out, capacity, 5, 0x04);
}

static void encodes_pingreq_and_disconnect(void **state)
{
  (void) state;
  assert_encodes(device_mqtt_encode_pingreq, "c0 00");
  assert_encodes(disconnect_4, "e0 00");
  assert_encodes(disconnect_5, "e0 00");
  assert_encodes(disconnect_5_with_will, "e0 01 04");
}

/* 2.2.3: the remaining length grows by a byte at these sizes. */
static void encodes_what_the_decoder_takes_at_every_edge_of_the_length(void **state)
{
  (void) state;
  static const size_t edges[] = {127, 128, 16383, 16384, 2097151, 2097152};
  static const size_t headers[] = {2, 3, 3, 4, 4, 5};
  uint8_t *payload = calloc(1, 2097152);
  uint8_t *out = malloc(2097152 + 5);
  assert_non_null(payload);
  assert_non_null(out);
  for (size_t i = 0; i < 6; i++) {
    struct device_mqtt_packet packet;
    const size_t payload_size = edges[i] - 3;
    const struct device_mqtt_publish message = {
        .topic = "t", .topic_size = 1, .payload = payload, .payload_size = payload_size};
    assert_int_equal(device_mqtt_encode_publish(out, edges[i] + headers[i] - 1, 4, &message), 0);
    const size_t size = device_mqtt_encode_publish(out, edges[i] + headers[i], 4, &message);
    assert_int_equal(size, edges[i] + headers[i]);
    assert_int_equal(device_mqtt_decode(out, size, 4, size, &packet), (int) size);
    assert_int_equal(packet.publish.payload_size, payload_size);
  }
  free(payload);
  free(out);
}

static void refuses_a_string_of_more_than_65535_bytes(void **state)
{
  (void) state;
  enum { ROOM = 70000 };
  char *text = malloc(65537);
  uint8_t *out = malloc(ROOM);
  assert_non_null(text);
  assert_non_null(out);
  memset(text, 'x', 65536);
  text[65536] = '\0';
  assert_int_equal(
      device_mqtt_encode_subscribe(out, ROOM, 4, &(struct device_mqtt_subscribe){{text}, 1, 0, 0}),
      0);
  text[65535] = '\0';
  assert_int_equal(
      device_mqtt_encode_subscribe(out, ROOM, 4, &(struct device_mqtt_subscribe){{text}, 1, 0, 0}),
      1 + 3 + 2 + 2 + 65535 + 1);
  free(text);
  free(out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(encodes_connect),
      cmocka_unit_test(encodes_user_name_and_password_behind_the_will),
      cmocka_unit_test(encodes_publish),
      cmocka_unit_test(encodes_subscribe),
      cmocka_unit_test(encodes_acks),
      cmocka_unit_test(encodes_pingreq_and_disconnect),
      cmocka_unit_test(encodes_what_the_decoder_takes_at_every_edge_of_the_length),
      cmocka_unit_test(refuses_a_string_of_more_than_65535_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

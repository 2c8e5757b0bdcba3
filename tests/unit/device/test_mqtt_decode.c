#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "device/mqtt.h"
#include "mqtt_samples.h"

#define LIMIT 65536u

/* Decodes from a block of exactly `size` bytes, so that a sanitizer sees a read behind it. */
static int decode(const uint8_t *data, size_t size, uint8_t version, size_t limit,
                  struct device_mqtt_packet *out)
{
  uint8_t *exact = malloc(size > 0 ? size : 1);
  assert_non_null(exact);
  memcpy(exact, data, size);
  const int taken = device_mqtt_decode(exact, size, version, limit, out);
  free(exact);
  return taken;
}

static int decode_hex(const char *hex, uint8_t version, uint8_t bytes[MQTT_SAMPLE_MAX],
                      struct device_mqtt_packet *out)
{
  const size_t size = mqtt_from_hex(hex, bytes);
  const int taken = device_mqtt_decode(bytes, size, version, LIMIT, out);
  if (taken != (int) size) fail_msg("%s: took %d of %zu bytes", hex, taken, size);
  return taken;
}

typedef void on_sample(const struct mqtt_sample *sample, uint8_t version);

static void for_all(const struct mqtt_sample *samples, size_t count, on_sample *check)
{
  assert_true(count > 0);
  for (size_t i = 0; i < count; i++)
    for (uint8_t version = 4; version <= 5; version++)
      if (samples[i].version == 0 || samples[i].version == version) check(&samples[i], version);
}

static void good_is_taken_whole(const struct mqtt_sample *sample, uint8_t version)
{
  uint8_t bytes[MQTT_SAMPLE_MAX];
  const size_t size = mqtt_from_hex(sample->hex, bytes);
  struct device_mqtt_packet packet;
  const int taken = decode(bytes, size, version, LIMIT, &packet);
  if (taken != (int) size)
    fail_msg("version %u, %s: took %d of %zu bytes", version, sample->what, taken, size);
  assert_int_equal(packet.type, bytes[0] >> 4);
}

static void takes_every_good_packet(void **state)
{
  (void) state;
  for_all(mqtt_good, mqtt_good_count, good_is_taken_whole);
}

static void cut_is_incomplete(const struct mqtt_sample *sample, uint8_t version)
{
  uint8_t bytes[MQTT_SAMPLE_MAX];
  const size_t size = mqtt_from_hex(sample->hex, bytes);
  for (size_t cut = 0; cut < size; cut++) {
    struct device_mqtt_packet packet;
    const int taken = decode(bytes, cut, version, LIMIT, &packet);
    if (taken != DEVICE_MQTT_INCOMPLETE)
      fail_msg("version %u, %s, cut to %zu of %zu bytes: %d", version, sample->what, cut, size,
               taken);
  }
}

static void asks_for_more_at_every_cut_of_a_good_packet(void **state)
{
  (void) state;
  for_all(mqtt_good, mqtt_good_count, cut_is_incomplete);
}

static void bad_is_malformed(const struct mqtt_sample *sample, uint8_t version)
{
  uint8_t bytes[MQTT_SAMPLE_MAX];
  const size_t size = mqtt_from_hex(sample->hex, bytes);
  struct device_mqtt_packet packet;
  const int taken = decode(bytes, size, version, LIMIT, &packet);
  if (taken != DEVICE_MQTT_MALFORMED) fail_msg("version %u, %s: %d", version, sample->what, taken);
}

static void refuses_every_bad_packet(void **state)
{
  (void) state;
  for_all(mqtt_bad, mqtt_bad_count, bad_is_malformed);
}

static void flipped_stays_inside(const struct mqtt_sample *sample, uint8_t version)
{
  uint8_t bytes[MQTT_SAMPLE_MAX];
  const size_t size = mqtt_from_hex(sample->hex, bytes);
  for (size_t at = 0; at < size; at++) {
    const uint8_t original = bytes[at];
    for (unsigned value = 0; value < 256; value++) {
      struct device_mqtt_packet packet;
      bytes[at] = (uint8_t) value;
      const int taken = decode(bytes, size, version, LIMIT, &packet);
      if (taken < DEVICE_MQTT_TOO_LARGE || taken > (int) size)
        fail_msg("version %u, %s, byte %zu = %02x: %d", version, sample->what, at, value, taken);
    }
    bytes[at] = original;
  }
}

static void stays_inside_the_input_whatever_one_byte_is(void **state)
{
  (void) state;
  for_all(mqtt_good, mqtt_good_count, flipped_stays_inside);
}

static void refuses_a_large_packet_by_its_fixed_header(void **state)
{
  (void) state;
  static const uint8_t header[] = {0x30, 0xff, 0xff, 0xff, 0x7f};
  struct device_mqtt_packet packet;
  assert_int_equal(decode(header, 5, 5, 268435459, &packet), DEVICE_MQTT_TOO_LARGE);
  assert_int_equal(decode(header, 5, 5, 268435460, &packet), DEVICE_MQTT_INCOMPLETE);
  assert_int_equal(decode(header, 4, 5, 100, &packet), DEVICE_MQTT_INCOMPLETE);
}

static void takes_a_packet_of_exactly_the_limit(void **state)
{
  (void) state;
  static const uint8_t puback[] = {0x40, 2, 0, 1};
  struct device_mqtt_packet packet;
  assert_int_equal(decode(puback, 4, 4, 4, &packet), 4);
  assert_int_equal(decode(puback, 4, 4, 3, &packet), DEVICE_MQTT_TOO_LARGE);
}

static void leaves_the_next_packet_alone(void **state)
{
  (void) state;
  static const uint8_t two[] = {0xd0, 0, 0x40, 2, 0x12, 0x34};
  struct device_mqtt_packet packet;
  assert_int_equal(decode(two, sizeof two, 4, LIMIT, &packet), 2);
  assert_int_equal(packet.type, DEVICE_MQTT_PINGRESP);
  assert_int_equal(packet.packet_id, 0);
  assert_int_equal(decode(two + 2, sizeof two - 2, 4, LIMIT, &packet), 4);
  assert_int_equal(packet.packet_id, 0x1234);
}

static void gives_all_fields_of_a_connack(void **state)
{
  (void) state;
  uint8_t bytes[MQTT_SAMPLE_MAX];
  struct device_mqtt_packet packet;
  decode_hex("20 18 00 00 15 13 003c 21 0014 24 01 27 00010002 1c 0003 623a32 25 00", 5, bytes,
             &packet);
  assert_int_equal(packet.receive_maximum, 20);
  assert_int_equal(packet.packet_maximum, 0x10002);
  assert_int_equal(packet.maximum_qos, 1);
  assert_true(packet.has_keep_alive);
  assert_int_equal(packet.keep_alive_s, 60);
  assert_int_equal(packet.server_reference.size, 3);
  assert_memory_equal(packet.server_reference.data, "b:2", 3);
  assert_false(packet.session_present);
}

static void gives_the_defaults_of_a_bare_connack(void **state)
{
  (void) state;
  uint8_t bytes[MQTT_SAMPLE_MAX];
  struct device_mqtt_packet packet;
  decode_hex("20 03 01 00 00", 5, bytes, &packet);
  assert_true(packet.session_present);
  assert_int_equal(packet.receive_maximum, 65535);
  assert_int_equal(packet.maximum_qos, 2);
  assert_int_equal(packet.packet_maximum, 0);
  assert_false(packet.has_keep_alive);
  decode_hex("20 02 00 05", 4, bytes, &packet);
  assert_int_equal(packet.reason, 5);
  assert_int_equal(packet.receive_maximum, 65535);
  assert_int_equal(packet.maximum_qos, 2);
}

static void gives_topic_payload_and_flags_of_a_publish(void **state)
{
  (void) state;
  uint8_t bytes[MQTT_SAMPLE_MAX];
  struct device_mqtt_packet packet;
  decode_hex("3d 0f 0003 612f62 fffe 05 02 0000003c 6869", 5, bytes, &packet);
  assert_int_equal(packet.publish.qos, 2);
  assert_true(packet.publish.duplicate);
  assert_true(packet.publish.retain);
  assert_int_equal(packet.packet_id, 0xfffe);
  assert_int_equal(packet.publish.packet_id, 0xfffe);
  assert_int_equal(packet.publish.topic_size, 3);
  assert_memory_equal(packet.publish.topic, "a/b", 3);
  assert_int_equal(packet.publish.payload_size, 2);
  assert_ptr_equal(packet.publish.payload, bytes + 15);
}

static void gives_every_code_of_a_suback(void **state)
{
  (void) state;
  uint8_t bytes[MQTT_SAMPLE_MAX];
  struct device_mqtt_packet packet;
  decode_hex("90 0a 0102 04 1f 0001 78 87 01 02", 5, bytes, &packet);
  assert_int_equal(packet.packet_id, 0x0102);
  assert_int_equal(packet.reason, 0x87);
  assert_int_equal(packet.codes.size, 3);
  assert_memory_equal(packet.codes.data, "\x87\x01\x02", 3);
}

static void gives_the_reason_and_server_of_a_disconnect(void **state)
{
  (void) state;
  uint8_t bytes[MQTT_SAMPLE_MAX];
  struct device_mqtt_packet packet;
  decode_hex("e0 06 9c 04 1c 0001 73", 5, bytes, &packet);
  assert_int_equal(packet.reason, 0x9c);
  assert_int_equal(packet.server_reference.size, 1);
  assert_memory_equal(packet.server_reference.data, "s", 1);
  decode_hex("e0 00", 5, bytes, &packet);
  assert_int_equal(packet.reason, 0);
  assert_int_equal(packet.server_reference.size, 0);
}

/* MQTT 5, 2.4: how many of the codes below 0x80 each packet may carry, counted in the
 * specification's table; the others are refusals, also those that the packet may not have. */
static void takes_every_refusal_and_of_the_other_codes_exactly_those_of_each_packet(void **state)
{
  (void) state;
  static const struct {
    uint8_t version, packet[6], size, code_at;
    int count;
  } cases[] = {
      {4, {0x20, 2, 0, 0}, 4, 3, 6},       {4, {0x90, 3, 0, 1, 0}, 5, 4, 3},
      {5, {0x20, 3, 0, 0, 0}, 5, 3, 1},    {5, {0x40, 3, 0, 1, 0}, 5, 4, 2},
      {5, {0x50, 3, 0, 1, 0}, 5, 4, 2},    {5, {0x62, 3, 0, 1, 0}, 5, 4, 1},
      {5, {0x70, 3, 0, 1, 0}, 5, 4, 1},    {5, {0x90, 4, 0, 1, 0, 0}, 6, 5, 3},
      {5, {0xb0, 4, 0, 1, 0, 0}, 6, 5, 2}, {5, {0xe0, 1, 0}, 3, 2, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int count = 0;
    for (unsigned code = 0; code < 256; code++) {
      uint8_t bytes[6];
      struct device_mqtt_packet packet;
      memcpy(bytes, cases[i].packet, sizeof bytes);
      bytes[cases[i].code_at] = (uint8_t) code;
      const int taken = decode(bytes, cases[i].size, cases[i].version, LIMIT, &packet);
      if (taken == cases[i].size) {
        assert_int_equal(packet.reason, code);
        count += code < 0x80;
      } else if (code >= 0x80)
        fail_msg("packet %02x, version %u: %02x is not taken", cases[i].packet[0], cases[i].version,
                 code);
    }
    if (count != cases[i].count)
      fail_msg("packet %02x, version %u: %d codes, expected %d", cases[i].packet[0],
               cases[i].version, count, cases[i].count);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_every_good_packet),
      cmocka_unit_test(asks_for_more_at_every_cut_of_a_good_packet),
      cmocka_unit_test(refuses_every_bad_packet),
      cmocka_unit_test(stays_inside_the_input_whatever_one_byte_is),
      cmocka_unit_test(refuses_a_large_packet_by_its_fixed_header),
      cmocka_unit_test(takes_a_packet_of_exactly_the_limit),
      cmocka_unit_test(leaves_the_next_packet_alone),
      cmocka_unit_test(gives_all_fields_of_a_connack),
      cmocka_unit_test(gives_the_defaults_of_a_bare_connack),
      cmocka_unit_test(gives_topic_payload_and_flags_of_a_publish),
      cmocka_unit_test(gives_every_code_of_a_suback),
      cmocka_unit_test(gives_the_reason_and_server_of_a_disconnect),
      cmocka_unit_test(takes_every_refusal_and_of_the_other_codes_exactly_those_of_each_packet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Everything that our codec encodes, read by Wireshark's MQTT dissector from a capture file that is
   written here. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/mqtt.h"

#define FRAME_HEADERS 40u /* IPv4 and TCP, without options */
#define CAPTURE_MAX   4096u

struct capture {
  uint8_t bytes[CAPTURE_MAX];
  size_t size;
  uint32_t sequence;
};

static void put(struct capture *capture, const void *data, size_t size)
{
  assert_true(size <= CAPTURE_MAX - capture->size);
  memcpy(capture->bytes + capture->size, data, size);
  capture->size += size;
}

/* pcap file format, in this machine's byte order: link type 101 is raw IP. */
static void begin(struct capture *capture)
{
  static const struct {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_length, link_type;
  } header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 101};
  capture->size = 0;
  capture->sequence = 1;
  put(capture, &header, sizeof header);
}

static void put_be(uint8_t *at, uint32_t value, size_t size)
{
  while (size-- > 0) {
    at[size] = (uint8_t) value;
    value >>= 8;
  }
}

/* One packet as one TCP segment to port 1883. */
static void add(struct capture *capture, const uint8_t *packet, size_t size)
{
  const uint32_t total = (uint32_t) size + FRAME_HEADERS;
  const uint32_t record[4] = {0, 0, total, total};
  uint8_t headers[FRAME_HEADERS] = {
      [0] = 0x45, [8] = 64, [9] = 6, [12] = 127, [15] = 1, [16] = 127, [19] = 1};
  assert_true(size > 0);
  put_be(headers + 2, total, 2);
  put_be(headers + 20, 40000, 2);
  put_be(headers + 22, 1883, 2);
  put_be(headers + 24, capture->sequence, 4);
  put_be(headers + 32, 0x5018, 2); /* five words of header, ACK and PSH */
  put_be(headers + 34, 8192, 2);
  capture->sequence += (uint32_t) size;
  put(capture, record, sizeof record);
  put(capture, headers, sizeof headers);
  put(capture, packet, size);
}

static void add_session(struct capture *capture, uint8_t version)
{
  uint8_t out[512];
  const struct device_mqtt_connect connect = {
      .version = version,
      .client_id = "0000002a",
      .clean_start = true,
      .keep_alive_s = 60,
      .session_expiry_s = 3600,
      .receive_maximum = 20,
      .packet_maximum = 4096,
      .will_topic = "private/0000002a/status",
      .will_payload = {(const uint8_t *) "offline", 7},
      .will_qos = 1,
      .will_retain = true,
  };
  const struct device_mqtt_publish qos_0 = {
      .topic = "a/b", .topic_size = 3, .payload = (const uint8_t *) "hi", .payload_size = 2};
  struct device_mqtt_publish qos_2 = qos_0;
  qos_2.packet_id = 513;
  qos_2.qos = 2;
  qos_2.duplicate = qos_2.retain = true;
  begin(capture);
  add(capture, out, device_mqtt_encode_connect(out, sizeof out, &connect));
  add(capture, out,
      device_mqtt_encode_subscribe(out, sizeof out, version,
                                   &(struct device_mqtt_subscribe){{"a/#", "b"}, 258, 1, 0}));
  add(capture, out, device_mqtt_encode_publish(out, sizeof out, version, &qos_0));
  add(capture, out, device_mqtt_encode_publish(out, sizeof out, version, &qos_2));
  for (unsigned type = DEVICE_MQTT_PUBACK; type <= DEVICE_MQTT_PUBCOMP; type++) {
    const uint8_t reason = type <= DEVICE_MQTT_PUBREC ? 0x97 : 0x92;
    add(capture, out,
        device_mqtt_encode_ack(out, sizeof out, version, (enum device_mqtt_type) type, 513,
                               reason));
  }
  add(capture, out, device_mqtt_encode_pingreq(out, sizeof out));
  add(capture, out, device_mqtt_encode_disconnect(out, sizeof out, version, 0x04));
}

static void save(const struct capture *capture, char path[])
{
  const int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, capture->bytes, capture->size), (int) capture->size);
  assert_int_equal(close(file), 0);
}

#define FIELDS                                                                                \
  " -e mqtt.msgtype -e mqtt.len -e mqtt.msgid -e mqtt.qos -e mqtt.dupflag -e mqtt.retain -e " \
  "mqtt.topic"                                                                                \
  " -e mqtt.sub.qos -e mqtt.subscription_options_qos -e mqtt.msg"                             \
  " -e mqtt.ver -e mqtt.clientid -e mqtt.kalive -e mqtt.conflags -e mqtt.willtopic -e "       \
  "mqtt.willmsg"                                                                              \
  " -e mqtt.property_id -e mqtt.prop_number"                                                  \
  " -e mqtt.puback.reason_code -e mqtt.pubrec.reason_code -e mqtt.pubrel.reason_code -e "     \
  "mqtt.pubcomp.reason_code"                                                                  \
  " -e mqtt.disconnect.reason_code -e _ws.malformed -e _ws.expert.message"

/* One line a packet; the fields that tshark found in it, in the order above, with one '|' between
   them. */
static void dissect(uint8_t version, char *text, size_t capacity)
{
  struct capture capture;
  char path[] = "/tmp/fleetsim-mqtt-XXXXXX", command[1024];
  add_session(&capture, version);
  save(&capture, path);
  snprintf(command, sizeof command,
           "tshark -n -r %s -T fields -E 'separator=|'" FIELDS " 2>/dev/null | tr -s '|'", path);
  FILE *tshark = popen(command, "r");
  assert_non_null(tshark);
  text[fread(text, 1, capacity - 1, tshark)] = '\0';
  assert_int_equal(pclose(tshark), 0);
  unlink(path);
}

static void assert_dissects(uint8_t version, const char *expected)
{
  char text[4096];
  if (system("tshark --version >/dev/null 2>&1") != 0) {
    print_message("skipped: tshark is not installed (package tshark)\n");
    skip();
  }
  dissect(version, text, sizeof text);
  assert_string_equal(text, expected);
}

static void reads_a_session_of_mqtt_3_1_1(void **state)
{
  (void) state;
  assert_dissects(4, "1|54|4|0000002a|60|0x2e|private/0000002a/status|6f66666c696e65|\n"
                     "8|12|258|a/#,b|1,1|\n"
                     "3|7|0|0|0|a/b|6869|\n"
                     "3|9|513|2|1|1|a/b|6869|\n"
                     "4|2|513|\n"
                     "5|2|513|\n"
                     "6|2|513|\n"
                     "7|2|513|\n"
                     "12|0|\n"
                     "14|0|\n");
}

static void reads_a_session_of_mqtt_5(void **state)
{
  (void) state;
  assert_dissects(5, "1|69|5|0000002a|60|0x2e|private/0000002a/"
                     "status|6f66666c696e65|0x11,0x21,0x27|3600,20,4096|\n"
                     "8|13|258|a/#,b|1,1|\n"
                     "3|8|0|0|0|a/b|6869|\n"
                     "3|10|513|2|1|1|a/b|6869|\n"
                     "4|3|513|151|\n"
                     "5|3|513|151|\n"
                     "6|3|513|146|\n"
                     "7|3|513|146|\n"
                     "12|0|\n"
                     "14|1|4|\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_a_session_of_mqtt_3_1_1),
      cmocka_unit_test(reads_a_session_of_mqtt_5),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

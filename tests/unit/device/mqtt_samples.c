#include "mqtt_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct mqtt_sample mqtt_good[] = {
    {"CONNACK, accepted", 4, "20 02 00 00"},
    {"CONNACK, session present", 4, "20 02 01 00"},
    {"CONNACK, refused: not authorized", 4, "20 02 00 05"},
    {"PUBLISH QoS 0, 'a/b' = 'hi'", 0, "30 08 0003 612f62 00 6869"},
    {"PUBLISH QoS 1, retained, empty payload", 4, "33 07 0003 612f62 0102"},
    {"PUBLISH QoS 2, again", 4, "3c 09 0003 612f62 ffff 6869"},
    {"PUBLISH, topic with two-, three- and four-byte characters", 4,
     "30 0b 0009 c3a9 e282ac f09f9880"},
    {"PUBLISH, topic with U+FEFF, U+D7FF and U+10FFFF", 4, "30 0c 000a efbbbf ed9fbf f48fbfbf"},
    {"PUBACK", 0, "40 02 0001"},
    {"PUBREC", 0, "50 02 0001"},
    {"PUBREL", 0, "62 02 0001"},
    {"PUBCOMP", 0, "70 02 0001"},
    {"SUBACK, QoS 1", 4, "90 03 0001 01"},
    {"SUBACK, QoS 0, 1, 2 and a failure", 4, "90 06 0001 00010280"},
    {"UNSUBACK", 4, "b0 02 0001"},
    {"PINGRESP", 0, "d0 00"},
    {"PINGRESP, length in two bytes: not forbidden before MQTT 5", 4, "d0 80 00"},
    {"CONNACK, accepted", 5, "20 03 00 00 00"},
    {"CONNACK, session present", 5, "20 03 01 00 00"},
    {"CONNACK, refused: server moved, to 'b:2'", 5, "20 09 00 9d 06 1c 0003 623a32"},
    {"CONNACK, every property that we may get", 5,
     "20 51 00 00 4e 11 0000000a 21 0014 24 01 25 01 27 00010000 12 0002 6162 22 0005 1f 0002 "
     "6f6b26 0001 6b 0001 76 26 0001 6b 0001 77 28 01 29 01 2a 01 13 003c 1a 0001 72 1c 0001 7326 "
     "0005 6b6b6b6b6b 0007 76767676767676"},
    {"PUBLISH QoS 1, every property that we may get", 5,
     "32 2f 0003 612f62 0007 25 01 01 02 0000003c 08 0003 722f74 09 0002 00ff 26 0001 6b 0001 76 "
     "0b 01 0b ff7f 03 0004 74657874 6869"},
    {"PUBLISH, payload that is no UTF-8", 5, "30 08 0003 612f62 00 ff00"},
    {"PUBACK with reason code only", 5, "40 03 0001 10"},
    {"PUBACK with reason string", 5, "40 08 0001 87 04 1f 0001 6e"},
    {"PUBACK, packet too large: mosquitto 2.0, not in the specification", 5, "40 03 0001 95"},
    {"PUBREC, packet too large: not in the specification", 5, "50 03 0001 95"},
    {"PUBACK with a refusal that nothing has", 5, "40 03 0001 ff"},
    {"SUBACK with a refusal that it may not have", 5, "90 04 0001 00 97"},
    {"SUBACK with a refusal of MQTT 5", 4, "90 03 0001 87"},
    {"CONNACK with a refusal of PUBACK", 5, "20 03 00 91 00"},
    {"CONNACK with a refusal of MQTT 5", 4, "20 02 00 87"},
    {"PUBREC, quota exceeded", 5, "50 04 0001 97 00"},
    {"PUBREL, packet identifier not found", 5, "62 03 0001 92"},
    {"PUBCOMP, packet identifier not found", 5, "70 03 0001 92"},
    {"SUBACK, QoS 2 and a refusal", 5, "90 05 0001 00 02 87"},
    {"UNSUBACK, no such subscription", 5, "b0 04 0001 00 11"},
    {"DISCONNECT, normal", 5, "e0 00"},
    {"DISCONNECT, session taken over", 5, "e0 01 8e"},
    {"DISCONNECT, use another server 's'", 5, "e0 06 9c 04 1c 0001 73"},
};
const size_t mqtt_good_count = sizeof mqtt_good / sizeof mqtt_good[0];

const struct mqtt_sample mqtt_bad[] = {
    {"type 0 is reserved", 0, "00 00"},
    {"only a client sends CONNECT", 0, "10 00"},
    {"only a client sends SUBSCRIBE", 0, "82 00"},
    {"only a client sends UNSUBSCRIBE", 0, "a2 00"},
    {"only a client sends PINGREQ", 0, "c0 00"},
    {"only a client sends DISCONNECT in MQTT 3.1.1", 4, "e0 00"},
    {"AUTH was not offered", 5, "f0 00"},
    {"type 15 is reserved in MQTT 3.1.1", 4, "f0 00"},
    {"CONNACK flags in the first byte", 0, "21 00"},
    {"PUBREL needs 0010 in the first byte", 0, "60 02 0001"},
    {"PINGRESP flags in the first byte", 0, "d8 00"},
    {"PUBLISH of QoS 3", 0, "36 00"},
    {"PUBLISH of QoS 0 sent again", 0, "38 00"},
    {"remaining length of five bytes", 0, "30 80 80 80 80 01"},
    {"remaining length in more bytes than it needs", 5, "d0 80 00"},
    {"PINGRESP with a body", 0, "d0 01 00"},
    {"CONNACK without a body", 0, "20 00"},
    {"CONNACK of one byte", 0, "20 01 00"},
    {"CONNACK with a reserved flag", 4, "20 02 02 00"},
    {"CONNACK refused, yet session present", 4, "20 02 01 05"},
    {"CONNACK return code 6", 4, "20 02 00 06"},
    {"CONNACK too long", 4, "20 03 00 00 00"},
    {"PUBLISH without a topic", 0, "30 00"},
    {"PUBLISH with an empty topic", 4, "30 02 0000"},
    {"PUBLISH with an empty topic", 5, "30 03 0000 00"},
    {"PUBLISH topic longer than the packet", 0, "30 03 0002 61"},
    {"PUBLISH to '+'", 4, "30 03 0001 2b"},
    {"PUBLISH to 'a/#'", 4, "30 05 0003 612f23"},
    {"U+0000 in the topic", 4, "30 05 0003 610062"},
    {"a continuation byte alone", 4, "30 03 0001 80"},
    {"an overlong '/' of two bytes", 4, "30 04 0002 c0af"},
    {"an overlong U+007F of two bytes", 4, "30 04 0002 c1bf"},
    {"an overlong form of three bytes", 4, "30 05 0003 e09fbf"},
    {"an overlong form of four bytes", 4, "30 06 0004 f08fbfbf"},
    {"the surrogate U+D800", 4, "30 05 0003 eda080"},
    {"U+110000", 4, "30 06 0004 f4908080"},
    {"a byte that UTF-8 never has", 4, "30 03 0001 f5"},
    {"a character cut by the end of the topic", 4, "30 04 0002 e282"},
    {"a wrong third byte", 4, "30 05 0003 e28241"},
    {"PUBLISH QoS 1 with packet id 0", 4, "32 05 0001 61 0000"},
    {"PUBLISH QoS 1 without packet id", 0, "32 03 0001 61"},
    {"PUBACK with packet id 0", 0, "40 02 0000"},
    {"PUBACK of one byte", 0, "40 01 00"},
    {"PUBACK with a reason in MQTT 3.1.1", 4, "40 03 0001 00"},
    {"SUBACK without a code", 4, "90 02 0001"},
    {"SUBACK code 3", 4, "90 03 0001 03"},
    {"SUBACK with packet id 0", 4, "90 03 0000 01"},
    {"UNSUBACK with a code in MQTT 3.1.1", 4, "b0 03 0001 00"},
    {"CONNACK without a property length", 5, "20 02 00 00"},
    {"CONNACK reason of PUBACK", 5, "20 03 00 10 00"},
    {"CONNACK refused, yet session present", 5, "20 03 01 87 00"},
    {"bytes behind the properties", 5, "20 04 00 00 00 00"},
    {"property length beyond the packet", 5, "20 04 00 00 02 25"},
    {"property length in more bytes than it needs", 5, "20 04 00 00 80 00"},
    {"property length of five bytes", 5, "20 07 00 00 80 80 80 80 01"},
    {"a property cut by the property length", 5, "20 05 00 00 01 25 01"},
    {"an unknown property", 5, "20 05 00 00 02 04 00"},
    {"a property number of two bytes", 5, "20 06 00 00 03 a5 01 00"},
    {"a property that only a client sends", 5, "20 05 00 00 02 17 01"},
    {"a PUBLISH property in CONNACK", 5, "20 05 00 00 02 01 01"},
    {"Session Expiry Interval in a server's DISCONNECT", 5, "e0 07 00 05 11 00000001"},
    {"Server Keep Alive twice", 5, "20 09 00 00 06 13 003c 13 003c"},
    {"Receive Maximum 0", 5, "20 06 00 00 03 21 0000"},
    {"Maximum Packet Size 0", 5, "20 08 00 00 05 27 00000000"},
    {"Maximum QoS 2", 5, "20 05 00 00 02 24 02"},
    {"Retain Available 2", 5, "20 05 00 00 02 25 02"},
    {"an authentication method that was not offered", 5, "20 07 00 00 04 15 0001 61"},
    {"a topic alias that was not offered", 5, "30 07 0001 61 03 23 0001"},
    {"Subscription Identifier 0", 5, "30 06 0001 61 02 0b 00"},
    {"a wildcard in the Response Topic", 5, "30 08 0001 61 04 08 0001 23"},
    {"Payload Format Indicator 2", 5, "30 06 0001 61 02 01 02"},
    {"Content Type twice", 5, "30 0c 0001 61 08 03 0001 61 03 0001 61"},
    {"a user property without a value", 5, "30 08 0001 61 04 26 0001 6b"},
    {"a reason string that is no UTF-8", 5, "40 08 0001 00 04 1f 0001 ff"},
    {"PUBACK reason below 0x80 of SUBACK", 5, "40 03 0001 01"},
    {"PUBREL reason of PUBACK", 5, "62 03 0001 10"},
    {"PUBCOMP reason of PUBREC", 5, "70 03 0001 10"},
    {"SUBACK without a code", 5, "90 03 0001 00"},
    {"SUBACK code 3", 5, "90 04 0001 00 03"},
    {"the second SUBACK code is wrong", 5, "90 05 0001 00 00 04"},
    {"UNSUBACK without a code", 5, "b0 03 0001 00"},
    {"only a client disconnects with will", 5, "e0 01 04"},
    {"DISCONNECT with bytes behind the properties", 5, "e0 03 00 00 00"},
};
const size_t mqtt_bad_count = sizeof mqtt_bad / sizeof mqtt_bad[0];

static unsigned digit(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = c != '\0' ? strchr(digits, c) : NULL;
  if (at != NULL) return (unsigned) (at - digits);
  fprintf(stderr, "'%c' is no lower-case hex digit\n", c);
  abort();
}

size_t mqtt_from_hex(const char *hex, uint8_t out[MQTT_SAMPLE_MAX])
{
  size_t size = 0;
  while (*hex != '\0') {
    if (*hex == ' ') {
      hex++;
      continue;
    }
    if (size == MQTT_SAMPLE_MAX) {
      fprintf(stderr, "a sample is larger than %u bytes\n", MQTT_SAMPLE_MAX);
      abort();
    }
    const unsigned high = digit(hex[0]);
    out[size++] = (uint8_t) (high << 4 | digit(hex[1]));
    hex += 2;
  }
  return size;
}

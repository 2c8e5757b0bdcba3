/* Bounded reads of MQTT's data types (MQTT 5, 1.5). The first read that fails makes the reader bad
 * for good: every later read gives 0 or an empty run, so that a caller asks once, at the end.
 */
#ifndef FLEETSIM_DEVICE_MQTT_READER_H
#define FLEETSIM_DEVICE_MQTT_READER_H

#include "mqtt.h"

struct device_mqtt_reader {
  const uint8_t *next;
  size_t left;
  bool bad;
};

uint8_t device_mqtt_read_u8(struct device_mqtt_reader *r);
uint16_t device_mqtt_read_u16(struct device_mqtt_reader *r);
uint32_t device_mqtt_read_u32(struct device_mqtt_reader *r);

/* Variable byte integer of at most four bytes, in the fewest bytes that hold it (MQTT-1.5.5-1). */
uint32_t device_mqtt_read_varint(struct device_mqtt_reader *r);

struct device_mqtt_bytes device_mqtt_read_bytes(struct device_mqtt_reader *r, size_t size);

/* Two bytes of length and that many bytes. */
struct device_mqtt_bytes device_mqtt_read_binary(struct device_mqtt_reader *r);

/* The same, well-formed UTF-8 without U+0000 and surrogates (1.5.4). */
struct device_mqtt_bytes device_mqtt_read_string(struct device_mqtt_reader *r);

/* The same, at least one character and no wildcard (4.7.1, 4.7.3). */
struct device_mqtt_bytes device_mqtt_read_topic(struct device_mqtt_reader *r);

#endif

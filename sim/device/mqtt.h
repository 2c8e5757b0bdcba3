/* MQTT 3.1.1 and 5 packets, encoded into and decoded from the caller's bytes. No state, no
 * allocation.
 *
 * Sources: OASIS MQTT Version 3.1.1 and Version 5.0; section numbers are given where a rule is
 * applied.
 */
#ifndef FLEETSIM_DEVICE_MQTT_H
#define FLEETSIM_DEVICE_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum device_mqtt_type {
  DEVICE_MQTT_CONNECT = 1,
  DEVICE_MQTT_CONNACK,
  DEVICE_MQTT_PUBLISH,
  DEVICE_MQTT_PUBACK,
  DEVICE_MQTT_PUBREC,
  DEVICE_MQTT_PUBREL,
  DEVICE_MQTT_PUBCOMP,
  DEVICE_MQTT_SUBSCRIBE,
  DEVICE_MQTT_SUBACK,
  DEVICE_MQTT_UNSUBSCRIBE,
  DEVICE_MQTT_UNSUBACK,
  DEVICE_MQTT_PINGREQ,
  DEVICE_MQTT_PINGRESP,
  DEVICE_MQTT_DISCONNECT,
};

#define DEVICE_MQTT_INCOMPLETE 0 /* device_mqtt_decode: more bytes are needed */
#define DEVICE_MQTT_MALFORMED  (-1)
#define DEVICE_MQTT_TOO_LARGE  (-2) /* the packet announces more than `limit` bytes */

/* A run of bytes that somebody else owns. */
struct device_mqtt_bytes {
  const uint8_t *data;
  size_t size;
};

struct device_mqtt_connect {
  uint8_t version; /* 4 or 5 */
  const char *client_id;
  bool clean_start;
  uint16_t keep_alive_s;
  uint32_t session_expiry_s; /* MQTT 5 */
  uint16_t receive_maximum;  /* MQTT 5; 0: not sent */
  uint32_t packet_maximum;   /* MQTT 5; 0: not sent */
  const char *will_topic;    /* NULL: no will */
  struct device_mqtt_bytes will_payload;
  uint8_t will_qos;
  bool will_retain;
  const char *user; /* NULL: none */
  /* data NULL: none. In MQTT 3.1.1 only with a user name [MQTT-3.1.2-22] */
  struct device_mqtt_bytes password;
};

struct device_mqtt_publish {
  const char *topic;
  size_t topic_size;
  const uint8_t *payload;
  size_t payload_size;
  uint16_t packet_id; /* QoS 1, 2 */
  uint8_t qos;
  bool duplicate, retain;
};

/* One decoded packet. Pointers go into the bytes that were decoded. Fields not of the packet's type
   are 0. */
struct device_mqtt_packet {
  enum device_mqtt_type type;
  uint16_t packet_id;
  /* CONNACK, acks, DISCONNECT; first code of SUBACK and UNSUBACK */
  uint8_t reason;
  bool session_present;               /* CONNACK */
  struct device_mqtt_bytes codes;     /* SUBACK, UNSUBACK (MQTT 5) */
  struct device_mqtt_publish publish; /* PUBLISH */
  /* MQTT 5 properties that a client acts on; 0 or empty when absent */
  uint16_t receive_maximum; /* CONNACK; 65535 when absent */
  uint32_t packet_maximum;  /* CONNACK */
  uint16_t keep_alive_s;    /* CONNACK: server keep alive */
  bool has_keep_alive;
  uint8_t maximum_qos;                       /* CONNACK; 2 when absent */
  struct device_mqtt_bytes server_reference; /* CONNACK, DISCONNECT */
};

/* One SUBSCRIBE asks for 1 to DEVICE_MQTT_FILTERS topic filters. */
#define DEVICE_MQTT_FILTERS 4u
struct device_mqtt_subscribe {
  const char *filter[DEVICE_MQTT_FILTERS]; /* NULL: no more of them */
  uint16_t packet_id;
  uint8_t qos;
  uint8_t at_most_once; /* bit i: filter[i] at QoS 0 instead */
};

/* Encoders write one packet and return its size, or 0 if it does not fit in `capacity` or a string
 * is longer than 65535 bytes; `out` may then hold anything. A version other than 4 and 5, a QoS
 * above 2, a packet id of 0 where one is needed and a password of 3.1.1 without a user name are the
 * caller's mistakes and assert. Topics and filters are sent as they stand. */
size_t device_mqtt_encode_connect(uint8_t *out, size_t capacity,
                                  const struct device_mqtt_connect *connect);
size_t device_mqtt_encode_publish(uint8_t *out, size_t capacity, uint8_t version,
                                  const struct device_mqtt_publish *publish);
size_t device_mqtt_encode_subscribe(uint8_t *out, size_t capacity, uint8_t version,
                                    const struct device_mqtt_subscribe *subscribe);
/* PUBACK, PUBREC, PUBREL, PUBCOMP; `reason` is sent in MQTT 5 only, and only when it is not 0. */
size_t device_mqtt_encode_ack(uint8_t *out, size_t capacity, uint8_t version,
                              enum device_mqtt_type type, uint16_t packet_id, uint8_t reason);
size_t device_mqtt_encode_pingreq(uint8_t *out, size_t capacity);
size_t device_mqtt_encode_disconnect(uint8_t *out, size_t capacity, uint8_t version,
                                     uint8_t reason);

/* Decodes the first packet in `data` as a client receives it. Returns the bytes it took, or one of
 * the three codes above. Checks everything that the specification lets a receiver check in one
 * packet: flags, lengths, UTF-8 without U+0000, no wildcard in a topic name, property types and
 * duplicates, reason codes; packets that only a client sends are MALFORMED, and so is what our
 * CONNECT offers no server: AUTH, authentication properties and topic aliases. `out` is valid only
 * when a packet was taken. A packet of more than `limit` bytes is TOO_LARGE as soon as its fixed
 * header is there. */
int device_mqtt_decode(const uint8_t *data, size_t size, uint8_t version, size_t limit,
                       struct device_mqtt_packet *out);

#endif

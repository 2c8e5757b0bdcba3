/* A real mosquitto on loopback, its command-line clients, and a plain TCP client that speaks with
 * our codec. All of these stop the test with a sentence when something does not happen within
 * MQTT_PEER_WAIT_MS.
 */
#ifndef FLEETSIM_TEST_MQTT_PEER_H
#define FLEETSIM_TEST_MQTT_PEER_H

#include <sys/types.h>

#include "device/mqtt.h"

#define MQTT_PEER_WAIT_MS 10000
#define MQTT_PEER_BYTES   65536u

struct mqtt_broker {
  pid_t pid;
  uint16_t port;
  char folder[64];
};

/* 0, or -1 when mosquitto did not come up. */
int mqtt_broker_start(struct mqtt_broker *broker);

/* Also after a start that failed, and twice. */
void mqtt_broker_stop(struct mqtt_broker *broker);

/* Runs a mosquitto client; `arguments` follow host and port and end with NULL. Writes `input` to
 * it, gives what it printed, and fails unless it exits with 0. Returns the size of the output. */
size_t mqtt_broker_run(const struct mqtt_broker *broker, const char *program,
                       const char *const *arguments, struct device_mqtt_bytes input,
                       uint8_t *output, size_t capacity);

struct mqtt_client {
  int socket;
  uint8_t version;
  size_t used, taken;
  uint8_t in[MQTT_PEER_BYTES];
  uint8_t out[MQTT_PEER_BYTES];
};

void mqtt_client_open(struct mqtt_client *client, const struct mqtt_broker *broker,
                      uint8_t version);
void mqtt_client_close(struct mqtt_client *client);

/* Sends `size` bytes of client->out; 0 is what an encoder says of a full buffer, and fails. */
void mqtt_client_send(struct mqtt_client *client, size_t size);

/* The next packet, which must be of this type; valid until the next call. */
struct device_mqtt_packet mqtt_client_expect(struct mqtt_client *client,
                                             enum device_mqtt_type type);

/* The peer must end the stream, having sent nothing more. */
void mqtt_client_expect_end(struct mqtt_client *client);

#endif

/* What the peers share: the folder of PEM files that stands for their devices' flash, and the MQTT
   names they use. */
#ifndef FLEETSIM_BENCH_PEER_H
#define FLEETSIM_BENCH_PEER_H

#include "client.h"

#define PEER_PATH_MAX   512
#define PEER_TOPIC_SIZE (sizeof "private/00000000/telemetry")
#define PEER_CHAIN_MAX  4 /* certificates a device presents */
/* bytes of the longest packet that a client sends: a PUBLISH of CLIENT_PAYLOAD */
#define PEER_PACKET_MAX 128
#define PEER_CONNECT_MS 20000u /* from the first SYN to CONNACK */

/* A device's certificate chain and key as DER, the way flash would hold them. */
struct peer_identity {
  uint8_t *der; /* certificates, leaf first, then the key */
  size_t certificates;
  uint16_t certificate_size[PEER_CHAIN_MAX];
  uint16_t key_size;
};

struct peer_id {
  char text[9];
};

struct peer_id peer_id(size_t index);

void peer_topic(size_t index, char out[PEER_TOPIC_SIZE]);

/* The folder's file `name` + `suffix`; aborts on a folder that peer_check would have refused as too
   long. */
void peer_path(const struct client_config *config, const char *name, const char *suffix,
               char out[PEER_PATH_MAX]);

/* 0 when ca.crt and every device's ID.crt and ID.key can be read. */
int peer_check(const struct client_config *config, struct error *error);

/* Reads the identities of all devices; they live until the process ends. */
int peer_identities(const struct client_config *config, struct peer_identity **out,
                    struct error *error);

/* MQTT 3.1.1 packets; each returns its size, at most PEER_PACKET_MAX. `packet_id` 0: QoS 0. */
size_t peer_write_connect(size_t index, uint8_t out[PEER_PACKET_MAX]);
size_t peer_write_publish(size_t index, uint16_t packet_id, uint8_t out[PEER_PACKET_MAX]);

#endif

/* Inside the client: its storage, and what its two files, client.c (states and events) and
 * client_mqtt.c (what the broker says), need of each other. */
#ifndef FLEETSIM_DEVICE_CLIENT_H
#define FLEETSIM_DEVICE_CLIENT_H

#include "ota.h"
#include "platform.h"
#include "session.h"

#define DEVICE_CLIENT_STATES(X)                                         \
  X(IDLE, "idle")               /* no attempt under way */              \
  X(OPENING, "opening")         /* the body opens a transport */        \
  X(HANDSHAKING, "handshaking") /* TLS */                               \
  X(CONNECTING, "connecting")   /* CONNECT sent, CONNACK awaited */     \
  X(SUBSCRIBING, "subscribing") /* CONNACK accepted, SUBACKs awaited */ \
  X(ONLINE, "online")

enum device_client_state {
#define X(symbol, name) DEVICE_CLIENT_##symbol,
  DEVICE_CLIENT_STATES(X)
#undef X
      DEVICE_CLIENT_STATES_COUNT
};

/* What is used in turn: the handshake's part while there is no MQTT yet, then that of messages. */
union device_client_buffer {
  uint8_t rx[DEVICE_SESSION_RECEIVE_MAX]; /* one MQTT packet being received */
  struct device_tls_handshake handshake;
};

struct device_client {
  struct device_config config;
  struct device_platform platform;
  struct device_effects *effects; /* of the step under way */
  struct device_tls tls;
  struct device_session session;
  uint64_t wait_ms;  /* deadline of the state's own wait */
  uint32_t received; /* bytes from the peer before CONNACK */
  uint32_t trust_version;
  uint8_t state;
  uint8_t endpoint;
  bool full_handshake;
  uint16_t rx_size;
  union device_client_buffer *buffer; /* NULL: none is borrowed */
};

/* A client that borrows nothing. */
struct device_client_whole {
  struct device_client client;
  struct device_outbox_room outbox;
  union device_client_buffer buffer;
};

/* Storage of the update client lies behind the client's where the profile has updates; NULL: it has
   none. */
struct device_ota *device_client_ota(struct device_client *client);

void device_client_note(struct device_client *client, const struct device_note *note);

/* A transition of the state table; `wait_ms` is how long the new state may last, 0: no limit of its
   own. */
void device_client_enter(struct device_client *client, enum device_client_state to,
                         uint64_t wait_ms);
bool device_client_has_connack(const struct device_client *client);

/* Names the failure, frees the connection, asks the body to close the transport; the state is IDLE
   afterwards. */
void device_client_end(struct device_client *client, enum device_failure failure, uint8_t code);

/* The same where the broker's packet named another server; its bytes are used during the call. */
void device_client_end_by(struct device_client *client, enum device_failure failure, uint8_t code,
                          const struct device_mqtt_bytes *server);

/* Has or borrows its buffer; where there is none, the connection has ended by that. */
bool device_client_has_buffer(struct device_client *client);

/* Takes and handles whole packets until the peer's bytes are used up. */
void device_client_receive(struct device_client *client);

/* Of device_session: an update, or a message for the observer. */
bool device_client_deliver(void *ctx, const struct device_mqtt_publish *message);

#endif

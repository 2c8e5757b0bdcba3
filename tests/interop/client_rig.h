/* A device and an OpenSSL server that talk through memory, in virtual time. The test scripts the
   server's MQTT. */
#ifndef CLIENT_RIG_H
#define CLIENT_RIG_H

#include <openssl/ssl.h>

#include "client_pki.h"
#include "device/mqtt.h"
#include "fleetsim/device.h"

#define CLIENT_TRACE_MAX 512

struct client_rig {
  struct client_pki *pki;
  struct device_profile profile;
  struct device_endpoint endpoints[2]; /* two places of one name, both are this server */
  uint8_t endpoint;                    /* the one that client_rig_open dials */
  struct device_host host;
  const struct device_naming *naming;
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  size_t lent, lent_bytes; /* to the device now */
  size_t refusals;         /* so many requests from now on are refused */
  void *storage;
  uint64_t now_ms;
  int64_t unix_s;
  size_t chunk; /* bytes per BYTES event; 0: all at once */

  SSL_CTX *server;
  SSL *ssl;
  X509 *client_ca; /* by which the server verifies the device */
  bool closed;     /* by the device */
  bool reboot;     /* the device asks for a restart */
  bool accepted;
  uint64_t deadline_ms;
  uint8_t inbox[8192]; /* decrypted bytes from the device */
  size_t inbox_size;

  size_t notes[DEVICE_NOTE_OTA_BYTES + 1]; /* how many of each kind */
  struct device_note last[DEVICE_NOTE_OTA_BYTES + 1];
  uint8_t anchor_id[32];
  char message[256];            /* last MESSAGE payload */
  char named[64];               /* of the last ENDED: its server reference */
  char trace[CLIENT_TRACE_MAX]; /* names of the states entered, with spaces */
};

/* A flashed device and a server that presents pki->broker with pki->brokers. `version` is of
   TLS. */
void client_rig_make(struct client_rig *rig, struct client_pki *pki, uint8_t tls, uint8_t mqtt);
void client_rig_free(struct client_rig *rig);

/* Puts a trust bundle into the device's flash and starts the device again. */
void client_rig_reflash(struct client_rig *rig, const uint8_t *bundle, size_t size);

/* The server presents this from now on. */
void client_rig_present(struct client_rig *rig, const struct client_party *leaf,
                        X509 *intermediate);

/* Switches on a device that is off: rig->storage is destroyed. */
void client_rig_power_on(struct client_rig *rig);

/* The power goes and comes back: what is in NVM stays. */
void client_rig_power_cycle(struct client_rig *rig);

/* One event; the device's bytes reach the server, the server's answer is not yet fetched. */
void client_rig_step(struct client_rig *rig, const struct device_event *event);

/* START and OPENED. */
void client_rig_open(struct client_rig *rig, bool full_handshake);

/* Carries bytes both ways until nobody has anything to say. */
void client_rig_pump(struct client_rig *rig);

/* Lets time pass until the device's deadline and wakes it. */
void client_rig_wait(struct client_rig *rig);

/* Raw bytes to the device, beside the server. */
void client_rig_inject(struct client_rig *rig, const uint8_t *data, size_t size);

void client_rig_close(struct client_rig *rig, enum device_failure cause);
void client_rig_stop(struct client_rig *rig);
bool client_rig_publish(struct client_rig *rig, const char *topic, const char *payload, uint8_t qos,
                        uint32_t tag);

/* The server's MQTT: bytes to the device, and the next packet from it (its first byte must be
 * `first`). Returns the packet id of a PUBLISH of QoS > 0, an ack or a SUBSCRIBE, else 0. */
void client_rig_say(struct client_rig *rig, const void *bytes, size_t size);
uint16_t client_rig_hear(struct client_rig *rig, uint8_t first);
bool client_rig_silent(const struct client_rig *rig);
void client_rig_ack(struct client_rig *rig, uint8_t first, uint16_t packet_id);
void client_rig_send(struct client_rig *rig, const char *topic, const void *payload, size_t size,
                     uint8_t qos, uint16_t packet_id);

/* Grants the device's own two subscriptions. */
void client_rig_suback(struct client_rig *rig, uint16_t packet_id);

/* From START to READY with CONNACK and SUBACK. With session_present the device asked for its
 * session and the broker kept it: no subscriptions. */
void client_rig_online(struct client_rig *rig, bool session_present, bool full_handshake);

void client_rig_expect_end(const struct client_rig *rig, enum device_failure failure);

#endif

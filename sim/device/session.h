/* The MQTT session: what is said after the TLS handshake, in 3.1.1 or 5.
 *
 * Outgoing QoS 1 and 2 messages live in the outbox and survive connections; subscriptions,
 * keep-alive and the broker's limits are per connection. Packets leave through the TLS connection;
 * a failure there is found in tls->error.
 */
#ifndef FLEETSIM_DEVICE_SESSION_H
#define FLEETSIM_DEVICE_SESSION_H

#include "mqtt.h"
#include "outbox.h"
#include "tls.h"

#define DEVICE_SESSION_WINDOW        DEVICE_OUTBOX_ENTRIES /* most unanswered PUBLISH packets */
#define DEVICE_SESSION_SUBSCRIPTIONS 4u                    /* most unanswered SUBSCRIBE packets */
/* most incoming QoS 2 messages before their PUBREL: our receive maximum */
#define DEVICE_SESSION_INBOUND   20u
#define DEVICE_SESSION_TOPIC_MAX (DEVICE_TOPIC_MAX + 1u) /* with its zero */
#define DEVICE_SESSION_SAY_MAX   64u /* bytes of a message of the device's own at QoS 0 */
/* longest packet that we send: a full outbox in one message */
#define DEVICE_SESSION_PACKET_MAX  1664u
#define DEVICE_SESSION_RECEIVE_MAX 2432u /* longest packet that we accept: a trust bundle */

struct device_session_subscription {
  uint64_t due_ms;
  uint32_t tag;
  uint16_t packet_id; /* 0: free */
  /* the device's own filters: their bits in `confirmed`; 0: the application's */
  uint8_t own;
};

struct device_session {
  const struct device_profile *profile;
  const struct device_host *host;
  struct device_tls *tls;
  const struct device_naming *naming; /* of the body; NULL: all by `name` */
  char name[DEVICE_NAME_TEXT];
  /* handles a message; false: it must come again, so it is not confirmed */
  bool (*deliver)(void *ctx, const struct device_mqtt_publish *message);
  void *ctx;

  uint64_t now_ms;
  uint64_t sent_ms;     /* when the last packet left */
  uint64_t heard_ms;    /* when the last packet came */
  uint64_t ping_due_ms; /* PINGRESP is awaited until then; DEVICE_NEVER: no ping is open */
  uint32_t packet_maximum;
  uint32_t keep_alive_ms;
  uint16_t window;
  uint16_t last_packet_id;
  bool begun;                               /* a connection was accepted since power-on */
  uint16_t inbound[DEVICE_SESSION_INBOUND]; /* QoS 2 packet ids that await PUBREL; 0: free */
  /* the device's own filters that the broker has confirmed in the session it keeps */
  uint8_t confirmed;
  uint8_t maximum_qos;
  uint8_t reason; /* of DISCONNECT, for the note */
  struct device_session_subscription subscription[DEVICE_SESSION_SUBSCRIPTIONS];
  struct device_outbox outbox;
};

/* Sends CONNECT, and with it the device's own subscriptions if the broker is told to begin a new
   session and the device has no user name. */
void device_session_connect(struct device_session *session);

/* The broker accepted: subscribes (unless that was confirmed in a session it kept) and sends what
   the outbox holds. */
void device_session_begin(struct device_session *session, const struct device_mqtt_packet *connack);

/* Handles a packet after CONNACK; NONE, or why the session ends. */
enum device_failure device_session_packet(struct device_session *session,
                                          const struct device_mqtt_packet *packet);

/* All of the device's own subscriptions are answered. */
bool device_session_ready(const struct device_session *session);

/* Takes a message of the application: QoS 0 only when `online`. False: not taken. */
bool device_session_publish(struct device_session *session, const struct device_event *event,
                            bool online);
bool device_session_subscribe(struct device_session *session, const struct device_event *event);

/* Queues an acknowledgement on ROOT`below`; device_outbox_holds finds it by its `tag`. False
 * when even the reserve is used up. */
bool device_session_acknowledge(struct device_session *session, const char *below, const char *text,
                                uint32_t tag);

/* Sends a message of the device's own at QoS 0, at most DEVICE_SESSION_SAY_MAX bytes, on
 * ROOT`below`. After CONNACK. */
void device_session_say(struct device_session *session, const char *below, const uint8_t *payload,
                        size_t size);

/* Sends what the window allows. */
void device_session_flush(struct device_session *session);

void device_session_disconnect(struct device_session *session, uint8_t reason);

/* Keep-alive and timeouts at session->now_ms; NONE, or why the session ends. */
enum device_failure device_session_tick(struct device_session *session);
uint64_t device_session_deadline(const struct device_session *session);

/* Between the two halves, sending and receiving: an ack, a note, the end of an outbox entry's life
 * (reported unless it is the device's own; a reason of 0x80 or more is a denial). */
void device_session_send_ack(struct device_session *session, enum device_mqtt_type type,
                             uint16_t packet_id, uint8_t reason);
void device_session_observe(const struct device_session *session, const struct device_note *note);
void device_session_finish(struct device_session *session, size_t index, uint8_t reason);

/* Writes the device's own topic filter with that bit of `own`; its size. */
size_t device_session_filter(const struct device_session *session, uint8_t bit,
                             char out[DEVICE_SESSION_TOPIC_MAX]);

/* Whether the topic is ROOT`below`. */
bool device_session_topic_is(const struct device_session *session,
                             const struct device_mqtt_publish *message, const char *below);

#endif

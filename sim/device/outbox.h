/* Messages of QoS 1 and 2 that the device is answerable for, until the broker has confirmed them.
 *
 * It outlives connections. Order is kept: entries and their bytes lie in the order in which they
 * were accepted. A share is reserved for the device's own acknowledgements, so that telemetry
 * cannot crowd them out.
 */
#ifndef FLEETSIM_DEVICE_OUTBOX_H
#define FLEETSIM_DEVICE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/device.h"

#define DEVICE_OUTBOX_ENTRIES          16u
#define DEVICE_OUTBOX_BYTES            (1280u + DEVICE_OUTBOX_RESERVED_BYTES)
#define DEVICE_OUTBOX_RESERVED_ENTRIES 2u
/* an acknowledgement and a report of an update, each as long as can be, without ROOT */
#define DEVICE_OUTBOX_RESERVED_BYTES 208u

enum device_outbox_phase {
  DEVICE_OUTBOX_QUEUED,    /* not sent in this connection */
  DEVICE_OUTBOX_PUBLISHED, /* waits for PUBACK or PUBREC */
  DEVICE_OUTBOX_RELEASED,  /* QoS 2: PUBREL sent, waits for PUBCOMP */
  /* QoS 2: the broker has it; PUBREL is to be sent in the next connection */
  DEVICE_OUTBOX_RECEIVED,
};

struct device_outbox_entry {
  uint64_t due_ms; /* the answer is awaited until then */
  uint32_t tag;
  uint16_t packet_id; /* 0: never sent */
  uint16_t topic_size, payload_size;
  uint8_t qos;
  uint8_t phase;
  bool sent;     /* it was on the wire, in this connection or an earlier one */
  bool internal; /* the device's own: not reported to the application */
  bool once;     /* ends with the connection */
};

struct device_outbox_room {
  struct device_outbox_entry entry[DEVICE_OUTBOX_ENTRIES];
  uint8_t bytes[DEVICE_OUTBOX_BYTES]; /* per entry: topic (`internal`: behind ROOT), payload */
};

struct device_outbox {
  struct device_outbox_room *room; /* NULL: none is borrowed, and `count` is 0 */
  /* of whom it is borrowed while there are entries; NULL: it has its own */
  const struct device_host *lender;
  uint8_t count;
  uint16_t used;
};

struct device_outbox_message {
  const char *topic;
  size_t topic_size;
  const uint8_t *payload;
  size_t payload_size;
  uint32_t tag;
  uint8_t qos;
  bool internal, once;
};

/* False when it does not fit, or there is no room to be had. */
bool device_outbox_add(struct device_outbox *outbox, const struct device_outbox_message *message);
void device_outbox_remove(struct device_outbox *outbox, size_t index);

/* Power off: forgets all. */
void device_outbox_clear(struct device_outbox *outbox);

/* Where the bytes of an entry begin. */
const uint8_t *device_outbox_bytes(const struct device_outbox *outbox, size_t index);

/* Index of the entry with this packet id, or -1. */
int device_outbox_find(const struct device_outbox *outbox, uint16_t packet_id);

/* Whether a message of the device's own with this tag is not confirmed yet. */
bool device_outbox_holds(const struct device_outbox *outbox, uint32_t tag);

/* A new connection: nothing is in flight, and what was for the last one only is gone. Without the
 * broker's half of the session, QoS 2 starts over. */
void device_outbox_rewind(struct device_outbox *outbox, bool session_present);

#endif

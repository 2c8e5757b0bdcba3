/* The payload of telemetry, as a run has its devices send it and its back office reads it. All of it
 * is big-endian:
 *
 *      0  4 bytes  mark of the run
 *      4  4 bytes  sequence number, from 1
 *      8  5 bytes  send time in microseconds of the run's clock, which begins anew after 12 days
 *     13  3 bytes  check of the 13 before, of the size and of the device: one change in 16 million
 *                  passes it
 *     16           padding: 'x'
 *
 * So what a broker has cut short or altered, or delivered as another device's, is no message that was
 * sent. */
#ifndef FLEETSIM_PAYLOAD_H
#define FLEETSIM_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN 16u
#define PAYLOAD_MAX 1024u

#define PAYLOAD_UNTIMED UINT64_MAX /* sent_us: not known */

struct payload {
  uint32_t mark, sequence;
  uint64_t sent_us;
  uint64_t sender; /* payload_sender_of its name */
};

/* What the check has of the device of this name. */
uint64_t payload_sender_of(const char *name);

/* Fills `out`, of PAYLOAD_MIN to PAYLOAD_MAX bytes. */
void payload_write(uint8_t *out, size_t size, const struct payload *payload);

enum payload_reading {
  PAYLOAD_WHOLE,
  PAYLOAD_ALTERED, /* `out` has the mark alone */
  PAYLOAD_NONE,    /* too short for a mark */
};
enum payload_reading payload_read(const uint8_t *data, size_t size, uint64_t sender,
                                  struct payload *out);

/* Microseconds from payload.sent_us to `now_us` of the same clock; 0 if that is later. */
uint64_t payload_age_us(const struct payload *payload, uint64_t now_us);

#endif

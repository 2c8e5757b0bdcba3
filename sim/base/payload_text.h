/* The payload of telemetry in the words of a user: any text of at most PAYLOAD_MAX bytes with places
 * for what differs from message to message.
 *
 *     {"meta":{"seq":{seq},"t":{unix_ms}},"temp":{random:18.0..24.0}}
 *
 *     {seq}           which message of which run: the run's own number of nine digits, then the
 *                     device's messages from 1 on in seven. Below 2^53, so that every JSON reader
 *                     keeps it
 *     {unix_ms}       when it was meant to be sent, in milliseconds since 1970 by the run's clock
 *     {id}            the device's name
 *     {counter}       the device's messages from 1 on
 *     {random:A..B}   a number from A to B with as many decimals as they have; by the device, the run
 *                     and the message, so that a reader knows it too
 *
 * A brace that no such name follows is a brace. Nothing else is known of the format; where the
 * sequence number stands is said by a place: a JSON path ($.meta.seq, $.values[0].t) to a number or
 * to a string of digits, or the text right before the digits (seq=).
 *
 * What was read is written again by the same rules and compared byte by byte: only the digits of a
 * time that nobody was told to read may be any. */
#ifndef FLEETSIM_PAYLOAD_TEXT_H
#define FLEETSIM_PAYLOAD_TEXT_H

#include "base/payload.h"

#define PAYLOAD_PLACE_MAX  96u      /* bytes of a place with its zero */
#define PAYLOAD_TEXTS_MAX  8u       /* of one run */
#define PAYLOAD_SEQUENCES  10000000 /* of a run; what comes beyond is not told apart */
#define PAYLOAD_NAME_BYTES 64u      /* of the longest name */

/* All zero: there is none, the payload is that of base/payload.h. */
struct payload_text {
  char text[PAYLOAD_MAX + 1];
  char seq_at[PAYLOAD_PLACE_MAX], time_at[PAYLOAD_PLACE_MAX]; /* "": nobody can tell */
};

/* Whether it can be filled in and read back. -1: a sentence, and what it is about: "payload" (with
 * the character, from 0), "seq-at" or "time-at". */
struct payload_text_fault {
  const char *of;
  size_t at;
  char why[300];
};
int payload_text_check(const struct payload_text *text, struct payload_text_fault *out);

struct payload_sender {
  int64_t began_unix_ms; /* when the run's clock was 0 */
  const char *name;      /* of the device */
};

/* Writes a message of a checked text, without a zero behind it; its size. */
size_t payload_text_write(const struct payload_text *text, const struct payload_sender *sender,
                          const struct payload *payload, uint8_t out[PAYLOAD_MAX]);

/* What a run may send. */
struct payload_texts {
  uint32_t mark, clones_mark; /* 0: there are none */
  const struct payload_text *text[PAYLOAD_TEXTS_MAX];
  size_t count;
};

/* As payload_read, of any of the texts too: `out` has one of the two marks, or another where it is of
 * another run; sent_us is PAYLOAD_UNTIMED where the text has no time-at. A text without seq-at is
 * not read. Any bytes: they come from a broker. */
enum payload_reading payload_text_read(const struct payload_texts *texts,
                                       const struct payload_sender *sender, const uint8_t *data,
                                       size_t size, struct payload *out);

#endif

/* What a hostile server does, step by step: the text of `wire`, `mqtt` and `https` in a case as a
 * list of steps. Nothing here knows a connection; play.h plays it.
 *
 *     hello; send "HTTP/1.1 400 Bad Request\r\n\r\n"; close
 *
 * certs/README.md has the grammar.
 */
#ifndef FLEETSIM_GAUNTLET_SCRIPT_H
#define FLEETSIM_GAUNTLET_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_STEPS_MAX 24
#define SCRIPT_BYTES_MAX (256u * 1024u) /* of one step, before it is repeated */
#define SCRIPT_IDS_MAX   4              /* places of a packet id in one step */

/* symbol, word, where it may stand: W on the wire, M in MQTT, H in HTTPS */
#define SCRIPT_VERBS(X)                                                                          \
  X(HELLO, "hello", "W")     /* waits for a whole ClientHello */                                 \
  X(TLS, "tls", "W")         /* speaks TLS as the case's chain says, in part spoiled */          \
  X(SEND, "send", "WMH")     /* bytes */                                                         \
  X(FLOOD, "flood", "WMH")   /* the same bytes `times`, as fast as the peer takes them */        \
  X(WAIT, "wait", "WMH")     /* `ms` */                                                          \
  X(SLOWLY, "slowly", "WMH") /* from here on one byte each `ms` */                               \
  X(CLOSE, "close", "WMH")                                                                       \
  X(RESET, "reset", "WMH")                                                                       \
  X(SILENCE, "silence", "WMH")                                                                   \
  X(CONNECT, "connect", "M") /* these wait for a whole packet of that kind */                    \
  X(SUBSCRIBE, "subscribe", "M")                                                                 \
  X(PUBLISH, "publish", "M")                                                                     \
  X(PING, "ping", "M")                                                                           \
  X(POLITE, "polite", "M")   /* a good broker from here on, but for what `without` leaves out */ \
  X(REQUEST, "request", "H") /* waits for a whole head of a request */                           \
  X(IMAGE, "image", "H")     /* serves the image as a good server does */

enum script_verb {
#define X(symbol, word, where) SCRIPT_##symbol,
  SCRIPT_VERBS(X)
#undef X
      SCRIPT_VERB_COUNT
};

/* How TLS is spoiled. Records are the server's own, counted from 1. */
enum script_filter {
  SCRIPT_WHOLE,    /* not at all */
  SCRIPT_CUT,      /* after `number` bytes nothing comes, or what the next step says */
  SCRIPT_FLIP,     /* one bit of byte `byte` in the payload of record `number` */
  SCRIPT_DROP,     /* record `number` is left out */
  SCRIPT_TWICE,    /* record `number` is sent twice */
  SCRIPT_SWAP,     /* record `number` comes after the one that follows it */
  SCRIPT_FINISHED, /* the server's Finished is wrong, in a record that is sound */
};

/* Answers that a broker owes and `without` leaves out. */
enum script_without {
  SCRIPT_WITHOUT_SUBACK = 1,
  SCRIPT_WITHOUT_PUBACK = 2,
  SCRIPT_WITHOUT_PINGRESP = 4,
};

struct script_bytes {
  uint8_t *data; /* malloc'd; NULL: none */
  size_t size;
  size_t id_at[SCRIPT_IDS_MAX]; /* where the packet id of what was waited for goes */
  size_t ids;
};

struct script_step {
  enum script_verb verb;
  struct script_bytes bytes;  /* SEND, FLOOD */
  struct script_bytes bytes5; /* the same for a client of MQTT 5; no data: `bytes` is for both */
  uint32_t times;             /* FLOOD */
  uint32_t ms;                /* WAIT, SLOWLY */
  enum script_filter filter;  /* TLS */
  uint32_t number, byte;      /* of the filter */
  unsigned without;           /* POLITE: enum script_without */
};

struct script {
  size_t count;
  struct script_step step[SCRIPT_STEPS_MAX];
};

/* Reads the text, which is not changed. `layer` is 'W', 'M' or 'H'. 0, or -1 with a sentence in
 * `why`; to be freed in both cases. */
int script_parse(const char *text, char layer, struct script *out, char *why, size_t why_size);
void script_free(struct script *script);

/* Of MQTT: whether the first that a client is sent is a CONNACK that lets it in, so that the lie comes
 * behind it. */
bool script_begins_well(const struct script *script);

const char *script_word(enum script_verb verb);

#endif

/* A TLS 1.3 and MQTT 5 server on the test's loop that treats each connection in a manner of its
 * own: polite, silent, too slow by far, or speechless at the one point where an answer is due. It
 * stamps when each wait began.
 */
#ifndef FLEETSIM_TEST_HOSTILE_H
#define FLEETSIM_TEST_HOSTILE_H

#include <uv.h>

/* clang-format off */
#define HOSTILE_MANNERS(X) /* symbol, what the test's report calls it */ \
  X(POLITE,           "polite") \
  X(SILENT,           "says nothing") \
  X(HALF_RECORD,      "sends half a record") \
  X(TRICKLED_RECORD,  "sends its handshake byte by byte") \
  X(NO_CONNACK,       "never sends CONNACK") \
  X(HALF_CONNACK,     "sends half a CONNACK") \
  X(TRICKLED_CONNACK, "sends CONNACK byte by byte") \
  X(NO_SUBACK,        "never sends SUBACK") \
  X(NO_PUBACK,        "never sends PUBACK") \
  X(NO_PINGRESP,      "never answers a ping") \
  X(DEAF,             "takes messages of QoS 0, and answers no ping") \
  X(TRICKLED_PUBLISH, "answers no ping, and trickles messages for ever")
/* clang-format on */

enum hostile_manner {
#define X(symbol, name) HOSTILE_##symbol,
  HOSTILE_MANNERS(X)
#undef X
      HOSTILE_COUNT
};

const char *hostile_name(enum hostile_manner manner);

/* clients are told apart by their addresses: 127.0.0.1 is source 0, and so on */
#define HOSTILE_SOURCES 64

/* On the loop's clock, of a source's latest connection; 0: it has not come to that. */
struct hostile_seen {
  unsigned connections;
  unsigned pings; /* that were answered */
  uint64_t accepted_ms, secured_ms, connack_ms;
  uint64_t owed_ms;  /* when the first PUBLISH or PINGREQ came that gets no answer */
  uint64_t ended_ms; /* its client has closed */
};

struct hostile;

/* PEM files of the server and of the CA that clients come from. Stops the test when it cannot
   listen. */
struct hostile *hostile_open(uv_loop_t *loop, const char *certificate, const char *key,
                             const char *clients, const enum hostile_manner manner[HOSTILE_SOURCES],
                             uint64_t trickle_ms);
uint16_t hostile_port(const struct hostile *server);
const struct hostile_seen *hostile_seen(const struct hostile *server, size_t source);

/* Closes what it has open; run the loop once more before freeing it. */
void hostile_close(struct hostile *server);
void hostile_free(struct hostile *server);

#endif

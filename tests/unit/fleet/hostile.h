/* A TLS 1.3 and MQTT 5 server on the test's loop that treats each connection in a manner of its
 * own, by the scripts of the gauntlet: polite, silent, too slow by far, or speechless at the one point
 * where an answer is due.
 */
#ifndef FLEETSIM_TEST_HOSTILE_H
#define FLEETSIM_TEST_HOSTILE_H

#include <uv.h>

/* clang-format off */
#define HOSTILE_MANNERS(X) /* symbol, what the test's report calls it, its script */ \
  X(POLITE,           "polite", "mqtt: polite") \
  X(SILENT,           "says nothing", "wire: silence") \
  X(HALF_RECORD,      "sends half a record", "wire: tls cut 40") /* of a ServerHello of over 90 */ \
  X(TRICKLED_RECORD,  "sends its handshake byte by byte", "wire: slowly 50ms; tls") \
  X(NO_CONNACK,       "never sends CONNACK", "mqtt: connect; silence") \
  X(HALF_CONNACK,     "sends half a CONNACK", "mqtt: connect; send 20 03; silence") \
  X(TRICKLED_CONNACK, "sends CONNACK byte by byte", "mqtt: connect; " \
    "send 20; wait 50ms; send 3c; wait 50ms; send 00; wait 50ms; send 00; wait 50ms; " \
    "send 39; wait 50ms; send 26; wait 50ms; send 00; wait 50ms; send 01; wait 50ms; " \
    "send 61; wait 50ms; send 00; wait 50ms; send 33; silence") \
  X(NO_SUBACK,        "never sends SUBACK", "mqtt: polite without suback") \
  X(NO_PUBACK,        "never sends PUBACK", "mqtt: polite without puback") \
  X(NO_PINGRESP,      "never answers a ping", "mqtt: polite without pingresp") \
  X(DEAF,             "takes messages of QoS 0, and answers no ping", \
    "mqtt: polite without pingresp") \
  X(TRICKLED_PUBLISH, "answers no ping, and trickles messages for ever", \
    "mqtt: connect; send 20 03 00 00 00; subscribe; send 90 05 ID 00 01 01; " \
    "send 30; wait 180ms; send 64; wait 180ms; send 00; wait 180ms; send 01; wait 180ms; " \
    "send 74; wait 180ms; send 00; wait 180ms; send 78; wait 180ms; send 78; wait 180ms; " \
    "send 78; wait 180ms; send 78; silence")
/* clang-format on */

enum hostile_manner {
#define X(symbol, name, script) HOSTILE_##symbol,
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
                             const char *clients,
                             const enum hostile_manner manner[HOSTILE_SOURCES]);
uint16_t hostile_port(const struct hostile *server);
/* Valid until the next call. */
const struct hostile_seen *hostile_seen(struct hostile *server, size_t source);

/* Closes what it has open; run the loop once more before freeing it. */
void hostile_close(struct hostile *server);
void hostile_free(struct hostile *server);

#endif

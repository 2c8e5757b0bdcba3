/* Every way a device's connection can fail or end, each with a stable name and one sentence.
 *
 * The name is what results.json, events and scenario expectations use; it is only ever added to.
 * `connect.*`: the attempt ended before CONNACK. `session.*`: a connection that had its CONNACK
 * ended. `publish.*`, `subscribe.*`: one message or topic filter was refused, and the session went
 * on. `device.*`: the device itself could not go on.
 *
 * Freestanding: a firmware includes this header.
 */
#ifndef FLEETSIM_FAILURE_H
#define FLEETSIM_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define DEVICE_FAILURES(X) \
  X(NONE,                 "none",                             "nothing failed") \
  /* transport, reported by the body that owns the socket */ \
  X(TCP_REFUSED,          "connect.tcp.refused",              "the broker's address answered that nothing listens there") \
  X(TCP_RESET,            "connect.tcp.reset",                "the peer reset the connection before the TLS handshake was over") \
  X(TCP_CLOSED,           "connect.tcp.closed",               "the peer closed the connection before the TLS handshake was over") \
  X(TCP_TIMEOUT,          "connect.tcp.timeout",              "no TCP connection within the deadline") \
  X(TCP_UNREACHABLE,      "connect.tcp.unreachable",          "the network has no way to the broker's address") \
  X(TCP_NO_PORT,          "connect.tcp.no_source_port",       "no free source port or file descriptor was left on this machine") \
  X(NAME_NOT_FOUND,       "connect.name.not_found",           "the broker's name leads to no address") \
  X(TCP_OTHER,            "connect.tcp.other",                "the operating system refused the connection for another reason") \
  /* the device's verdict on the broker's certificate chain */ \
  X(TLS_NOT_TRUSTED,      "connect.tls.not_trusted",          "the broker's chain ends at no trust anchor that the device holds") \
  X(TLS_EXPIRED,          "connect.tls.expired",              "a certificate in the broker's chain has expired by the device's clock") \
  X(TLS_NOT_YET_VALID,    "connect.tls.not_yet_valid",        "a certificate in the broker's chain is not valid yet by the device's clock") \
  X(TLS_NAME_MISMATCH,    "connect.tls.name_mismatch",        "the broker's certificate is for another host name") \
  X(TLS_REVOKED,          "connect.tls.revoked",              "a certificate in the broker's chain is revoked") \
  X(TLS_CRL,              "connect.tls.crl_unusable",         "a revocation list that is needed is expired, not yet valid or not signed by its issuer") \
  X(TLS_BAD_USAGE,        "connect.tls.bad_usage",            "the broker's certificate may not be used for a server (key usage or extended key usage)") \
  X(TLS_WEAK,             "connect.tls.weak",                 "a key, curve or hash in the broker's chain is not allowed by the device's profile") \
  X(TLS_BAD_CERTIFICATE,  "connect.tls.bad_certificate",      "a certificate that the broker sent cannot be parsed or has an unknown critical extension") \
  /* the broker's verdict on the device (alert received) */ \
  X(TLS_ALERT_UNKNOWN_CA, "connect.tls.refused_unknown_ca",   "the broker refused the device's certificate: it does not know the CA, or it checks revocation lists and has none of that CA (alert 48)") \
  X(TLS_ALERT_EXPIRED,    "connect.tls.refused_expired",      "the broker refused the device's certificate as expired (alert 45)") \
  X(TLS_ALERT_REVOKED,    "connect.tls.refused_revoked",      "the broker refused the device's certificate as revoked (alert 44)") \
  X(TLS_ALERT_BAD_CERT,   "connect.tls.refused_certificate",  "the broker refused the device's certificate (alert 42, 43 or 46)") \
  X(TLS_ALERT_NO_CERT,    "connect.tls.refused_no_certificate", "the broker wants a client certificate and got none (alert 116)") \
  X(TLS_ALERT_HANDSHAKE,  "connect.tls.refused_parameters",   "the broker found no common version, cipher suite, group or application protocol (alert 40, 70, 71, 86 or 120)") \
  X(TLS_ALERT_OTHER,      "connect.tls.refused_other",        "the broker ended the handshake with another fatal alert") \
  /* the same without an alert: some brokers and proxies judge a certificate when the handshake is over, and just close */ \
  X(TLS_CLOSED,           "connect.tls.closed_after_handshake", "the broker closed after the TLS handshake and before CONNACK, without an alert: it refused the certificate, had no more time for the handshake, or does not speak MQTT 5 (then try mqtt: 3.1.1)") \
  X(TLS_RESET,            "connect.tls.reset_after_handshake", "the broker reset the connection after the TLS handshake and before CONNACK, without an alert: it refused the certificate, had no more time for the handshake, or does not speak MQTT 5 (then try mqtt: 3.1.1)") \
  /* the TLS protocol itself */ \
  X(TLS_PARAMETERS,       "connect.tls.parameters",           "the broker offered a version, cipher suite or group outside the device's profile") \
  X(TLS_SIGNATURE,        "connect.tls.bad_signature",        "a handshake signature or Finished value of the broker is wrong") \
  X(TLS_PROTOCOL,         "connect.tls.protocol",             "the broker broke the TLS protocol (order, length or record check)") \
  X(TLS_RECORD,           "connect.tls.record_too_large",     "the broker sent a TLS record or handshake message larger than the device's buffer: give the device a larger one (device: {record: 16KiB}), or let the broker send less at once") \
  X(TLS_NOT_TLS,          "connect.tls.not_tls",              "what answers there does not speak TLS") \
  X(TLS_TIMEOUT,          "connect.tls.timeout",              "the handshake did not end within the deadline") \
  X(TLS_BYTE_BUDGET,      "connect.tls.byte_budget",          "the peer sent more bytes before CONNACK than the device reads") \
  X(TLS_INTERNAL,         "connect.tls.internal",             "the device's TLS library failed for a reason of its own (memory, configuration)") \
  /* MQTT before CONNACK */ \
  X(MQTT_TIMEOUT,         "connect.mqtt.timeout",             "no CONNACK within the deadline") \
  X(MQTT_PROTOCOL,        "connect.mqtt.protocol",            "the first MQTT packet is not a valid CONNACK") \
  X(MQTT_REFUSED_VERSION, "connect.mqtt.refused_version",     "CONNACK: the broker does not speak the device's version of MQTT (try mqtt: 3.1.1 instead of 5, or 5 instead of 3.1.1)") \
  X(MQTT_REFUSED_ID,      "connect.mqtt.refused_client_id",   "CONNACK: client identifier not valid") \
  X(MQTT_REFUSED_BUSY,    "connect.mqtt.refused_unavailable", "CONNACK: server unavailable, busy or over its quota or rate") \
  X(MQTT_REFUSED_AUTH,    "connect.mqtt.refused_not_authorised", "CONNACK: bad credentials, banned or not authorised") \
  X(MQTT_REFUSED_MOVED,   "connect.mqtt.refused_moved",       "CONNACK: use another server") \
  X(MQTT_REFUSED_OTHER,   "connect.mqtt.refused_other",       "CONNACK: refused for another reason") \
  X(STOPPED,              "connect.stopped",                  "the plan took the device offline before CONNACK") \
  /* after CONNACK */ \
  X(SESSION_CLOSED,       "session.closed",                   "the broker closed a live connection") \
  X(SESSION_RESET,        "session.reset",                    "a live connection was reset") \
  X(SESSION_DISCONNECT,   "session.disconnected",             "the broker sent DISCONNECT (MQTT 5) or a TLS alert and ended the session") \
  X(SESSION_PING,         "session.ping_timeout",             "no PINGRESP within the deadline") \
  X(SESSION_ACK,          "session.ack_timeout",              "no SUBACK, PUBACK, PUBREC or PUBCOMP within the deadline") \
  X(SESSION_PROTOCOL,     "session.protocol",                 "the broker broke the MQTT or TLS protocol in a live session") \
  X(SESSION_RECORD,       "session.record_too_large",         "the broker sent a TLS record larger than the device's buffer in a live session: give the device a larger one (device: {record: 16KiB}), or let the broker put less into one record") \
  X(SESSION_BACKLOG,      "session.backlog",                  "the peer stopped reading and the send backlog reached its limit") \
  X(SESSION_MEMORY,       "session.no_memory",                "the device had no memory left to go on with a live session") \
  X(SESSION_STOPPED,      "session.stopped",                  "the plan ended the session") \
  /* one message or topic filter, in a session that goes on */ \
  X(PUBLISH_REFUSED_AUTH, "publish.refused_not_authorised",   "the broker refused a message: the device may not publish to that topic") \
  X(PUBLISH_REFUSED_QUOTA,"publish.refused_quota",            "the broker refused a message: a quota is used up") \
  X(PUBLISH_REFUSED_SIZE, "publish.refused_size",             "a message is larger than the broker takes or its CONNACK allows") \
  X(PUBLISH_REFUSED_QOS,  "publish.refused_qos",              "a message is of a higher QoS than the broker's CONNACK allows") \
  X(PUBLISH_REFUSED_OTHER,"publish.refused_other",            "the broker refused a message for another reason") \
  X(SUBSCRIBE_REFUSED,    "subscribe.refused",                "the broker refused a subscription that the device needs: nothing reaches it there") \
  /* the device itself */ \
  X(DEVICE_NVM,           "device.nvm",                       "the device's non-volatile memory could not be read or written") \
  X(DEVICE_IDENTITY,      "device.identity",                  "the device's key or certificate in NVM is damaged, missing or does not match") \
  X(DEVICE_IMAGE,         "device.image",                     "neither image slot holds an image that may be started: the device is bricked")
/* clang-format on */

enum device_failure {
#define X(symbol, name, sentence) DEVICE_FAIL_##symbol,
  DEVICE_FAILURES(X)
#undef X
      DEVICE_FAIL_COUNT,
  /* Ranges of the list that mean something, each from its FIRST to its LAST. A new failure goes
     where these stay true; unit/device/test_names holds them against the names. */
  /* the attempt ended before CONNACK: "connect." */
  DEVICE_FAIL_CONNECT_FIRST = DEVICE_FAIL_TCP_REFUSED,
  DEVICE_FAIL_CONNECT_LAST = DEVICE_FAIL_STOPPED,
  /* by TLS, whoever ended it: "connect.tls." */
  DEVICE_FAIL_TLS_FIRST = DEVICE_FAIL_TLS_NOT_TRUSTED,
  DEVICE_FAIL_TLS_LAST = DEVICE_FAIL_TLS_INTERNAL,
  /* by a verdict on a certificate, of the device or, from ALERT_FIRST on, of the broker */
  DEVICE_FAIL_VERDICT_FIRST = DEVICE_FAIL_TLS_NOT_TRUSTED,
  DEVICE_FAIL_ALERT_FIRST = DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA,
  DEVICE_FAIL_VERDICT_LAST = DEVICE_FAIL_TLS_ALERT_NO_CERT,
  /* by the broker, in TLS or after it: alerts, and the end without one (from ALERT_FIRST on) */
  DEVICE_FAIL_REFUSED_TLS_LAST = DEVICE_FAIL_TLS_RESET,
  /* by the broker's CONNACK: "connect.mqtt.refused_" */
  DEVICE_FAIL_CONNACK_FIRST = DEVICE_FAIL_MQTT_REFUSED_VERSION,
  DEVICE_FAIL_CONNACK_LAST = DEVICE_FAIL_MQTT_REFUSED_OTHER,
  /* a session ended: "session." */
  DEVICE_FAIL_SESSION_FIRST = DEVICE_FAIL_SESSION_CLOSED,
  DEVICE_FAIL_SESSION_LAST = DEVICE_FAIL_SESSION_STOPPED,
};

/* A failure by which the broker, and nobody else, ended an attempt once the transport was open and
 * before CONNACK: by an alert, by closing or resetting, by CONNACK. What it thinks of the device's
 * certificate can be behind each of them.
 */
bool device_failure_is_refusal(enum device_failure failure);

/* The failure that a fatal alert of the broker's is (RFC 8446 6.2; RFC 5246 7.2.2). */
enum device_failure device_failure_of_alert(uint8_t alert);

/* The failure that a CONNACK with this code is; NONE for 0. A return code of MQTT 3.1.1 or a reason
 * code of MQTT 5: they have no other number in common, and some brokers give the latter to clients
 * of 3.1.1. */
enum device_failure device_failure_of_connack(uint8_t code);

/* The stable name, as in "connect.tls.not_trusted". Any value is accepted; unknown ones give
   "unknown". */
const char *device_failure_name(enum device_failure failure);

/* The sentence of the list above, without a full stop. */
const char *device_failure_sentence(enum device_failure failure);

#endif

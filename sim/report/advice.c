/* The sentences themselves. Each names the first thing to look at, and where the cause is often
 * another than the name makes one think, that. */
#include "report/advice.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* clang-format off */
static const char *const advice[DEVICE_FAIL_COUNT] = {
    [DEVICE_FAIL_NONE] = "",
    [DEVICE_FAIL_TCP_REFUSED] = "see whether the broker is up and its port is right; while it restarts this is normal",
    [DEVICE_FAIL_TCP_RESET] = "a full accept queue or a limit of connections does this: look at the broker's log, let fewer devices come per second, or raise the limit",
    [DEVICE_FAIL_TCP_CLOSED] = "something took the connection and let it go: a limit of connections, a proxy without a broker behind it, a port that speaks another protocol",
    [DEVICE_FAIL_TCP_TIMEOUT] = "a firewall that drops, a machine that is gone, or an accept queue that is full: try the address from this machine with 'openssl s_client -connect HOST:PORT'",
    [DEVICE_FAIL_TCP_UNREACHABLE] = "there is no route from this machine: look at its network",
    [DEVICE_FAIL_TCP_NO_PORT] = "raise 'ulimit -n', or give the fleet more source addresses (fleet.source-addresses): each has some 28,000 ports towards one broker",
    [DEVICE_FAIL_NAME_NOT_FOUND] = "see whether the name is right and the resolver of this machine knows it",
    [DEVICE_FAIL_TCP_OTHER] = "the event has the operating system's own words",
    [DEVICE_FAIL_TLS_NOT_TRUSTED] = "push a bundle with the broker's root before the broker presents it; if devices hold the root, the broker does not send its intermediate",
    [DEVICE_FAIL_TLS_EXPIRED] = "renew the certificate, or see whether the device's clock is right ('clock')",
    [DEVICE_FAIL_TLS_NOT_YET_VALID] = "a device without a clock starts in the past: let it have the time before it connects, or date certificates back",
    [DEVICE_FAIL_TLS_NAME_MISMATCH] = "the certificate needs the name that devices dial as a DNS name in its subjectAltName; the common name does not count",
    [DEVICE_FAIL_TLS_REVOKED] = "present another certificate, or push a list that does not name this one",
    [DEVICE_FAIL_TLS_CRL] = "push a list that is in force ('push-trust: {crls: yes}') in time before the old one ends",
    [DEVICE_FAIL_TLS_BAD_USAGE] = "issue the broker's certificate with extendedKeyUsage serverAuth and keyUsage digitalSignature",
    [DEVICE_FAIL_TLS_WEAK] = "issue it on P-256 with SHA-256, as the device's profile wants",
    [DEVICE_FAIL_TLS_BAD_CERTIFICATE] = "look at it with 'openssl x509 -text': a critical extension that small TLS libraries do not know has to go",
    [DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA] = "give the broker the CA of the devices ('trust-clients', 'fleetsim pki export --what client-ca'); many brokers read it at a restart only; where it checks revocation lists each of those CAs needs one ('publish-crl', 'fleetsim pki crl')",
    [DEVICE_FAIL_TLS_ALERT_EXPIRED] = "either the device's certificate has expired, or the broker's revocation list has, by the broker's clock: the same alert tells of both",
    [DEVICE_FAIL_TLS_ALERT_REVOKED] = "that is what a revocation is for; if nobody was to be revoked, see which list the broker has",
    [DEVICE_FAIL_TLS_ALERT_BAD_CERT] = "brokers say this of a certificate or a revocation list that is not in force yet, too: is the broker's clock behind? On Erlang also of a list that is over or missing; else look at the broker's log",
    [DEVICE_FAIL_TLS_ALERT_NO_CERT] = "the broker wants a client certificate: the device has none, or was told to show none",
    [DEVICE_FAIL_TLS_ALERT_HANDSHAKE] = "let the broker take TLS 1.3 or 1.2 with P-256 and AES-GCM, or change device.tls",
    [DEVICE_FAIL_TLS_ALERT_OTHER] = "the event has the alert's number; the broker's log says more",
    [DEVICE_FAIL_TLS_CLOSED] = "node and nginx refuse certificates like this: look at their log, at the CA and at the list; with MQTT 5 try device.mqtt 3.1.1",
    [DEVICE_FAIL_TLS_RESET] = "the same as closed_after_handshake, by a peer in a hurry: look at the broker's log, at the CA and at the list",
    [DEVICE_FAIL_TLS_PARAMETERS] = "let the broker offer TLS 1.3 or 1.2 with P-256 and AES-GCM, or change device.tls",
    [DEVICE_FAIL_TLS_SIGNATURE] = "the broker has the key of another certificate: give it certificate and key of one pair; if it has, something on the way changes bytes",
    [DEVICE_FAIL_TLS_PROTOCOL] = "something on the way is no TLS proxy, or changes bytes; the event has the TLS library's code",
    [DEVICE_FAIL_TLS_RECORD] = "give the device a larger record buffer (device.record), or let the broker send shorter chains",
    [DEVICE_FAIL_TLS_NOT_TLS] = "this is a port without TLS: MQTT over TLS is usually at 8883",
    [DEVICE_FAIL_TLS_TIMEOUT] = "the broker is too busy: let fewer devices come per second, or give the device more time (device.timeouts.handshake)",
    [DEVICE_FAIL_TLS_BYTE_BUDGET] = "no broker needs so much: see who answers there (device.byte-budget)",
    [DEVICE_FAIL_TLS_INTERNAL] = "the event has the TLS library's code; of imported keys and certificates 'fleetsim pki show --device' tells more",
    [DEVICE_FAIL_MQTT_TIMEOUT] = "TLS is done and MQTT says nothing: the broker's authentication is slow, or this is no MQTT port (device.timeouts.connack)",
    [DEVICE_FAIL_MQTT_PROTOCOL] = "this is no MQTT port, or something answers in the broker's place",
    [DEVICE_FAIL_MQTT_REFUSED_VERSION] = "change device.mqtt",
    [DEVICE_FAIL_MQTT_REFUSED_ID] = "the broker wants another client id, often the certificate's common name",
    [DEVICE_FAIL_MQTT_REFUSED_BUSY] = "the broker has enough: let fewer devices come per second, or raise its limits",
    [DEVICE_FAIL_MQTT_REFUSED_AUTH] = "see how the broker takes the user from the certificate (its common name or whole subject) or from user name and password, and whether it knows that user",
    [DEVICE_FAIL_MQTT_REFUSED_MOVED] = "give the broker's other address as url",
    [DEVICE_FAIL_MQTT_REFUSED_OTHER] = "the event has the reason code; the broker's log says more",
    [DEVICE_FAIL_STOPPED] = "nothing: the scenario did this",
    [DEVICE_FAIL_SESSION_CLOSED] = "a restart, a kick, a take-over by the same client id, or a packet that the broker does not allow: RabbitMQ and aedes close for a forbidden topic, mosquitto for a QoS above its max_qos (MQTT 3.1.1)",
    [DEVICE_FAIL_SESSION_RESET] = "the broker was killed, or something on the way has forgotten the connection: compare its time-out with device.keep-alive",
    [DEVICE_FAIL_SESSION_DISCONNECT] = "the event has the reason code: 0x8e is a take-over by the same client id, 0x8b a shutdown",
    [DEVICE_FAIL_SESSION_PING] = "the connection was half open: nobody at the other end knows of it any more, or the broker stands still",
    [DEVICE_FAIL_SESSION_ACK] = "the broker is overloaded or stands still, or the network swallows what it says",
    [DEVICE_FAIL_SESSION_PROTOCOL] = "the event has what was wrong; something on the way may change bytes",
    [DEVICE_FAIL_SESSION_RECORD] = "give the device a larger record buffer (device.record), or let the broker put less into one record",
    [DEVICE_FAIL_SESSION_BACKLOG] = "the device sends faster than the broker reads: send less, or look why it reads slowly",
    [DEVICE_FAIL_SESSION_MEMORY] = "the machine has no memory left for its devices: run fewer of them, or give it more",
    [DEVICE_FAIL_SESSION_STOPPED] = "nothing: the scenario did this",
    [DEVICE_FAIL_PUBLISH_REFUSED_AUTH] = "let the broker's access control allow the device its own topics; a message that is refused is lost",
    [DEVICE_FAIL_PUBLISH_REFUSED_QUOTA] = "raise the broker's quota, or send less",
    [DEVICE_FAIL_PUBLISH_REFUSED_SIZE] = "send smaller messages or firmware blocks, or raise the broker's maximum packet size",
    [DEVICE_FAIL_PUBLISH_REFUSED_QOS] = "take QoS 1: RabbitMQ and cloud brokers have no QoS 2",
    [DEVICE_FAIL_PUBLISH_REFUSED_OTHER] = "the event has the reason code",
    [DEVICE_FAIL_SUBSCRIBE_REFUSED] = "let the broker's access control allow the device its own topics, for reading too",
    [DEVICE_FAIL_DEVICE_NVM] = "is the disk full, or the fleet folder damaged? Make or import the fleet anew",
    [DEVICE_FAIL_DEVICE_IDENTITY] = "make or import this device anew; 'fleetsim pki show --device' tells what is stored",
    [DEVICE_FAIL_DEVICE_IMAGE] = "a real device would have to be opened: look at its last update in events.ndjson",
};
/* clang-format on */

const char *advice_of(enum device_failure failure)
{
  assert((unsigned) failure < DEVICE_FAIL_COUNT && advice[failure] != NULL);
  return advice[failure];
}

const char *advice_by_name(const char *name)
{
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    if (strcmp(device_failure_name((enum device_failure) f), name) == 0)
      return advice_of((enum device_failure) f);
  return "";
}

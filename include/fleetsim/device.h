/* The one interface between a device client and the body it lives in.
 *
 * A device is a sans-IO state machine in storage that the caller owns. The body (a simulator, a
 * bare-metal image, a test) feeds it one event at a time, and the device leaves effects: bytes to
 * send, a transport to open or close, the time at which it wants to be woken. It knows no socket,
 * clock, file or event loop; the time, entropy and non-volatile memory are handed in. Nothing here
 * is specific to a simulation: the same files are linked by firmware.
 *
 *     ops->create(storage, &config)
 *     TICK                                the first step: the device learns the time
 *     START -> effects.connect            the body opens a transport to effects.endpoint
 *     OPENED -> effects.out (ClientHello) the body sends
 *     BYTES -> effects.out ...            until the observer sees DEVICE_NOTE_ONLINE
 *     TICK at effects.deadline_ms         keep-alive, timeouts
 *     CLOSED or effects.close             the attempt or session is over; the observer saw
 *                                         DEVICE_NOTE_ENDED
 *
 * One connection at a time. Whether and when to try again is the body's decision (its reconnect
 * policy). What needs no transport is served with and without one, as long as the device has power:
 * deadlines, downloads, restarts. None of them depends on the profile: a client may fetch and
 * restart for reasons of its own where `ota` is NULL. What a body cannot serve it refuses in the
 * one way that is said at the effect. Events that do not fit the device's state (BYTES without a
 * transport, FETCHED after an abort) come about and are ignored.
 *
 * The order of notes: HANDSHAKE, ONLINE, READY, each at most once per START; ENDED exactly once, in
 * whatever way it ends, unless the power goes. Freestanding: stdint, stddef, stdbool only.
 */
#ifndef FLEETSIM_DEVICE_H
#define FLEETSIM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleetsim/failure.h"
#include "fleetsim/ota.h"

#define DEVICE_NEVER UINT64_MAX /* a deadline that does not come */
/* least bytes of room in effects.out; two handshake records fit */
#define DEVICE_OUT_MIN     4096u
#define DEVICE_ANCHORS_MAX 8u  /* trust anchors in one bundle */
#define DEVICE_ID_TEXT     9u  /* eight hex digits and the terminating zero */
#define DEVICE_NAME_TEXT   65u /* a device's name, up to 64 bytes, and the terminating zero */
/* most bytes of these texts of struct device_naming, without the zero */
#define DEVICE_CLIENT_ID_MAX 128u
#define DEVICE_ROOT_MAX      112u
#define DEVICE_USER_MAX      256u
#define DEVICE_PASSWORD_MAX  1024u /* most bytes of one */
#define DEVICE_TOPIC_MAX     127u  /* also of any topic that is published or subscribed */

/* What a device does with the revocation lists of its trust bundle when it judges a broker's chain.
 * A list is its issuer's word on the certificates which that CA issued; the anchor itself has no
 * issuer and is in no list. */
enum device_revocation {
  DEVICE_REVOCATION_OFF, /* ignores them */
  /* believes those it holds, however old; a CA without a list revokes nothing */
  DEVICE_REVOCATION_HELD,
  /* every CA of the chain must have a list that is in force by the device's clock */
  DEVICE_REVOCATION_REQUIRED,
};

/* Where a device keeps its session ticket between connections. */
enum device_resume {
  DEVICE_RESUME_NO,
  DEVICE_RESUME_RAM, /* lost with the power */
  /* survives it; written at most once per connection, after CONNACK, and only if it changed */
  DEVICE_RESUME_NVM,
};

/* What is the same for all devices of one build of the firmware. Shared, read-only, outlives its
   devices. */
struct device_profile {
  const char *name;
  uint8_t tls_min, tls_max; /* 12 or 13 */
  uint8_t mqtt_version;     /* 4 = MQTT 3.1.1, 5 = MQTT 5 */
  /* application protocols to offer in TLS, the most wanted first, ended by NULL (RFC 7301); NULL:
     none. A broker that takes no notice is no failure */
  const char *const *alpn;
  bool clean_start; /* false: persistent session */
  /* MQTT 5: the first connection since power-on ends an older persistent session */
  bool forget_first;
  /* keep the newest session ticket and offer it at the next connect */
  enum device_resume resume;
  /* offer it to every endpoint of that host name, not only to where it came from */
  bool resume_anywhere;
  uint8_t revocation; /* enum device_revocation */
  /* shows no certificate in TLS: the broker knows it by user name and password, or not at all. Then
     its NVM need hold none */
  bool no_certificate;
  bool will; /* leave a will "offline" on ROOTstatus */
  /* subscribes to nothing of its own: nobody has bundles, certificates or images for it, and some
     brokers end a connection for a topic that is none of theirs */
  bool no_control;
  uint16_t keep_alive_s;         /* 0: none */
  uint32_t session_expiry_s;     /* MQTT 5; 0xffffffff: never */
  uint32_t tcp_timeout_ms;       /* from START to OPENED */
  uint32_t handshake_timeout_ms; /* from OPENED to the end of the TLS handshake */
  uint32_t connack_timeout_ms;   /* from the end of the handshake to CONNACK */
  uint32_t ack_timeout_ms;       /* SUBACK, PUBACK, PUBREC, PUBCOMP, PINGRESP */
  uint32_t byte_budget;          /* most bytes read from the peer before CONNACK */
  /* firmware updates; NULL: the device takes none and has no image slots */
  const struct device_ota_profile *ota;
  /* the body lends what a device needs for a while only (struct device_host); false: it is in the
     device's own storage */
  bool borrows;
};

/* A place to connect to. `host` is the name that the broker's certificate must carry. */
struct device_endpoint {
  const char *host;
};

/* What the device tells whoever watches it. Firmware passes no observer. Pointers are valid during
   the call only. */
enum device_note_kind {
  DEVICE_NOTE_STATE, /* from -> to: a transition of the state table */
  /* TLS done; in TLS 1.3 the broker's verdict on our certificate is still open */
  DEVICE_NOTE_HANDSHAKE,
  DEVICE_NOTE_ONLINE, /* CONNACK accepted */
  DEVICE_NOTE_READY,  /* subscriptions acknowledged */
  DEVICE_NOTE_ENDED,  /* the attempt or session is over: failure, and its detail */
  DEVICE_NOTE_ACKED,  /* a publish of `tag` is complete (QoS 0: handed to the transport) */
  /* the broker refused a publish or subscribe by reason code, or its CONNACK forbids it and it was
     `declined`; `code`, `tag` (0: the device's own), `topic` */
  DEVICE_NOTE_DENIED,
  /* a publish of `tag` went out again, in a later connection: no acknowledgement had come */
  DEVICE_NOTE_RESENT,
  /* a message that the client itself does not handle: any that is empty, which is how a retained
     one is taken back, and a block of no update that is under way */
  DEVICE_NOTE_MESSAGE,
  DEVICE_NOTE_TRUST,    /* a trust bundle arrived: `code` is a device_update value */
  DEVICE_NOTE_IDENTITY, /* a certificate arrived: `code` is a device_update value */
  /* from create, with image slots: `version` and `serial` run, `code` is TRIAL, CONFIRMED, or why
     the boot loader went back: SELF_TEST, UNCONFIRMED */
  DEVICE_NOTE_BOOTED,
  /* an update went on or ended: `code` is a device_ota_status, of `serial`, to bring `version`;
     again after a restart if the back office has not confirmed that it knows */
  DEVICE_NOTE_OTA,
  /* `payload_size` bytes of an image arrived; `duplicate`: the device had them already, or has to
     ask for them again */
  DEVICE_NOTE_OTA_BYTES,
};

/* Outcome of a trust bundle or certificate update; also its word in the acknowledgement on MQTT. */
#define DEVICE_UPDATES(X)                                                           \
  X(COMMITTED, "committed", "stored and in force from the next connection on")      \
  X(SAME, "same", "already in force; nothing was written")                          \
  X(OLDER, "older", "its version is lower than the one in force")                   \
  X(MALFORMED, "malformed", "it cannot be parsed")                                  \
  X(BAD_SIGNATURE, "bad_signature", "it is not signed by the update key")           \
  X(TOO_FEW_ANCHORS, "too_few_anchors", "it holds fewer than two trust anchors")    \
  X(BAD_ANCHOR, "bad_anchor", "an anchor is no usable CA certificate")              \
  X(BAD_CRL, "bad_crl", "a revocation list is none, or is not signed by its CA")    \
  X(NO_CRL, "no_crl", "the device requires revocation lists and no anchor has one") \
  X(WRONG_KEY, "wrong_key", "the certificate is for another private key")           \
  X(WRONG_NAME, "wrong_name", "the certificate is not in this device's name")       \
  X(TOO_LARGE, "too_large", "it does not fit the device's memory")                  \
  X(NVM_FAILED, "nvm_failed", "non-volatile memory could not be written; the old one is in force")

enum device_update {
#define X(symbol, name, sentence) DEVICE_UPDATE_##symbol,
  DEVICE_UPDATES(X)
#undef X
      DEVICE_UPDATE_COUNT
};

const char *device_update_name(enum device_update update);

struct device_note {
  enum device_note_kind kind;
  enum device_failure failure; /* ENDED */
  int32_t tls_error;           /* ENDED: the TLS library's code, 0 if none */
  /* ENDED, HANDSHAKE: the library's X.509 verify flags; 0x1000000: a list is missing */
  uint32_t verify_flags;
  uint8_t alert;       /* ENDED: TLS alert received, 0 if none */
  uint8_t tls_version; /* HANDSHAKE: 12 or 13 */
  /* HANDSHAKE, ENDED: certificates that the broker sent, 0 if none were seen */
  uint8_t chain_certificates;
  bool secured;      /* ENDED: the TLS handshake was over on the device's side */
  bool close_notify; /* ENDED: the broker ended TLS in an orderly way; tls_error is 0 */
  /* HANDSHAKE, ENDED: it was, and no certificate was sent or checked */
  bool resumed;
  bool session_present;     /* ONLINE */
  bool retained, duplicate; /* MESSAGE */
  /* DENIED: the device itself did not send it, in this connection or an earlier one */
  bool declined;
  bool subscription; /* DENIED: a topic filter, not a message */
  uint8_t qos;       /* MESSAGE, ACKED, DENIED, RESENT: of the message */
  /* ENDED: CONNACK or DISCONNECT reason; DENIED; TRUST, IDENTITY: device_update */
  uint8_t code;
  uint8_t from, to; /* STATE: see device_ops.state_name */
  uint32_t tag;     /* ACKED, DENIED, RESENT: the tag given with PUBLISH or SUBSCRIBE */
  /* TRUST: version of the bundle in force afterwards; BOOTED, OTA: of an image */
  uint32_t version;
  /* TRUST, IDENTITY: CRC-32 of the message, as in its acknowledgement */
  uint32_t of;
  uint32_t serial; /* BOOTED, OTA: of the manifest, 0: none */
  /* HANDSHAKE (full): SHA-256 of the DER of the anchor the chain ended at, 32 bytes */
  const uint8_t *anchor_id;
  const uint8_t *leaf; /* HANDSHAKE (full): the broker's own certificate, DER */
  size_t leaf_size;
  /* HANDSHAKE (full): where in NVM the chain lies that the device sends to a broker that asks for
     one, in the format of fleetsim/nvm.h; of size 0: it sends none */
  uint32_t own_offset, own_size;
  /* ENDED: the server reference of CONNACK or DISCONNECT, not terminated; NULL: none */
  const char *server;
  size_t server_size;
  const char *topic; /* MESSAGE, DENIED (NULL: a filter of the application): not terminated */
  size_t topic_size;
  const uint8_t *payload; /* MESSAGE */
  size_t payload_size;    /* MESSAGE, OTA_BYTES */
};

/* What the body lends the device. Hooks are called only from inside create, step and destroy.
 * nvm_read, nvm_write and random return 0, or a negative number on failure. A write may be torn by
 * a power cut at any byte; it never touches bytes outside [offset, offset + size). */
struct device_host {
  void *ctx;
  int (*random)(void *ctx, uint8_t *out, size_t size);
  int (*nvm_read)(void *ctx, uint32_t offset, void *out, size_t size);
  int (*nvm_write)(void *ctx, uint32_t offset, const void *data, size_t size);
  void (*observe)(void *ctx, const struct device_note *note); /* may be NULL */
  /* NOR flash of the image slots, where profile->ota is set: erase sets the sector at `offset` to
   * 0xff, program clears bits, both within one slot; 0, or a negative number on failure. A power
   * cut may tear either at any byte. */
  int (*flash_read)(void *ctx, uint8_t slot, uint32_t offset, void *out, size_t size);
  int (*flash_erase)(void *ctx, uint8_t slot, uint32_t offset);
  int (*flash_program)(void *ctx, uint8_t slot, uint32_t offset, const void *data, size_t size);
  /* Writes the password of the CONNECT that is about to be sent, as it is by now (of a token: the
   * one in force), and returns its size, 0 to DEVICE_PASSWORD_MAX; negative: there is none, and
   * CONNECT says none. The device keeps no copy beyond the packet that it encrypts. NULL: it never
   * has one. */
  int (*password)(void *ctx, uint8_t out[DEVICE_PASSWORD_MAX]);
  /* Where profile->borrows is set: room that the device needs for a while only (a handshake, a
   * message that comes, messages that are not acknowledged), `size` bytes aligned as max_align_t,
   * until give_back with the same size, at the latest in destroy. At most two at a time, of 8 KiB
   * together. NULL: there is none, and what it was for is refused: a message is not taken, a
   * connection ends as connect.tls.internal or session.no_memory. */
  void *(*lend)(void *ctx, size_t size);
  void (*give_back)(void *ctx, void *room, size_t size);
  /* The new image's test of itself in its trial, once it is online: 0 good. NULL: to be online is
     enough. */
  int (*self_test)(void *ctx);
};

/* What a device is called on MQTT, as its firmware's build or its provisioning has settled it. The
 * texts are terminated and not empty, those of topics hold no '+' and no '#', and all are the
 * body's: they do not change and outlive the device. NULL: made from NAME, which NVM holds. */
struct device_naming {
  const char *client_id; /* NULL: NAME */
  /* ROOT, which every topic between device and back office begins with: with its last slash, if it
     is to have one. NULL: private/NAME/ */
  const char *root;
  const char *telemetry; /* the topic that a message without one goes to. NULL: ROOTtelemetry */
  /* the user name of CONNECT. NULL: none, and then MQTT 3.1.1 has no password either (3.1.2-22) */
  const char *user;
};

/* Given once at create; copied, what it points to is not and must outlive the device. */
struct device_config {
  const struct device_profile *profile;
  const struct device_endpoint *endpoints;
  uint8_t endpoint_count;
  struct device_host host;
  const struct device_naming *naming; /* NULL: all of it from the name in NVM */
};

enum device_event_kind {
  DEVICE_START,  /* begin an attempt; ignored unless idle */
  DEVICE_OPENED, /* the transport is open */
  DEVICE_BYTES,  /* bytes arrived */
  /* the transport is gone; `cause` is TCP_*, or NONE for an orderly end of the stream */
  DEVICE_CLOSED,
  DEVICE_TICK,      /* the time is now_ms; nothing else happened */
  DEVICE_PUBLISH,   /* the application has a message */
  DEVICE_SUBSCRIBE, /* the application wants a topic filter */
  /* end the attempt or session in an orderly way (MQTT DISCONNECT, close_notify) */
  DEVICE_STOP,
  /* bytes of the download under way, in `bytes`; those of one that was aborted are ignored */
  DEVICE_FETCHED,
  DEVICE_FETCH_ENDED, /* it is over: `fetched` says how */
};

struct device_event {
  enum device_event_kind kind;
  uint64_t now_ms; /* monotonic, any origin, never goes back */
  int64_t unix_s;  /* what the device's own wall clock shows; may be wrong, and is then believed */
  union {
    struct {
      uint8_t endpoint;    /* index into config.endpoints */
      bool full_handshake; /* do not offer a session ticket */
    } start;
    struct {
      const uint8_t *data;
      size_t size;
    } bytes;
    struct {
      enum device_failure cause;
    } closed;
    struct {
      /* begins behind ROOT unless `absolute`; terminated. PUBLISH: NULL is telemetry's */
      const char *topic;
      const uint8_t *payload;
      size_t size;
      uint32_t tag; /* comes back in ACKED or DENIED */
      uint8_t qos;  /* 0, 1, 2 */
      /* the topic as it stands: how a rehearsal tries a topic that is not the device's own */
      bool absolute;
      /* PUBLISH: taken online only and, whatever its QoS, not sent again in another connection */
      bool once;
    } publish; /* also SUBSCRIBE (topic, qos, tag, absolute) */
    struct {
      uint8_t reason; /* MQTT 5 DISCONNECT reason, 0 normal */
    } stop;
    struct {
      enum device_ota_status cause; /* NONE: the file's end was reached; else SERVER_* */
    } fetched;
  };
};

struct device_effects {
  uint8_t *out;        /* in: room for bytes to send, at least DEVICE_OUT_MIN; the body owns it */
  size_t out_capacity; /* in */
  size_t out_size;     /* bytes to send, in order */
  /* wake with TICK at this time; DEVICE_NEVER, or a time already past: as soon as `out` is sent. It
     replaces the one before, and outlives the transport: only the power ends it */
  uint64_t deadline_ms;
  bool connect; /* open a transport to `endpoint` */
  uint8_t endpoint;
  /* send `out`, then close the transport; no CLOSED event follows */
  bool close;
  /* PUBLISH, SUBSCRIBE: the device took the message and is now answerable for it */
  bool accepted;
  /* begin this download, over HTTPS; it ends the one before. Needs no transport. A body that has
     nobody to fetch from, or no room for it, answers FETCH_ENDED with SERVER_UNREACHABLE after the
     step; a power cut or restart ends it without a word */
  const struct device_fetch *fetch;
  bool fetch_abort; /* end the download under way; no FETCH_ENDED follows */
  /* restart: after `out` and `close`, destroy the device and create it again from what NVM and
     flash hold, whether or not there was a transport. A connection that the device did not close
     breaks off, and a deadline or download of the same step is void */
  bool reboot;
};

/* An implementation of a device client. */
struct device_ops {
  const char *name;
  const char *tls_library; /* version of the TLS library it was built with, as in "3.6.7" */

  /* Bytes of storage, aligned as max_align_t, that one device of this profile needs; with
     `borrows`, beside what the body lends it. */
  size_t (*storage_size)(const struct device_profile *profile);

  /* Boots a device from its non-volatile memory. 0, or a negative device_failure (DEVICE_NVM,
   * DEVICE_IDENTITY). After a failure the storage holds nothing that must be released. */
  int (*create)(void *storage, const struct device_config *config);

  /* Feeds one event; `effects` is overwritten except for out and out_capacity. */
  void (*step)(void *storage, const struct device_event *event, struct device_effects *effects);

  /* Power off: releases what the device holds, sends nothing. */
  void (*destroy)(void *storage);

  /* Who it is, as its non-volatile memory has it: 1 to 64 bytes; valid until destroy. */
  const char *(*device_name)(const void *storage);

  /* Version of the trust bundle in force, 0 if none. */
  uint32_t (*trust_version)(const void *storage);

  /* Name of a state number of DEVICE_NOTE_STATE. */
  const char *(*state_name)(uint8_t state);
};

/* The client of this project: Mbed TLS, MQTT 3.1.1 and 5. All of its devices belong to one thread,
 * because Mbed TLS asks for time and entropy through process-wide hooks. Messages of QoS 1 and 2
 * are accepted offline too, up to 14 of 1280 bytes with their topics, and sent again until
 * confirmed; QoS 0 is accepted after CONNACK only. Subscriptions of the application end with the
 * connection. */
extern const struct device_ops device_builtin;

/* Eight lower-case hex digits and a zero: the name of a device that was flashed with none. */
void device_id_text(uint32_t id, char out[DEVICE_ID_TEXT]);

/* Whether a device may have that name: 1 to 64 bytes of UTF-8 without control characters (U+0000 to
 * U+001F, U+007F to U+009F: MQTT 5 and 3.1.1, 1.5.4 and 1.5.3, have none of the first in a string,
 * and let a receiver refuse the others). */
bool device_name_is_good(const char *name);

/* Whether it can be one level of a topic, as ROOT has it where nobody names another: without '/',
 * which ends a level, and '+' and '#', which no topic name may hold (MQTT 5, 4.7.1). The boot of a
 * device with another name needs a `root` in struct device_naming. */
bool device_name_is_level(const char *name);

#endif

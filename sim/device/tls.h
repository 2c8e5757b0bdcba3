/* The device's TLS connection: Mbed TLS as a sans-IO engine, in storage that the caller owns.
 *
 * Bytes go in through `in`, and come out through `out`; both are lent for one step. The device's
 * key, its certificate chain and its trust anchors exist only while a handshake is under way, in
 * `handshake`, which the caller may use for something else as soon as device_tls_settle or
 * device_tls_close was called.
 */
#ifndef FLEETSIM_DEVICE_TLS_H
#define FLEETSIM_DEVICE_TLS_H

#include <mbedtls/ssl.h>

#include "fleetsim/device.h"
#include "fleetsim/nvm.h"

/* A verify flag of our own: the policy asks for a revocation list that the bundle does not hold. */
#define DEVICE_TLS_CRL_MISSING UINT32_C(0x1000000)

#define DEVICE_TLS_WANT 1          /* more bytes from the peer are needed */
#define DEVICE_TLS_FULL (-0x10001) /* `out` has no room for what must be sent */
/* the device's own key, certificate or anchors cannot be used */
#define DEVICE_TLS_KEY    (-0x10002)
#define DEVICE_TLS_MEMORY (-0x10003) /* NVM cannot be read */

/* a hash of what a session stands on: anchors, certificate, endpoint */
#define DEVICE_TLS_STANDING_SIZE 32u

struct device_tls_handshake {
  mbedtls_ssl_config config;
  mbedtls_x509_crt *anchors; /* see anchors.h */
  mbedtls_x509_crt own_anchors, chain;
  mbedtls_x509_crl crls; /* of the trust bundle, unless the policy is to ignore them */
  uint8_t revocation;    /* enum device_revocation */
  mbedtls_pk_context key;
  psa_key_id_t key_id;
};

/* What the handshake saw of the broker; also the detail of a failure. */
struct device_tls_verdict {
  uint32_t flags;        /* X.509 verify flags */
  uint8_t certificates;  /* that the broker sent */
  uint8_t alert;         /* received, 0 if none */
  bool checked;          /* the chain was verified in this handshake */
  uint8_t anchor_id[32]; /* SHA-256 of the anchor, if checked and flags is 0 */
};

struct device_tls {
  mbedtls_ssl_context ssl;
  const mbedtls_ssl_config *settings;     /* once it is settled: tls_settings.h */
  struct device_tls_handshake *handshake; /* NULL: none under way */
  struct device_tls_verdict verdict;
  /* where NVM holds what this device stands on, checked when it was looked for; size 0: look for
     it */
  struct device_nvm_slot found[DEVICE_NVM_IMAGES];
  int error; /* the library's code of the first failure of this connection */
  bool open; /* ssl is in use */
  /* trust or identity changed: what this connection stands on is no longer in force */
  bool tickets_barred;
  /* this connection: offered it to the broker; got it from the broker */
  bool offered_ticket, fresh_ticket;
  /* this connection: CONNACK came; its ticket was written to NVM */
  bool confirmed, stored;
  uint8_t standing[DEVICE_TLS_STANDING_SIZE]; /* this connection's */
  /* the ticket in RAM, as NVM would hold it (tls_ticket.c); NULL: none */
  uint8_t *ticket;
  size_t ticket_size;
  int64_t ticket_ms; /* when it was received, by the monotonic clock */
  /* see tls_records.h: uses the shared pair, and with it the block that a ticket wants */
  bool shares, wants_block;
  uint8_t counter[8]; /* between steps: of the broker's records */
  uint8_t *kept;      /* between steps: what was not read to its end; NULL: nothing */
  size_t kept_size;
  const struct device_host *store; /* where tickets outlive power-off; NULL: nowhere */
  const uint8_t *in;               /* lent for one step */
  size_t in_size;
  uint8_t *out;
  size_t out_size, out_capacity;
};

struct device_tls_options {
  const struct device_profile *profile;
  const struct device_host *host; /* NVM with identity, chain and anchors */
  const char *peer;               /* the name that the broker's certificate must carry */
  uint8_t endpoint;
  bool full_handshake;
};

void device_tls_init(struct device_tls *tls);

/* A step begins and ends: only between the two is anything else called, but device_tls_close. What
 * cannot be kept from one step to the next is found in tls->error, and ends the connection. */
void device_tls_wake(struct device_tls *tls);
void device_tls_rest(struct device_tls *tls);

/* Makes everything ready for device_tls_handshake; `handshake` is storage that outlives the
   handshake. 0 or error. */
int device_tls_open(struct device_tls *tls, struct device_tls_handshake *handshake,
                    const struct device_tls_options *options);

/* Of device_tls_open: fills tls->handshake from NVM and hands it to the library. 0 or error. */
int device_tls_load(struct device_tls *tls, const struct device_tls_options *options);

/* Of the library's verify callback: what `flags` of one certificate are under the policy. `is_end`:
 * the chain ends at it. */
uint32_t device_tls_revocation(const struct device_tls_handshake *handshake,
                               const mbedtls_x509_crt *certificate, bool is_end, uint32_t flags);

/* Goes on with the handshake: 0 done, DEVICE_TLS_WANT, or a negative error (an alert to send may be
   in `out`). */
int device_tls_handshake(struct device_tls *tls);

/* The broker's own certificate, after a handshake that checked it and before device_tls_settle;
   NULL: there is none. */
const mbedtls_x509_crt *device_tls_leaf(const struct device_tls *tls);

/* After the handshake: releases what only that needed, the broker's chain and tls->handshake with
   it; tls->error where it cannot. */
void device_tls_settle(struct device_tls *tls);

/* The handshake is over on this side. In TLS 1.3 the broker has judged the device's certificate
 * only afterwards, and some brokers do so in TLS 1.2 too. */
bool device_tls_is_secured(const struct device_tls *tls);

/* Decrypted bytes: > 0, 0 when more bytes are needed from the peer, or a negative error. */
int device_tls_read(struct device_tls *tls, uint8_t *data, size_t capacity);

/* Sends all of `data`: 0 or a negative error. */
int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size);

/* Says goodbye (close_notify) if the handshake is over. */
void device_tls_notify(struct device_tls *tls);

/* Frees everything but the ticket. Does nothing when not open. */
void device_tls_close(struct device_tls *tls);

/* Trust anchors or identity changed in NVM: no ticket from before may carry over. */
void device_tls_credentials_changed(struct device_tls *tls);

/* Of device_tls_open: offers the ticket that may be offered here. 0 or error. */
int device_tls_ticket_offer(struct device_tls *tls, const struct device_tls_options *options);

/* Keeps the newest ticket of this connection; one that cannot be kept is no loss. */
void device_tls_ticket_keep(struct device_tls *tls);

/* The broker has accepted the connection: from now on its newest ticket is worth a write to NVM. */
void device_tls_confirmed(struct device_tls *tls);

/* From RAM; and from RAM and NVM. */
void device_tls_forget_ticket(struct device_tls *tls);
void device_tls_drop_ticket(struct device_tls *tls);

/* A stored ticket (tls_ticket.c has the format). `out` is an empty session and gets what is GOOD;
   `age_s` its age. */
enum device_tls_ticket {
  DEVICE_TLS_TICKET_GOOD,
  DEVICE_TLS_TICKET_BAD,       /* not whole, or of another build of the library */
  DEVICE_TLS_TICKET_EXPIRED,   /* or the clock is before its time */
  DEVICE_TLS_TICKET_ELSEWHERE, /* it stands on something else */
};
enum device_tls_ticket device_tls_ticket_parse(const uint8_t *data, size_t size,
                                               const uint8_t standing[DEVICE_TLS_STANDING_SIZE],
                                               int64_t unix_s, mbedtls_ssl_session *out,
                                               uint32_t *age_s);

/* 12 or 13, after the handshake. */
uint8_t device_tls_version(const struct device_tls *tls);

/* The failure is that a record or handshake message, valid as far as that is seen, is larger than
   the buffer for it. */
bool device_tls_is_too_large(const struct device_tls *tls);

/* What a failure before CONNACK is called: from `tls->error`, the verdict and the phase of the
   handshake. */
enum device_failure device_tls_failure(const struct device_tls *tls);

#endif

/* A TLS client on a dial (dial.h), on the loop: resolve, connect, handshake, then what is read and
 * written. Who answers is not verified unless asked: it is looked at, not trusted, and may be
 * presenting a chain that a rehearsal broke on purpose. The handshake goes on in any case.
 *
 * The owner embeds the struct and closes it with tls_dial_close in every case. The deadline stays
 * armed throughout: it covers whatever the owner does with the connection.
 */
#ifndef FLEETSIM_TLS_DIAL_H
#define FLEETSIM_TLS_DIAL_H

#include <openssl/ssl.h>

#include "base/chain_prints.h"
#include "broker/dial.h"
#include "fleetsim/failure.h"

enum tls_dial_event {
  TLS_DIAL_UNREACHED, /* no connection; comes alone */
  TLS_DIAL_UNUSABLE,  /* OpenSSL cannot use the certificate and key; comes alone, `why` is NULL */
  TLS_DIAL_READY,     /* the handshake is done; once, and `why` is NULL */
  TLS_DIAL_DATA,      /* more may have come: tls_dial_read until it has no more; `why` is NULL */
  TLS_DIAL_ENDED,     /* the other side has ended the handshake or the connection */
  TLS_DIAL_LATE       /* the deadline has passed */
};

struct tls_dial;

/* What it points to outlives the TLS_DIAL_READY. */
struct tls_dial_config {
  const struct permit *permit;   /* as dial_start's */
  const char *address;           /* to connect to .. */
  uint16_t port;                 /* .. here */
  const char *host;              /* server_name */
  const char *alpn;              /* the one protocol to offer (RFC 7301); NULL: none */
  const char *certificate, *key; /* PEM files of the client; NULL: it has none */
  const char *ca;                /* PEM file to verify the chain and `host` by; NULL: neither is */
  const char *from;              /* as dial_start's */
  unsigned turn;                 /* as dial_start's */
  uint64_t timeout_ms;
  /* From the loop; `why` goes on after "the broker cannot be seen: ". The owner closes on all but
     READY and DATA; it may on those, and on LATE it may extend instead. */
  void (*event)(struct tls_dial *dial, enum tls_dial_event event, const char *why);
};

struct tls_dial {
  struct dial dial;
  struct tls_dial_config config;
  SSL_CTX *context;
  SSL *ssl;
  BIO *in, *out;
  bool connected, ready;
  /* what a device would call the end that is told, or that tls_dial_read has met; at READY its
     verdict on the chain, where there is a `ca` */
  enum device_failure failure;
  int verdict; /* X509_V_ERR_ */
  char chunk[4096];
  void (*closed)(struct tls_dial *dial);
};

void tls_dial_start(struct tls_dial *dial, uv_loop_t *loop, const struct tls_dial_config *config);

/* The chain that is served. False: none has come so far. */
bool tls_dial_peer(const struct tls_dial *dial, struct chain_prints *out);

/* Bytes read; 0: no more has come; -1: the other side has ended TLS, and *why says how. */
int tls_dial_read(struct tls_dial *dial, void *data, size_t size, const char **why);

/* A little: a connection that has just been opened has room for it, so what it does not take at
   once is lost. False then: the other side may have ended it, and what it said before can still be
   read. */
bool tls_dial_write(struct tls_dial *dial, const void *data, size_t size);

/* The deadline passes so much later than now. */
void tls_dial_extend(struct tls_dial *dial, uint64_t timeout_ms);

bool tls_dial_is_closing(const struct tls_dial *dial);

/* `closed` comes from the loop when nothing of it is left; no `event` comes after this call. */
void tls_dial_close(struct tls_dial *dial, void (*closed)(struct tls_dial *dial));

#endif

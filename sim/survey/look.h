/* One connection to a broker, from the name to CONNACK, by OpenSSL: what is offered can be chosen,
 * nothing that is served is judged, and everything that is served is kept. */
#ifndef FLEETSIM_SURVEY_LOOK_H
#define FLEETSIM_SURVEY_LOOK_H

#include <openssl/ssl.h>

#include "base/login.h"
#include "fleetsim/failure.h"
#include "net/permit.h"
#include "survey/connack.h"

#define SURVEY_MS 5000 /* longest time of a look until CONNACK, a name server's aside */

struct survey_place {
  const char *host;
  const char *server_name; /* what SNI says and certificates must carry, where that is not `host` */
  uint16_t port;
  const char *alpn; /* NULL: none is offered */
  const struct permit *permit;
};

/* Who comes, and how. */
struct survey_visitor {
  const char *client_id;
  struct login login;
  EVP_PKEY *key; /* NULL: it has no certificate */
  STACK_OF(X509) * chain;
  uint8_t tls;          /* 12 or 13, with a device's suites, groups and signatures; 0: anything */
  uint8_t mqtt;         /* 4 or 5 */
  SSL_SESSION *session; /* to be resumed; NULL: none */
};

struct survey_look {
  enum device_failure failure; /* NONE: CONNACK 0 */
  char detail[200];
  char address[64];     /* where it has connected, with the port; empty: nowhere */
  bool shaken, resumed; /* the handshake was complete */
  uint8_t tls;          /* 10 to 13; of SSL 3 and what is unknown 0 */
  char suite[64], group[32], alpn[66];
  double tcp_ms, tls_ms; /* host wall time of these two parts */
  bool asked;            /* for a client certificate .. */
  unsigned issuers;      /* .. of one of so many CAs, 0: whichever .. */
  char first_issuer[SURVEY_TEXT_MAX];
  unsigned tickets;
  unsigned long ticket_lifetime_s;
  SSL_SESSION *session;   /* of the last ticket; NULL: none came */
  STACK_OF(X509) * chain; /* as it is served, leaf first; NULL: none came */
  bool answered;          /* `connack` has come, whatever it says */
  struct survey_connack connack;
};

/* Blocks. `out` is to be released in any case. The session is ended with DISCONNECT. */
void survey_look(const struct survey_place *place, const struct survey_visitor *visitor,
                 struct survey_look *out);
void survey_look_release(struct survey_look *look);

#endif

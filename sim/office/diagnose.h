/* Why the operator cannot connect, by the names that devices have for it.
 *
 * paho has one sentence for a refused client certificate, a wrong name and a port without TLS. So
 * somebody else asks: one connection of its own (OpenSSL), step by step to CONNACK, with the
 * operator's certificate and under its name, and the first step that fails is named.
 */
#ifndef FLEETSIM_OFFICE_DIAGNOSE_H
#define FLEETSIM_OFFICE_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/login.h"
#include "fleetsim/failure.h"
#include "net/permit.h"

#define DIAGNOSE_MS       4000 /* longest time that it takes, a name server's aside */
#define DIAGNOSE_TEXT_MAX 500

struct diagnose_question {
  const char *host;        /* to connect to, and the name that the certificate must carry .. */
  const char *server_name; /* .. where that is not another one; NULL */
  const char *alpn;        /* the one protocol to offer; NULL: none */
  uint16_t port;
  const struct permit *permit;
  const char *ca_path, *certificate_path, *key_path, *client_id;
  struct login login;
  bool keep_session;
  bool new_fleet; /* its certificates were made for this run alone */
};

struct diagnosis {
  enum device_failure failure;  /* NONE: it has connected */
  char text[DIAGNOSE_TEXT_MAX]; /* "connect.tls.expired: SENTENCE (WHAT WAS SEEN): WHAT TO DO" */
};

/* Blocks. */
void diagnose(const struct diagnose_question *question, struct diagnosis *out);

/* The same sentence for a failure that is known already, of one who asks so; `detail` may be "". */
void diagnose_describe(enum device_failure failure, const struct diagnose_question *question,
                       const char *detail, struct diagnosis *out);

/* Whether trying again changes nothing as long as nobody changes the broker, the certificates or
   the address. */
bool diagnose_is_final(enum device_failure failure);

#endif

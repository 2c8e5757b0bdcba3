/* A TLS terminator before a local mosquitto, of the kind whose revocation has a hole: on SIGHUP it
 * reads CRLs into the SSL_CTX that goes on living, with the keys of its session tickets. OpenSSL
 * looks at a CRL in a full handshake only, so a device whose certificate was revoked is refused
 * there and let in with a ticket from before.
 *
 * It runs as a process of its own and mosquitto as its child, behind a unix socket in the same
 * folder (0700): who reaches mosquitto came through here. mosquitto judges by user name; the
 * terminator puts the certificate's CN there, and lets nobody but the operator connect under a
 * client id that is not its CN, or what a list has for that (connect.h, roster.h).
 *
 *     client --TLS--> terminator: main.crt, prove.crt, clients.crt, crl.pem --mqtt.sock-->
 *     mosquitto
 *
 * SIGHUP: leaf, key, CA file and CRLs are read again; what cannot be read leaves the old in force,
 * and terminator.log says so. SIGTERM: mosquitto ends first, then this. It listens on 127.0.0.1
 * once mosquitto answers.
 *
 * The keys of its session tickets are its own, and new at each start, unless there is a file
 * tickets.key (0600) of TERMINATOR_KEYS_SIZE random bytes: with the same one, a ticket of one
 * terminator is honoured by all.
 *
 * A client has TERMINATOR_HANDSHAKE_MS for its handshake and TERMINATOR_CONNECT_MS from there to a
 * whole CONNECT, of at most TERMINATOR_CONNECT_MAX bytes. One more than TERMINATOR_CLIENTS_MAX is
 * closed as soon as it is accepted. What one side does not take stops the reading of the other at
 * TERMINATOR_QUEUE_MAX bytes.
 */
#ifndef FLEETSIM_TERMINATOR_H
#define FLEETSIM_TERMINATOR_H

#include <stdbool.h>
#include <stdint.h>

#define TERMINATOR_LISTENERS    2
#define TERMINATOR_CLIENTS_MAX  8192u
#define TERMINATOR_CONNECT_MAX  4096u
#define TERMINATOR_QUEUE_MAX    65536u
#define TERMINATOR_HANDSHAKE_MS 10000u
#define TERMINATOR_CONNECT_MS   10000u
#define TERMINATOR_BROKER_MS    10000u /* from its start until mosquitto answers */
#define TERMINATOR_LINGER_MS    1000u  /* a client may take its time to read why it was refused */

/* What OpenSSL 3 takes for both versions of TLS: a name, and keys for AES and HMAC. */
#define TERMINATOR_KEYS_SIZE 80u

#define TERMINATOR_SOCKET \
  "mqtt.sock" /* in the folder; a path from / may be too long for a socket */

#define TERMINATOR_ROSTER "ids" /* in the folder: the client ids that are no CNs (roster.h) */

struct terminator_config {
  const char *folder; /* becomes the working directory; all files are in it, but .. */
  const char *keys;   /* .. *.key, which are here, by a path from /; NULL: there too */
  uint16_t port[TERMINATOR_LISTENERS]; /* main, prove */
  uint8_t tls_min;                     /* 12 or 13 */
  /* clients are checked against crl.pem, which must be there at the start */
  bool crl;
  bool roster;                       /* there is a list of client ids */
  const char *operator_name;         /* CN that may use any client id; NULL: nobody */
  const char *mosquitto;             /* absolute path */
  uint32_t handshake_ms, connect_ms; /* 0: as above */
};

/* Runs until SIGTERM or until mosquitto ends; an exit code of base/error.h. What stops it from
 * starting is written to stderr as mosquitto would: "Error: ...". */
int terminator_run(const struct terminator_config *config);

#endif

/* What careless makes of a server's certificate: strict as a careful client of OpenSSL is, but for
   the checks that it was told to skip. Each of them can be lacking without any other. */
#ifndef CARELESS_JUDGE_H
#define CARELESS_JUDGE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

enum judge_check {
  JUDGE_TRUST = 1 << 0,       /* the chain ends at an anchor of ours */
  JUDGE_NAME = 1 << 1,        /* it is the host that was asked for; a CN never counts */
  JUDGE_TIME = 1 << 2,        /* every certificate is in its time */
  JUDGE_USAGE = 1 << 3,       /* the leaf is for servers (EKU), its key for signatures (KU) */
  JUDGE_ISSUER = 1 << 4,      /* who signs is a CA, may sign, and not more CAs below than allowed */
  JUDGE_SIGNATURE = 1 << 5,   /* the signatures on certificates are right */
  JUDGE_STRENGTH = 1 << 6,    /* keys, hashes, groups and ciphers of 112 bits and more */
  JUDGE_EXTENSION = 1 << 7,   /* no critical extension that is not understood */
  JUDGE_CONSTRAINTS = 1 << 8, /* name constraints of CAs */
  JUDGE_VERSION = 1 << 9,     /* TLS 1.2 and newer */
  JUDGE_POSSESSION = 1 << 10, /* the server's signature on the handshake: it has the leaf's key */
  JUDGE_ALL = 1 << 11         /* SSL_VERIFY_NONE: nothing above but possession */
};

/* The check of that name, or 0. "chain" is another name of "trust". */
unsigned judge_check_named(const char *name);

struct judge {
  unsigned skips; /* of enum judge_check */
  const char *host;
  const char *anchors; /* a PEM file */
  const char *pin;     /* a PEM file: the one anchor, CA or not, in place of the others; or NULL */
  int least_tls, most_tls;
  char said[256]; /* why the server was refused, "" if it was not */
};

/* A context for one connection of that judge, who must outlive it. NULL: `said` tells why. */
SSL_CTX *judge_context(struct judge *judge);

/* Writes the certificate above the leaf, as it was sent, to a PEM file. 0, or -1. */
int judge_keep_issuer(SSL *ssl, const char *path);

/* The host, for SNI and for the check of the name. 0, or -1. */
int judge_expect(struct judge *judge, SSL *ssl);

#endif

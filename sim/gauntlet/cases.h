/* What a hostile server does to a client, case by case, as certs/chains.txt and certs/manners.txt
 * tell it: each case with everything it inherits filled in. certs/README.md is the format.
 */
#ifndef FLEETSIM_GAUNTLET_CASES_H
#define FLEETSIM_GAUNTLET_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gauntlet/script.h"

#define CASES_MAX             512
#define CASE_CERTIFICATES_MAX 24
#define CASE_NAMES_MAX        24
#define CASE_NAME_SIZE        32
#define CASE_ID_SIZE          96
#define CASE_FLAWS_MAX        4

/* As written; what a word means is the mint's business. "" is what the file does not say. */
struct case_certificate {
  char name[CASE_NAME_SIZE];
  char issuer[CASE_NAME_SIZE]; /* "": self-signed */
  char key_of[CASE_NAME_SIZE]; /* "": a key of its own */
  char cn[64], key[16], hash[16], from[16], to[16], ca[16], pathlen[8], ku[64], eku[64], san[128],
      extension[32];
  char damage[16], version[4];
};

struct case_names {
  size_t count;
  char name[CASE_NAMES_MAX][CASE_NAME_SIZE];
};

enum case_layer { CASE_TLS, CASE_MQTT, CASE_HTTPS };

/* What any careful client does, whatever its library. */
enum case_demand { CASE_EITHER, CASE_REFUSE, CASE_ACCEPT };

enum case_severity { CASE_LOW, CASE_MEDIUM, CASE_HIGH };

/* What the server has against the client's certificate: the alert that it ends the handshake with, and
 * in TLS 1.3 the client's handshake is over by then. */
enum case_refusal {
  CASE_REFUSES_NONE,
  CASE_REFUSES_UNKNOWN,
  CASE_REFUSES_EXPIRED,
  CASE_REFUSES_REVOKED
};

/* symbol, word: the check that a client lacks who is fooled */
#define CASE_FLAWS(X)           \
  X(TRUST, "trust")             \
  X(NAME, "name")               \
  X(TIME, "time")               \
  X(USAGE, "usage")             \
  X(ISSUER, "issuer")           \
  X(SIGNATURE, "signature")     \
  X(POSSESSION, "possession")   \
  X(STRENGTH, "strength")       \
  X(EXTENSION, "extension")     \
  X(CONSTRAINTS, "constraints") \
  X(VERSION, "version")         \
  X(REVOCATION, "revocation")   \
  X(INTEGRITY, "integrity")     \
  X(ORDER, "order")             \
  X(DEADLINE, "deadline")       \
  X(FLOOD, "flood")             \
  X(MQTT, "mqtt")               \
  X(DOWNLOAD, "download")

enum case_flaw {
#define X(symbol, word) CASE_FLAW_##symbol,
  CASE_FLAWS(X)
#undef X
      CASE_FLAW_COUNT
};

struct gauntlet_case {
  int line; /* of `case` in its file */
  char name[CASE_ID_SIZE];
  char id[CASE_ID_SIZE]; /* the name as one word: letters and digits, parted by '-' */
  char why[512];
  char policy[512]; /* "": the verdict is the one that everybody expects */
  char reference[160];
  enum case_demand clients;
  enum case_severity severity;
  unsigned flaws; /* a bit each of enum case_flaw: who is fooled lacks all of them */
  bool control;   /* a client that does not get in here proves nothing elsewhere */

  size_t certificate_count;
  struct case_certificate certificate[CASE_CERTIFICATES_MAX];
  struct case_names trusts, sends;
  char signs_with[CASE_NAME_SIZE]; /* whose key the server really has; "": that of what it sends */
  char host[128];
  int64_t clock_unix_s;
  bool tls10, tls11, tls12, tls13;              /* to be run in these */
  char suites[160], suites13[160], groups[128]; /* OpenSSL's notation; "": its defaults */
  unsigned dh_bits;                             /* 0: as OpenSSL chooses */
  bool asks_not;                                /* for no client certificate */
  enum case_refusal refuses;                    /* what it has against the client's */

  enum case_layer layer;
  uint8_t mqtt_version; /* 4 or 5: of clients that speak it alone; 0: of both */
  bool has_wire, has_talk;
  struct script wire; /* on the connection */
  struct script talk; /* inside TLS, of `layer` */

  char expect[64], expect12[64]; /* of the built-in client; expect12 "": as expect */
  bool has_flags;
  uint32_t flags;
};

struct cases {
  struct gauntlet_case defaults;
  size_t count;
  struct gauntlet_case *item[CASES_MAX];
};

/* Parses the text. NULL, or where and why it cannot be read, in `why`. To be freed. */
struct cases *cases_parse(const char *text, char *why, size_t why_size);
struct cases *cases_load(const char *path, char *why, size_t why_size);

/* Adds what stands in another file, under the same defaults. 0, or -1 with a sentence, and some of
 * them may be there. */
int cases_add(struct cases *cases, const char *path, char *why, size_t why_size);
void cases_free(struct cases *cases);

/* By id or name; NULL. */
const struct gauntlet_case *cases_find(const struct cases *cases, const char *id);

/* Whether a case is meant by its id, its name, or a pattern of ids as a shell has them: "leaf-*". */
bool cases_match(const struct gauntlet_case *c, const char *text);

/* Index of a certificate by name, or -1. */
int case_find(const struct gauntlet_case *c, const char *name);

/* "2026", "2026-06" or "2026-06-01" as midnight UTC; -1 when it is none of these. */
int case_date(const char *text, int64_t *unix_s);

const char *case_flaw_word(enum case_flaw flaw);
const char *case_severity_word(enum case_severity severity);
const char *case_layer_word(enum case_layer layer);
const char *case_demand_word(enum case_demand demand);

#endif

/* Certificates of a trace: lines of text instead of DER, so that no cryptography is needed and
 * every file of a run can be read.
 *
 *     KIND NAME SERIAL ISSUER VALIDITY [HOST ...]
 *     leaf localhost 12 A-brokers valid localhost      ca A-brokers 3 A valid      ca A 9 B expired
 *     crl ISSUER LAST-SECOND SERIAL ...
 *
 * Roots are known by name. A serial is of one certificate in the whole run. */
#ifndef FLEETSIM_TRACE_PAPERS_H
#define FLEETSIM_TRACE_PAPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAPERS_LINE 160
#define PAPERS_MAX  16

struct paper {
  char line[PAPERS_LINE]; /* as it stands */
  char kind[8], name[40], issuer[40], validity[16], hosts[PAPERS_LINE];
  unsigned serial;
};

struct papers {
  size_t count;
  struct paper of[PAPERS_MAX];
};

enum papers_verdict {
  PAPERS_GOOD,
  PAPERS_NOT_TRUSTED,
  PAPERS_REVOKED,
  PAPERS_EXPIRED,
  PAPERS_NAME,
  PAPERS_CRL /* there is no list where there must be one, or it is over */
};

struct papers_question {
  const struct papers *chain;   /* leaf first */
  const struct papers *anchors; /* their names; a root's paper is "root NAME" */
  const struct papers *lists;   /* NULL: nobody looks */
  bool lists_required;          /* of every issuer, and not over at unix_s */
  const char *host;             /* NULL: any */
  int64_t unix_s;
};

/* Reads lines; what does not look like a paper is left out. */
void papers_read(const char *text, size_t size, struct papers *out);

/* The end of the chain: the name of the anchor, where it is good. */
enum papers_verdict papers_judge(const struct papers_question *question, char anchor[40]);

bool papers_hold(const struct papers *papers, const char *kind, const char *name);

/* 32 bytes that stand for the SHA-256 of these; and of bytes that come one after the other. */
struct papers_hash {
  uint64_t mark[4];
};
void papers_hash_begin(struct papers_hash *hash);
void papers_hash_add(struct papers_hash *hash, const void *data, size_t size);
void papers_hash_end(const struct papers_hash *hash, uint8_t out[32]);
void papers_hash(const void *data, size_t size, uint8_t out[32]);

#endif

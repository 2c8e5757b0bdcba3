/* certs/chains.txt as structs: each case of the certificate matrix with everything it inherits
   filled in. */
#ifndef CHAIN_CASES_H
#define CHAIN_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_CASES_MAX        128
#define CHAIN_CERTIFICATES_MAX 24
#define CHAIN_NAMES_MAX        24
#define CHAIN_NAME_SIZE        32

/* As written; what a word means is the mint's business. "" is what the file does not say. */
struct chain_certificate {
  char name[CHAIN_NAME_SIZE];
  char issuer[CHAIN_NAME_SIZE]; /* "": self-signed */
  char key_of[CHAIN_NAME_SIZE]; /* "": a key of its own */
  char cn[64], key[16], hash[16], from[16], to[16], ca[16], pathlen[8], ku[64], eku[64], san[128],
      extension[32];
  char damage[16];
};

struct chain_names {
  size_t count;
  char name[CHAIN_NAMES_MAX][CHAIN_NAME_SIZE];
};

struct chain_case {
  int line; /* of `case` in the file */
  char name[128];
  char why[512];
  char policy[512]; /* "": the verdict is the one that everybody expects */
  size_t certificate_count;
  struct chain_certificate certificate[CHAIN_CERTIFICATES_MAX];
  struct chain_names trusts, sends;
  char host[128];
  int64_t clock_unix_s;
  bool tls12, tls13;
  char expect[64], expect12[64]; /* expect12 "": as expect */
  bool has_flags;
  uint32_t flags;
};

struct chain_cases {
  size_t count;
  struct chain_case item[CHAIN_CASES_MAX];
};

/* Parses the text. NULL, or where and why it cannot be read, in `why`. The result is malloc'd. */
struct chain_cases *chain_cases_parse(const char *text, char *why, size_t why_size);
struct chain_cases *chain_cases_load(const char *path, char *why, size_t why_size);

/* Index of a certificate by name, or -1. */
int chain_case_find(const struct chain_case *c, const char *name);

/* "2026", "2026-06" or "2026-06-01" as midnight UTC; -1 when it is none of these. */
int chain_date(const char *text, int64_t *unix_s);

#endif

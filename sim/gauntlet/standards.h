/* Which clauses of which standards speak of a check that a client lacks, as certs/standards.txt tells
 * it. certs/README.md is the format.
 */
#ifndef FLEETSIM_GAUNTLET_STANDARDS_H
#define FLEETSIM_GAUNTLET_STANDARDS_H

#include <stddef.h>

#include "gauntlet/cases.h"

#define STANDARDS_CLAUSES_MAX 16 /* of one flaw word or layer */

/* symbol, key in the file, title */
#define STANDARDS_BODIES(X)                                                        \
  X(ETSI, "etsi", "ETSI EN 303 645 V2.1.1 (2020-06), V3.1.3 (2024-09)")            \
  X(CRA, "cra", "Regulation (EU) 2024/2847 (Cyber Resilience Act), Annex I")       \
  X(MDC, "mdc", "Georgiev et al., The Most Dangerous Code in the World, CCS 2012") \
  X(CWE, "cwe", "Common Weakness Enumeration")                                     \
  X(ISVS, "isvs", "OWASP IoT Security Verification Standard 1.0")

enum standards_body {
#define X(symbol, key, title) STANDARDS_##symbol,
  STANDARDS_BODIES(X)
#undef X
      STANDARDS_BODY_COUNT
};

struct standards_clause {
  enum standards_body body;
  char clause[40];    /* as that standard numbers it */
  char sentence[160]; /* what it has to do with the check; ours */
};

struct standards_block {
  size_t count; /* 0: the file has none of that word */
  struct standards_clause clause[STANDARDS_CLAUSES_MAX];
};

struct standards {
  struct standards_block flaw[CASE_FLAW_COUNT];
  struct standards_block layer[CASE_HTTPS + 1];
};

/* NULL, or where and why it cannot be read, in `why`. The result is malloc'd: free it. */
struct standards *standards_parse(const char *text, char *why, size_t why_size);
struct standards *standards_load(const char *path, char *why, size_t why_size);

/* The clauses of a case: those of its flaw words, then those of its layer; what two of them have in
 * common stands there once, with the sentence of the first. Returns how many there are; `out` gets no
 * more than `room` of them. */
size_t standards_of(const struct standards *standards, const struct gauntlet_case *c,
                    const struct standards_clause **out, size_t room);

const char *standards_key(enum standards_body body);
const char *standards_title(enum standards_body body);

#endif

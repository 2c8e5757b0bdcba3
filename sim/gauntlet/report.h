/* What a gauntlet has shown of one client: every trial with its verdict, and the facts of its TLS. */
#ifndef FLEETSIM_GAUNTLET_REPORT_H
#define FLEETSIM_GAUNTLET_REPORT_H

#include "base/error.h"
#include "gauntlet/observation.h"

struct trial_result {
  const struct gauntlet_case *c;
  uint8_t tls; /* 10 to 13: the version that the server spoke; 0: none was reached */
  enum verdict verdict;
  enum conduct conduct;
  char why[320]; /* what was seen, and what of it counts: one sentence */
  struct observation seen;
};

struct report {
  const char *target;  /* "self", "exec", "listen" */
  const char *command; /* of exec; NULL */
  char client[128];    /* what was tried, as a reader calls it */
  int64_t started_unix_s;
  double duration_s;
  bool interrupted;
  size_t count;
  struct trial_result *result; /* in the order of the files, and of TLS versions within a case */
};

/* Of all trials, by severity of the case. */
struct report_tally {
  unsigned of[VERDICT_COUNT][CASE_HIGH + 1];
  unsigned trials;
};

void report_tally(const struct report *report, struct report_tally *out);

/* 0 to 100: what part of the trials that were judged (PASS, WARN, FAIL) passed, each weighed by its
 * severity (high 10, medium 3, low 1); -1: none was. */
int report_score(const struct report *report);

/* EXIT_CODE_FAIL where a case of high severity was failed, SETUP where nothing was proven, else
 * PASS; INTERRUPTED. */
enum exit_code report_exit_code(const struct report *report);

#endif

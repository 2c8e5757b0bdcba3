/* What a gauntlet has shown of one client: every trial with its verdict, and the facts of its TLS. */
#ifndef FLEETSIM_GAUNTLET_REPORT_H
#define FLEETSIM_GAUNTLET_REPORT_H

#include "base/error.h"
#include "gauntlet/observation.h"

struct standards; /* standards.h */

struct trial_result {
  const struct gauntlet_case *c;
  uint8_t tls; /* 10 to 13: the version that the server spoke; 0: none was reached */
  enum verdict verdict;
  enum conduct conduct;
  uint8_t tries; /* how often it was tried: again where nothing else was under way */
  char why[320]; /* what was seen, and what of it counts: one sentence */
  struct observation seen;
};

struct report {
  const char *target;   /* "self", "exec", "listen" */
  const char *command;  /* of exec; NULL */
  const char *protocol; /* that the client speaks: "mqtt", "https", "both"; NULL: not told */
  char client[128];     /* what was tried, as a reader calls it */
  int64_t started_unix_s;
  double duration_s;
  bool interrupted;
  size_t count;
  struct trial_result *result; /* in the order of the files, and of TLS versions within a case */
  const char *version;         /* of fleetsim; NULL: not told */
  const struct standards *standards; /* that cases are mapped to; NULL: to none */
};

/* Of all trials, by severity of the case. */
struct report_tally {
  unsigned of[VERDICT_COUNT][CASE_HIGH + 1];
  unsigned trials;
};

void report_tally(const struct report *report, struct report_tally *out);

/* Whether a trial shows anything: PASS, WARN, FAIL. */
bool report_judged(const struct trial_result *trial);

/* Whether the client let in whom it should have refused. */
bool report_fooled(const struct trial_result *trial);

/* The checks that the client has shown by it to lack: a bit each of enum case_flaw. Who failed
 * otherwise, as by ending with another error than it should, lacks none. */
unsigned report_lacking(const struct trial_result *trial);

/* How often it lacked one check, of the judged trials that are about it. `partly`: it refused where that
 * check alone finds the lie, so that it has the check, with holes. */
struct report_check {
  unsigned failed, judged;
  bool partly;
};

void report_check(const struct report *report, enum case_flaw flaw, struct report_check *out);

/* Trials that were judged and that any careful client refuses; those of them that it believed, and
 * those that it believed as its owner decided (WARN). */
struct report_lies {
  unsigned told, believed, allowed;
  unsigned told_of[CASE_HIGH + 1], believed_of[CASE_HIGH + 1], allowed_of[CASE_HIGH + 1];
};

void report_lies(const struct report *report, struct report_lies *out);

/* Whether it was let in where it should be, as far as that was tried, and some other trial was
 * judged: who refuses everybody shows nothing by that. */
bool report_proven(const struct report *report);

/* 0 to 100: what part of the trials that were judged (PASS, WARN, FAIL) passed, each weighed by its
 * severity (high 10, medium 3, low 1); -1: nothing is proven. */
int report_score(const struct report *report);

/* What follows for the owner where a client lacks this check: a part of a sentence. */
const char *report_flaw_sentence(enum case_flaw flaw);

/* What the owner must know, in one sentence without its full stop: how many lies were believed, of what
 * severity, which is why it is a pass or none, and what follows from the worst of them; or why nothing
 * is shown. And how many trials came to nothing. */
void report_headline(const struct report *report, char *out, size_t size);

/* Trials of high severity that were to show a refusal and did not come to it: how many, and the first
 * (NULL: none). */
const struct trial_result *report_missing(const struct report *report, unsigned *count);

/* EXIT_CODE_FAIL where a case of high severity was failed; SETUP where nothing was proven, or where
 * one of high severity was not shown, as a verdict on the rest is none on that; else PASS;
 * INTERRUPTED. */
enum exit_code report_exit_code(const struct report *report);

#endif

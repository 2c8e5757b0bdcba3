/* What the trials of a report add up to: counts, a score, an exit code. A client that a sound
 * server did not get through to has shown nothing by refusing the others; but whom it told what was
 * for its broker alone is shown all the same. */
#include "gauntlet/report.h"

#include <string.h>

static const unsigned weights[CASE_HIGH + 1] = {
    [CASE_LOW] = 1, [CASE_MEDIUM] = 3, [CASE_HIGH] = 10};

void report_tally(const struct report *report, struct report_tally *out)
{
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    out->of[trial->verdict][trial->c->severity]++;
    out->trials++;
  }
}

bool report_judged(const struct trial_result *trial)
{
  return trial->verdict == VERDICT_PASS || trial->verdict == VERDICT_FAIL ||
         trial->verdict == VERDICT_WARN;
}

bool report_fooled(const struct trial_result *trial)
{
  return trial->verdict == VERDICT_FAIL && trial->conduct == CONDUCT_ACCEPTED &&
         trial->c->clients != CASE_ACCEPT && !trial->c->control;
}

unsigned report_lacking(const struct trial_result *trial)
{
  const unsigned patience = 1u << CASE_FLAW_DEADLINE | 1u << CASE_FLAW_FLOOD;
  if (report_fooled(trial)) return trial->c->flaws;
  bool hung = trial->verdict == VERDICT_FAIL && trial->conduct == CONDUCT_HUNG;
  return hung ? trial->c->flaws & patience : 0;
}

void report_check(const struct report *report, enum case_flaw flaw, struct report_check *out)
{
  const unsigned bit = 1u << flaw;
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    if ((trial->c->flaws & bit) == 0 || !report_judged(trial)) continue;
    out->judged++;
    out->failed += (report_lacking(trial) & bit) != 0;
    out->partly = out->partly || (trial->c->flaws == bit && trial->verdict == VERDICT_PASS &&
                                  trial->conduct == CONDUCT_REFUSED);
  }
}

/* Where anything does for any client, a lie is only what this one should have known. */
static bool is_lie(const struct trial_result *trial)
{
  return report_judged(trial) && !trial->c->control &&
         (trial->c->clients == CASE_REFUSE || report_fooled(trial));
}

void report_lies(const struct report *report, struct report_lies *out)
{
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    bool lie = is_lie(trial);
    out->told_of[trial->c->severity] += lie;
    out->believed_of[trial->c->severity] += report_fooled(trial);
    out->allowed_of[trial->c->severity] +=
        lie && trial->verdict == VERDICT_WARN && trial->conduct == CONDUCT_ACCEPTED;
  }
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++) {
    out->told += out->told_of[s];
    out->believed += out->believed_of[s];
    out->allowed += out->allowed_of[s];
  }
}

/* Whether a sound server got through, in one version at least, or none was tried. */
static bool is_let_in(const struct report *report)
{
  bool tried = false;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    if (!trial->c->control) continue;
    if (trial->verdict == VERDICT_PASS) return true;
    tried = true;
  }
  return !tried;
}

int report_score(const struct report *report)
{
  struct report_tally tally;
  unsigned long passed = 0, judged = 0;
  report_tally(report, &tally);
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++) {
    unsigned pass = tally.of[VERDICT_PASS][s];
    passed += (unsigned long) weights[s] * pass;
    judged +=
        (unsigned long) weights[s] * (pass + tally.of[VERDICT_FAIL][s] + tally.of[VERDICT_WARN][s]);
  }
  if (judged == 0 || !report_proven(report)) return -1;
  return (int) (100 * passed / judged); /* 100: all of them */
}

bool report_proven(const struct report *report)
{
  for (size_t i = 0; i < report->count; i++)
    if (report_judged(&report->result[i]) && !report->result[i].c->control)
      return is_let_in(report);
  return false;
}

const struct trial_result *report_missing(const struct report *report, unsigned *count)
{
  const struct trial_result *first = NULL;
  *count = 0;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    bool missing = trial->verdict == VERDICT_NOT_SHOWN && trial->c->severity == CASE_HIGH &&
                   trial->c->clients == CASE_REFUSE;
    if (missing && first == NULL) first = trial;
    *count += missing;
  }
  return first;
}

enum exit_code report_exit_code(const struct report *report)
{
  unsigned missing;
  bool let_in = is_let_in(report);
  if (report->interrupted) return EXIT_CODE_INTERRUPTED;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    if (trial->verdict == VERDICT_FAIL && trial->c->severity == CASE_HIGH &&
        (let_in || report_fooled(trial)))
      return EXIT_CODE_FAIL;
  }
  bool whole = report_missing(report, &missing) == NULL;
  return whole && report_proven(report) ? EXIT_CODE_PASS : EXIT_CODE_SETUP;
}

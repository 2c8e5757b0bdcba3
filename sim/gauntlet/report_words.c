/* The one sentence that a report begins with. It names the worst of what a client lacks: what follows
 * from it where the check is not there at all, else the case that found the hole. */
#include "gauntlet/report.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const flaw_sentences[CASE_FLAW_COUNT] = {
    [CASE_FLAW_TRUST] = "anybody who makes a certificate himself can be your broker",
    [CASE_FLAW_NAME] = "anybody with a certificate for another name can be your broker",
    [CASE_FLAW_TIME] = "whoever finds the key of an expired certificate can be your broker",
    [CASE_FLAW_USAGE] =
        "whoever opens one of your devices can be your broker, with its certificate",
    [CASE_FLAW_ISSUER] = "whoever has any certificate of your CA can issue one for your broker",
    [CASE_FLAW_SIGNATURE] = "anybody can write a certificate for your broker: nobody looks at who "
                            "signed it",
    [CASE_FLAW_POSSESSION] = "anybody can be your broker with a copy of its certificate, which is "
                             "public, and without its key",
    [CASE_FLAW_STRENGTH] = "whoever can break a short key or an old hash can be your broker",
    [CASE_FLAW_EXTENSION] = "a certificate with a restriction that the client does not know is "
                            "taken as if it had none",
    [CASE_FLAW_CONSTRAINTS] = "a CA that may sign for other names alone can be your broker",
    [CASE_FLAW_VERSION] = "a man in the middle can have it speak a TLS or a cipher that is broken",
    [CASE_FLAW_REVOCATION] =
        "whoever stole a key can be your broker, also when you have revoked it",
    [CASE_FLAW_INTEGRITY] = "a man in the middle can change what your broker says",
    [CASE_FLAW_ORDER] = "a man in the middle can leave out parts of the handshake, and with them "
                        "its checks",
    [CASE_FLAW_DEADLINE] = "a server that says nothing can hold your device for good",
    [CASE_FLAW_FLOOD] = "a server that never stops talking can hold your device for good, or fill "
                        "its memory",
    [CASE_FLAW_MQTT] = "a broker that does not keep to MQTT is obeyed all the same",
    [CASE_FLAW_DOWNLOAD] = "whoever is on the way can hand your device another file than yours",
};

const char *report_flaw_sentence(enum case_flaw flaw)
{
  return flaw_sentences[flaw];
}

static bool has_failed(const struct trial_result *trial, bool fooled)
{
  return trial->verdict == VERDICT_FAIL && report_fooled(trial) == fooled;
}

static unsigned first_flaw(unsigned flaws)
{
  unsigned flaw = 0;
  while (flaw < CASE_FLAW_COUNT && (flaws & 1u << flaw) == 0) flaw++;
  return flaw;
}

/* What a check that is lacking lets through; CASE_FLAW_COUNT: none is lacking throughout by what this
 * trial shows. A check that finds other lies has a hole, and no more can be said than where. */
static unsigned lacking_throughout(const struct report *report, const struct trial_result *trial)
{
  struct report_check check = {.partly = true};
  unsigned flaw = first_flaw(report_lacking(trial));
  if (flaw < CASE_FLAW_COUNT) report_check(report, (enum case_flaw) flaw, &check);
  return check.partly ? CASE_FLAW_COUNT : flaw;
}

/* The severest first; of equals a crash, then those that say what follows, and of them the check that
 * opens the most. */
static unsigned weight_of(const struct report *report, const struct trial_result *trial)
{
  return 1 + 100 * (unsigned) trial->c->severity + (trial->seen.sanitizer ? 50 : 0) +
         CASE_FLAW_COUNT - lacking_throughout(report, trial);
}

/* Of those that fooled it, or of those that it failed otherwise; NULL: there is none. */
static const struct trial_result *worst_of(const struct report *report, bool fooled)
{
  const struct trial_result *worst = NULL;
  unsigned most = 0;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    unsigned weight = has_failed(trial, fooled) ? weight_of(report, trial) : 0;
    if (weight <= most) continue;
    most = weight;
    worst = trial;
  }
  return worst;
}

/* What follows from a trial that was failed, where anything does for sure; else NULL. */
static const char *consequence_of(const struct report *report, const struct trial_result *trial)
{
  unsigned flaw = lacking_throughout(report, trial);
  if (flaw < CASE_FLAW_COUNT) return flaw_sentences[flaw];
  if (trial->seen.sanitizer) return "a server can crash your device by what it sends";
  if (trial->c->clients == CASE_ACCEPT && trial->conduct != CONDUCT_ACCEPTED)
    return "a sound server was turned away, as yours may be";
  return NULL;
}

/* Behind the count of those that were failed: ": SENTENCE", or which case was the worst. */
static const char *put_worst(const struct report *report, const struct trial_result *trial,
                             unsigned count, char out[400])
{
  const char *consequence = consequence_of(report, trial);
  snprintf(out, 400, "%s%s", consequence != NULL || count == 1 ? ": " : ", the worst of them: ",
           consequence != NULL ? consequence : trial->c->name);
  return out;
}

/* --- Counts ----------------------------------------------------------------------------------- */

/* "1 high, 2 low", of counts by severity; "": all are 0. Returns `out`. */
static const char *put_severities(const unsigned of[CASE_HIGH + 1], char out[64])
{
  size_t used = 0;
  out[0] = '\0';
  for (int s = CASE_HIGH; s >= CASE_LOW; s--)
    if (of[s] > 0)
      used += (size_t) snprintf(out + used, 64 - used, "%s%u %s", used > 0 ? ", " : "", of[s],
                                case_severity_word((enum case_severity) s));
  return out;
}

/* "; trials not shown: 1 high, 2 low; skipped: 1 high": what the rest of the sentence is not about. */
static void put_open(const struct report_tally *tally, bool with_not_shown, char out[200])
{
  static const enum verdict verdicts[] = {VERDICT_NOT_SHOWN, VERDICT_SKIPPED};
  static const char *const words[] = {"not shown", "skipped"};
  size_t used = 0;
  out[0] = '\0';
  for (size_t v = with_not_shown ? 0 : 1; v < 2; v++) {
    char by[64];
    if (put_severities(tally->of[verdicts[v]], by)[0] == '\0') continue;
    used += (size_t) snprintf(out + used, 200 - used, "; %s%s: %s", used > 0 ? "" : "trials ",
                              words[v], by);
  }
}

static unsigned count_of(const struct report_tally *tally, enum verdict verdict)
{
  unsigned count = 0;
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++) count += tally->of[verdict][s];
  return count;
}

/* --- The sentence ----------------------------------------------------------------------------- */

/* Of the control case, if it was not passed; else of the first trial that shows nothing. */
static const char *why_unproven(const struct report *report)
{
  const struct trial_result *first = NULL;
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *trial = &report->result[i];
    if (trial->c->control && trial->verdict != VERDICT_PASS && trial->why[0] != '\0')
      return trial->why;
    if (first == NULL && !report_judged(trial)) first = trial;
  }
  return first != NULL && first->why[0] != '\0' ? first->why : "no trial was made that shows any";
}

static const char *were(unsigned count)
{
  return count == 1 ? "was" : "were";
}

/* "2 of 10 lies were": what the client's owner decided has no part in it. */
static void tell_believed(const struct report_lies *lies, const char *worst, char *out, size_t size)
{
  char by[64];
  if (lies->believed_of[CASE_HIGH] > 0)
    snprintf(out, size, "%u of %u lies %s believed, %u of high severity%s", lies->believed,
             lies->told, were(lies->believed), lies->believed_of[CASE_HIGH], worst);
  else
    snprintf(out, size, "no lie of high severity was believed, but %u of %u lies %s (%s)%s",
             lies->believed, lies->told, were(lies->believed),
             put_severities(lies->believed_of, by), worst);
}

/* None was believed, or none but those that the client's owner lets pass. */
static void tell_none(const struct report_lies *lies, char *out, size_t size)
{
  char by[64];
  put_severities(lies->allowed_of, by);
  if (lies->allowed_of[CASE_HIGH] > 0)
    snprintf(out, size, "%u of %u lies %s believed, as the client's owner decided (%s)",
             lies->allowed, lies->told, were(lies->allowed), by);
  else if (lies->allowed > 0)
    snprintf(out, size,
             "no lie of high severity was believed; %u of %u lies %s, as the client's owner "
             "decided (%s)",
             lies->allowed, lies->told, were(lies->allowed), by);
  else if (lies->told > 1)
    snprintf(out, size, "none of %u lies was believed", lies->told);
  else
    snprintf(out, size,
             lies->told == 1 ? "the one lie was not believed"
                             : "no lie was told that every careful client refuses");
}

/* Otherwise than by believing: `none` is what was believed. */
static void tell_failed(const struct report *report, const char *none,
                        const struct trial_result *failed, char *out, size_t size)
{
  char worst[400], by[64];
  struct report_tally tally;
  report_tally(report, &tally);
  unsigned fails = count_of(&tally, VERDICT_FAIL);
  snprintf(out, size, "%s, but %u of %zu trials %s failed (%s)%s", none, fails, report->count,
           were(fails), put_severities(tally.of[VERDICT_FAIL], by),
           put_worst(report, failed, fails, worst));
}

/* Than all that was believed: then it is what the exit code says. */
static bool is_graver(const struct trial_result *failed, const struct report_lies *lies)
{
  return failed->c->severity == CASE_HIGH && lies->believed_of[CASE_HIGH] == 0;
}

static void tell_headline(const struct report *report, char *out, size_t size)
{
  char rest[400], none[200], open[200];
  struct report_lies lies;
  struct report_tally tally;
  unsigned missing;
  const struct trial_result *fooled = worst_of(report, true), *failed = worst_of(report, false);
  report_lies(report, &lies);
  report_tally(report, &tally);
  tell_none(&lies, none, sizeof none);
  bool incomplete = report_missing(report, &missing) != NULL;
  if (fooled != NULL && failed != NULL && is_graver(failed, &lies))
    tell_failed(report, "no lie of high severity was believed", failed, out, size);
  else if (fooled != NULL)
    tell_believed(&lies, put_worst(report, fooled, lies.believed, rest), out, size);
  else if (!report_proven(report))
    snprintf(out, size, "nothing is shown: %s", why_unproven(report));
  else if (incomplete)
    snprintf(out, size, "%s, but %u trial%s of high severity did not come to %s", none, missing,
             missing == 1 ? "" : "s", missing == 1 ? "it" : "theirs");
  else if (failed != NULL)
    tell_failed(report, none, failed, out, size);
  else
    snprintf(out, size, "%s", none);
  if (fooled == NULL && !report_proven(report)) return;
  put_open(&tally, fooled != NULL || !incomplete, open);
  size_t used = strlen(out);
  snprintf(out + used, size - used, "%s", open);
}

void report_headline(const struct report *report, char *out, size_t size)
{
  char rest[512];
  tell_headline(report, rest, sizeof rest);
  snprintf(out, size, "%s%s", report->interrupted ? "interrupted before all was tried: " : "",
           rest);
  text_trim(out);
}

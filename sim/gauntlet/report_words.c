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

static unsigned count_of(const struct report *report, enum verdict verdict)
{
  unsigned count = 0;
  for (size_t i = 0; i < report->count; i++) count += report->result[i].verdict == verdict;
  return count;
}

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

static void tell_none(const struct report *report, const struct report_lies *lies, char *out,
                      size_t size)
{
  unsigned open = count_of(report, VERDICT_NOT_SHOWN);
  char rest[64] = "";
  if (open > 0)
    snprintf(rest, sizeof rest, "; %u trial%s did not come to that", open, open == 1 ? "" : "s");
  if (lies->allowed > 0)
    snprintf(out, size, "%u of %u lies %s believed, as the client's owner decided%s", lies->allowed,
             lies->told, lies->allowed == 1 ? "was" : "were", rest);
  else
    snprintf(out, size, "none of %u lies was believed%s", lies->told, rest);
}

static void tell_headline(const struct report *report, char *out, size_t size)
{
  char rest[400];
  struct report_lies lies;
  unsigned missing, fails = count_of(report, VERDICT_FAIL);
  const struct trial_result *fooled = worst_of(report, true), *failed = worst_of(report, false);
  report_lies(report, &lies);
  if (fooled != NULL)
    snprintf(out, size, "%u of %u lies %s believed%s", lies.believed, lies.told,
             lies.believed == 1 ? "was" : "were", put_worst(report, fooled, lies.believed, rest));
  else if (!report_proven(report))
    snprintf(out, size, "nothing is shown: %s", why_unproven(report));
  else if (report_missing(report, &missing) != NULL)
    snprintf(out, size, "no lie was believed, but %u trial%s of high severity did not come to %s",
             missing, missing == 1 ? "" : "s", missing == 1 ? "it" : "theirs");
  else if (failed != NULL)
    snprintf(out, size, "no lie was believed, but %u of %zu trials %s failed%s", fails,
             report->count, fails == 1 ? "was" : "were", put_worst(report, failed, fails, rest));
  else
    tell_none(report, &lies, out, size);
}

void report_headline(const struct report *report, char *out, size_t size)
{
  char rest[512];
  tell_headline(report, rest, sizeof rest);
  snprintf(out, size, "%s%s", report->interrupted ? "interrupted before all was tried: " : "",
           rest);
  text_trim(out);
}

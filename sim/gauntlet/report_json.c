/* The tree of a report. json_pack takes over what it is given and gives NULL if any of it is NULL,
 * so that want of memory anywhere ends in no tree. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/report_json.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *started_json(int64_t unix_s)
{
  char text[32];
  time_t at = (time_t) unix_s;
  struct tm utc;
  if (gmtime_r(&at, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
    return json_null();
  return json_string(text);
}

/* --- Cases and trials ------------------------------------------------------------------------- */

static json_t *flaws_of(unsigned flaws)
{
  json_t *words = json_array();
  for (unsigned f = 0; f < CASE_FLAW_COUNT; f++)
    if (flaws & 1u << f)
      words = report_json_and(words, json_string(case_flaw_word((enum case_flaw) f)));
  return words;
}

static json_t *case_json(const struct report *report, const struct gauntlet_case *c)
{
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:b, s:o}", "name", report_json_string(c->name),
      "why", report_json_string(c->why), "policy", report_json_string(c->policy), "reference",
      report_json_string(c->reference), "clients", case_demand_word(c->clients), "severity",
      case_severity_word(c->severity), "layer", case_layer_word(c->layer), "flaws",
      flaws_of(c->flaws), "control", c->control, "clauses", report_standards_of(report, c));
}

static json_t *cases_json(const struct report *report)
{
  json_t *cases = json_object();
  for (size_t i = 0; i < report->count; i++) {
    const struct gauntlet_case *c = report->result[i].c;
    if (json_object_get(cases, c->id) == NULL)
      cases = report_json_with(cases, c->id, case_json(report, c));
  }
  return cases;
}

static json_t *trial_json(const struct trial_result *trial, json_int_t hello)
{
  return json_pack("{s:s, s:o, s:i, s:s, s:s, s:b, s:o, s:o}", "case", trial->c->id, "tls",
                   report_json_tls(trial->tls), "tries", (int) trial->tries, "verdict",
                   verdict_word(trial->verdict), "conduct", conduct_word(trial->conduct), "fooled",
                   report_fooled(trial), "why", report_json_string(trial->why), "seen",
                   report_seen_json(&trial->seen, hello));
}

static json_t *trials_json(const struct report *report, const json_int_t *hello)
{
  json_t *trials = json_array();
  for (size_t i = 0; i < report->count; i++)
    trials = report_json_and(trials, trial_json(&report->result[i], hello[i]));
  return trials;
}

/* --- What they add up to ---------------------------------------------------------------------- */

static json_t *tally_json(const struct report *report)
{
  struct report_tally tally;
  report_tally(report, &tally);
  json_t *all = json_pack("{s:I}", "trials", (json_int_t) tally.trials);
  for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
    json_t *by = json_object();
    for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++)
      by = report_json_with(by, case_severity_word((enum case_severity) s),
                            json_integer(tally.of[v][s]));
    all = report_json_with(all, verdict_word(v), by);
  }
  return all;
}

/* Checks that the client was seen to lack, or to have holes in. */
static json_t *lacks_json(const struct report *report)
{
  json_t *lacks = json_array();
  for (enum case_flaw f = 0; f < CASE_FLAW_COUNT; f++) {
    struct report_check check;
    report_check(report, f, &check);
    if (check.failed == 0) continue;
    lacks = report_json_and(lacks, json_pack("{s:s, s:s, s:b, s:I, s:I}", "flaw", case_flaw_word(f),
                                             "sentence", report_flaw_sentence(f), "partly",
                                             check.partly, "failed", (json_int_t) check.failed,
                                             "judged", (json_int_t) check.judged));
  }
  return lacks;
}

/* WARN: no case of high severity was failed, but others were. */
static const char *word_of(const struct report *report)
{
  switch (report_exit_code(report)) {
  case EXIT_CODE_FAIL: return "fail";
  case EXIT_CODE_INTERRUPTED: return "interrupted";
  case EXIT_CODE_PASS: break;
  default: return "error";
  }
  for (size_t i = 0; i < report->count; i++)
    if (report->result[i].verdict == VERDICT_FAIL) return "warn";
  return "pass";
}

static json_t *lies_json(const struct report *report)
{
  struct report_lies lies;
  report_lies(report, &lies);
  json_t *by = json_object();
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++)
    by = report_json_with(by, case_severity_word((enum case_severity) s),
                          json_pack("{s:I, s:I, s:I}", "told", (json_int_t) lies.told_of[s],
                                    "believed", (json_int_t) lies.believed_of[s], "allowed",
                                    (json_int_t) lies.allowed_of[s]));
  return json_pack("{s:I, s:I, s:I, s:o}", "told", (json_int_t) lies.told, "believed",
                   (json_int_t) lies.believed, "allowed", (json_int_t) lies.allowed, "by_severity",
                   by);
}

static json_t *summary_json(const struct report *report)
{
  char message[640];
  int score = report_score(report);
  report_headline(report, message, sizeof message);
  return json_pack("{s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:o, s:o}", "schema", REPORT_SCHEMA,
                   "verdict", word_of(report), "exit_code", (int) report_exit_code(report),
                   "proven", report_proven(report), "message", report_json_string(message), "score",
                   score < 0 ? json_null() : json_integer(score), "lies", lies_json(report),
                   "tally", tally_json(report), "lacks", lacks_json(report));
}

static json_t *client_json(const struct report *report)
{
  return json_pack(
      "{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:{s:o, s:s}}", "target", report->target, "protocol",
      report_json_string(report->protocol), "command", report_command_json(report->command),
      "client", report_command_json(report->client), "started",
      started_json(report->started_unix_s), "duration_s", report_json_ms(report->duration_s),
      "interrupted", report->interrupted, "versions", "fleetsim",
      report_json_string(report->version), "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool add_all(json_t *tree, const char *key, json_t *value)
{
  return json_object_set_new(tree, key, value) == 0;
}

json_t *report_json(const struct report *report)
{
  json_int_t *hello = calloc(report->count + 1, sizeof *hello);
  if (hello == NULL) return NULL;
  json_t *tree = summary_json(report), *client = client_json(report),
         *hellos = report_hellos_json(report, hello);
  bool whole = json_object_update(tree, client) == 0 &&
               add_all(tree, "figures", report_figures_json(report)) &&
               add_all(tree, "hellos", json_incref(hellos)) &&
               add_all(tree, "standards", report_standards_json(report)) &&
               add_all(tree, "cases", cases_json(report)) &&
               add_all(tree, "trials", trials_json(report, hello));
  json_decref(client);
  json_decref(hellos);
  free(hello);
  if (whole) return tree;
  json_decref(tree);
  return NULL;
}

/* The tree behind results.json of a gauntlet: made once per report, and what everything that shows
 * one is made from, so that a report which is read back looks as it did. Its keys are only ever
 * added to.
 */
#ifndef FLEETSIM_GAUNTLET_REPORT_JSON_H
#define FLEETSIM_GAUNTLET_REPORT_JSON_H

#include <jansson.h>

#include "gauntlet/report.h"

#define REPORT_SCHEMA "fleetsim-gauntlet/1"

/* The whole tree, or NULL when memory is short. Secrets of a command line are masked. */
json_t *report_json(const struct report *report);

/* A tree of `folder`/results.json that says what it should, or NULL and a USAGE error. */
json_t *report_load(const char *folder, struct error *error);

/* NULL, or what speaks against a tree that was read, as a part of a sentence in `why`. */
const char *report_flaw_of(const json_t *tree, char *why, size_t size);

/* Whether `folder` has results of a gauntlet, be they sound or not. */
bool report_is_in(const char *folder);

/* --- Parts of the tree, each of its file; NULL: no memory ------------------------------------- */

json_t *report_seen_json(const struct observation *seen, json_int_t hello);
json_t *report_figures_json(const struct report *report);
json_t *report_command_json(const char *command); /* what may be secret in it is "***" */

/* By clause of a standard: which cases speak of it, and what came of their trials, as an array; and the
 * clauses of one case, as texts. */
json_t *report_standards_json(const struct report *report);
json_t *report_standards_of(const struct report *report, const struct gauntlet_case *c);

/* The distinct ClientHellos, as an array. `which` has room for one index a trial: -1, it sent none. */
json_t *report_hellos_json(const struct report *report, json_int_t *which);

/* Milliseconds from the last that a client had to judge by until it ended the connection; -1: it did
 * not. */
double report_gave_up_ms(const struct observation *seen);

/* --- JSON ------------------------------------------------------------------------------------- */

/* The object or array with one member more; NULL (all of it freed) where one of the two is missing. */
json_t *report_json_with(json_t *object, const char *key, json_t *value);
json_t *report_json_and(json_t *array, json_t *value);

/* Of any bytes: what is no UTF-8 becomes U+FFFD. NULL is null. */
json_t *report_json_string(const char *from);

/* Milliseconds to the microsecond; null below 0. */
json_t *report_json_ms(double ms);

/* "1.2" of 12; null of 0. */
json_t *report_json_tls(uint8_t tls);

/* What a member is, or "", 0 and false. */
const char *report_json_text(const json_t *object, const char *key);
double report_json_number(const json_t *object, const char *key);
bool report_json_is(const json_t *object, const char *key);

/* Whether a member is this text. */
bool report_json_says(const json_t *object, const char *key, const char *word);

#endif

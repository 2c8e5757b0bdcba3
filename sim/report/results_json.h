/* The tree behind results.json: made once per run, and what the summary and junit.xml are printed
 * from. Internal to sim/report. All functions live in the file of their prefix. */
#ifndef FLEETSIM_RESULTS_JSON_H
#define FLEETSIM_RESULTS_JSON_H

#include <jansson.h>

#include "report/results.h"

#define RESULTS_SCHEMA "fleetsim-results/1"

/* The tree of schema fleetsim-results/1, whole, or NULL when memory is short. */
json_t *results_json(const struct results *results);

/* results_check.c: whether something in the tree speaks against its verdict; `why` says what. */
bool results_json_contradicted(const json_t *tree, char *why, size_t size);

/* Whether the run had no back office (operator: none): what arrived is known to nobody. */
bool results_json_unheard(const json_t *tree);

/* The object or array with one member more. NULL (all of it freed) where one of the two is missing:
 * nothing vanishes.
 */
json_t *results_json_with(json_t *object, const char *key, json_t *value);
json_t *results_json_and(json_t *array, json_t *value);

/* A JSON string of any bytes: a letter that was cut at the end goes, what else is no UTF-8 becomes
   U+FFFD. */
json_t *results_json_string(const char *from);

/* An array of what the devices with these numbers are called. */
json_t *results_json_devices(const struct names *names, const uint32_t *numbers, size_t count);

/* results_ota.c: the member "ota" of the tree. */
json_t *results_ota_json(const struct results_ota *ota, const struct names *names);

/* results_expiries.c: the member "expires". */
json_t *results_expiries_json(const struct results *results);

/* results_asked.c: adds to the tree the members that say what was run and where: command, repeat, set,
   machine, brokers, and the text of the scenario. False: no memory. */
bool results_asked_add(json_t *tree, const struct results *results);

/* results_plan.c: the member "planned"; and of an array of planned expressions those that no check of
   `checks` is about. NULL: no memory. */
json_t *results_plan_json(const struct results *results);
json_t *results_plan_missed(const json_t *planned, const json_t *checks);

/* results_series.c: the members "series" and "distributions", and whether the first of a tree that may
   come from a file agrees with its metrics and failures. */
json_t *results_series_json(const struct series *series);
json_t *results_distributions_json(const struct metrics *metrics);
bool results_series_fit(const json_t *tree, char *why, size_t size);

/* Text and numbers of a tree that may come from a file: a missing or wrong member reads as "" or
   0. */
const char *results_json_text(const json_t *object, const char *key);
double results_json_number(const json_t *object, const char *key);

/* Writes `path` (JUnit's XML as CI systems read it) from the tree, and says the SHA-256 of it. */
int junit_write(const json_t *tree, const char *path, char sha256[DIGEST_TEXT],
                struct error *error);

/* results_read.c: the tree of folder/results.json that the end record beside it vouches for, or NULL: the
   file is missing, cut off, of another schema, contradicts itself, or was changed. */
json_t *results_json_load(const char *folder, struct error *error);

/* The one-screen summary. */
void summary_print(const json_t *tree, FILE *out, const struct results_extent *extent);

#endif

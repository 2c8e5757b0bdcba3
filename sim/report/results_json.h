/* The tree behind results.json: made once per run, and what the summary and junit.xml are printed from. Internal to
 * sim/report. All functions live in the file of their prefix. */
#ifndef FLEETSIM_RESULTS_JSON_H
#define FLEETSIM_RESULTS_JSON_H

#include <jansson.h>

#include "report/results.h"

#define RESULTS_SCHEMA "fleetsim-results/1"

/* The tree of schema fleetsim-results/1; NULL when memory is short. A pass that a check or the accounting contradicts
 * becomes "error". */
json_t *results_json(const struct results *results);

/* results_ota.c: the member "ota" of the tree. */
json_t *results_ota_json(const struct results_ota *ota);

/* Text and numbers of a tree that may come from a file: a missing or wrong member reads as "" or 0. */
const char *results_json_text(const json_t *object, const char *key);
double results_json_number(const json_t *object, const char *key);

/* Writes `path` (JUnit's XML as CI systems read it) from the tree. */
int junit_write(const json_t *tree, const char *path, struct error *error);

/* The one-screen summary. */
void summary_print(const json_t *tree, FILE *out, bool colour);

#endif

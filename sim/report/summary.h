/* The parts of a summary. Internal to sim/report. */
#ifndef FLEETSIM_REPORT_SUMMARY_H
#define FLEETSIM_REPORT_SUMMARY_H

#include "report/results_json.h"
#include "report/screen.h"

/* summary_figures.c */
void summary_figures(const json_t *tree, FILE *out);
void summary_revocation(const json_t *tree, FILE *out);
void summary_kind(const json_t *tree, FILE *out);
void summary_ota(const json_t *tree, FILE *out);
void summary_storms(const json_t *tree, FILE *out);
void summary_times(const json_t *tree, FILE *out);
void summary_delayed_connack(const json_t *tree, FILE *out);
void summary_timing(const json_t *tree, FILE *out);

/* " 00000a00 00000a01 ...", of the first devices; false: too long to stand beside something */
bool summary_few_names(const json_t *devices, char names[SCREEN_CELL]);

#endif

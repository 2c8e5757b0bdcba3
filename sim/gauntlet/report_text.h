/* Lines of a report on a terminal, shared by the files that print them. */
#ifndef FLEETSIM_GAUNTLET_REPORT_TEXT_H
#define FLEETSIM_GAUNTLET_REPORT_TEXT_H

#include "gauntlet/report_json.h"

/* "PASS", "FAIL", "WARN", "STOP", "NONE" */
const char *report_text_verdict(const json_t *tree);

/* That word and the sentence beside it, which goes on below itself. */
void report_text_headline(FILE *out, const char *word, const char *sentence, bool colour);

/* The text behind a label, and below itself: "  command      mosquitto_pub .." */
void report_text_labelled(FILE *out, const char *label, const char *text);

/* What is known of the client's TLS, and what its connections showed (report_text_facts.c). */
void report_text_facts(const json_t *tree, FILE *out, bool verbose);

#endif

/* Parts of report.html, of which each file puts some. */
#ifndef FLEETSIM_GAUNTLET_REPORT_HTML_H
#define FLEETSIM_GAUNTLET_REPORT_HTML_H

#include "gauntlet/report_markup.h"
#include "gauntlet/report_rows.h"

/* The text between two pieces of markup. */
void report_html_text(FILE *out, const char *before, const char *text, const char *after);

/* A verdict or a severity, in its colour. */
void report_html_tag(FILE *out, const char *word);

/* The client's TLS, and what its connections showed (report_html_facts.c). */
void report_html_facts(const json_t *tree, FILE *out);

/* By clause of a standard how its cases went (report_html_standards.c). */
void report_html_standards(const json_t *tree, FILE *out);

#endif

/* The style sheet of a gauntlet's report.html. */
#ifndef FLEETSIM_GAUNTLET_REPORT_STYLE_H
#define FLEETSIM_GAUNTLET_REPORT_STYLE_H

#include <stdio.h>

#define REPORT_STYLE_HASH 48u /* characters of a SHA-256 in base 64, with the zero */

void report_style_put(FILE *out);

/* By what a policy of the page lets this style it, and nothing else. */
void report_style_hash(char out[REPORT_STYLE_HASH]);

#endif

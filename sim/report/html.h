/* report.html, from the tree of results.json. Internal to sim/report. */
#ifndef FLEETSIM_REPORT_HTML_H
#define FLEETSIM_REPORT_HTML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define HTML_FILE "report.html"

/* The page before and after its document; both sizes are 0 in a build without uPlot. Made at build
   time by sim/report/page/embed.cmake. */
extern const unsigned char html_head[], html_tail[];
extern const size_t html_head_size, html_tail_size;

/* Whether this build has the page. */
bool html_available(void);

/* The page of a run that goes on: its document has "live": true and no results, which come to it
   otherwise. malloc'd, with a zero after it; NULL: no memory, or no page. */
char *html_empty(size_t *size);

/* Writes folder/report.html, whole or not at all. -1: a SETUP error where the build has no page. */
int html_write(const json_t *tree, const char *folder, struct error *error);

#endif

/* Files of XML and HTML, which texts are put into by report/markup.h. */
#ifndef FLEETSIM_GAUNTLET_REPORT_MARKUP_H
#define FLEETSIM_GAUNTLET_REPORT_MARKUP_H

#include <stdio.h>

#include "base/error.h"
#include "report/markup.h"

/* A file under way: in memory until it is whole. */
struct report_markup {
  FILE *out; /* NULL: no memory, nothing is to be put */
  char *text;
  size_t size;
};

void report_markup_begin(struct report_markup *page);

/* What was put so far, after which nothing more can be; NULL: no memory. Valid until its release. */
const char *report_markup_text(struct report_markup *page);
void report_markup_release(struct report_markup *page);

/* Writes it to `folder`/`name`, whole or not at all, and releases it. */
int report_markup_end(struct report_markup *page, const char *folder, const char *name,
                      struct error *error);

#endif

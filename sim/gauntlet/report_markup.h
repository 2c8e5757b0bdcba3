/* Texts of any origin in XML and HTML, as text or in an attribute. */
#ifndef FLEETSIM_GAUNTLET_REPORT_MARKUP_H
#define FLEETSIM_GAUNTLET_REPORT_MARKUP_H

#include <stdio.h>

#include "base/error.h"

/* Nothing in it opens an element or ends an attribute; control characters are spaces, what is no
   UTF-8, or no character of XML 1.0, is U+FFFD. */
void report_markup_put(FILE *out, const char *text);

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

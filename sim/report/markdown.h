/* Texts of any origin in GitHub's and GitLab's Markdown, in a paragraph or a cell of a table: they
 * stay on their line and are never taken for markup, HTML or the end of a cell. Internal to
 * sim/report. */
#ifndef FLEETSIM_REPORT_MARKDOWN_H
#define FLEETSIM_REPORT_MARKDOWN_H

#include <stdio.h>

#include "base/error.h"

/* A file under way: in memory until it is whole. */
struct markdown_page {
  FILE *out; /* NULL: no memory, nothing is to be put */
  char *text;
  size_t size;
};

void markdown_begin(struct markdown_page *page);

/* Writes it to `path`, whole or not at all, and releases it. */
int markdown_end(struct markdown_page *page, const char *path, struct error *error);

/* As plain words. What would steer the reader's program is a character reference (CommonMark 2.5),
   which ends no cell and opens no element; line breaks and control characters are spaces. */
void markdown_text(FILE *out, const char *text);

/* As code: in addition nothing in it is made a link, a mention or a picture. */
void markdown_code(FILE *out, const char *text);

/* As it is, in lines of its own: a fenced block whose fence is longer than any in the text. */
void markdown_block(FILE *out, const char *text);

#endif

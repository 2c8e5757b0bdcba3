/* Lines for people, on a screen of SCREEN_COLUMNS columns: cut between letters, and never a byte that
 * steers the terminal, as names and details come from files and brokers. Internal to sim/report. */
#ifndef FLEETSIM_REPORT_SCREEN_H
#define FLEETSIM_REPORT_SCREEN_H

#include <stddef.h>
#include <stdio.h>

#define SCREEN_COLUMNS 80
#define SCREEN_CELL    256u
#define SCREEN_TEXT    2048u

/* What can be seen of a text, cut to so many columns; what is longer ends in "...". */
void screen_put(FILE *out, const char *text, size_t columns);

/* One line of at most SCREEN_COLUMNS columns. */
void screen_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text in a column of a table: cut, or filled up with spaces. Returns `out`. */
const char *screen_cell(const char *text, size_t columns, char out[SCREEN_CELL]);

/* Whole text, broken at spaces, and between letters where a word has more than a line; every line
 * indented: what says why is never cut. */
void screen_paragraph(FILE *out, int indent, const char *text);

#endif

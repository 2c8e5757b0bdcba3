/* Text as troff's man macros take it. Internal to sim/cli. */
#ifndef FLEETSIM_CLI_ROFF_H
#define FLEETSIM_CLI_ROFF_H

#include <stddef.h>
#include <stdio.h>

/* A part of a text, to be filled: its line ends are blanks. No line of it is a request. */
void roff_part(const char *text, size_t size, FILE *out);
void roff_text(const char *text, FILE *out);

/* As paragraphs: an empty line parts them. */
void roff_paragraphs(const char *text, FILE *out);

/* Lines as they stand: commands, for instance. */
void roff_lines(const char *text, size_t size, FILE *out);

#endif

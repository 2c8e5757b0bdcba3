/* UTF-8 texts in buffers of fixed size, and in the columns of a terminal. Nothing here ever ends
   inside a letter. */
#ifndef FLEETSIM_TEXT_H
#define FLEETSIM_TEXT_H

#include <stddef.h>

/* Bytes of the UTF-8 sequence that `text` begins with (RFC 3629), 0 if it is none. Looks no further
   than its zero. */
unsigned text_letter(const char *text);

/* Takes a letter away that the end of a buffer has cut in two: what snprintf leaves. */
void text_trim(char *text);

/* Copies `from`, cut between letters to fit; returns `out`. */
char *text_copy(char *out, size_t size, const char *from);

/* Columns of a terminal that the text takes: East Asian letters and emoji two, combining marks
   none. */
size_t text_columns(const char *text);

/* Bytes of the longest beginning of `text`, at most `size` bytes, that takes at most `columns`. */
size_t text_fit(const char *text, size_t size, size_t columns);

/* Two digits of lower case a byte, and the zero: `out` has 2 * size + 1 characters. */
void text_hex(const void *bytes, size_t size, char *out);

/* A copy (malloc) in which each byte that is no UTF-8 is U+FFFD; NULL: no memory. */
char *text_mend(const char *text);

#endif

/* Lists of devices as people and spreadsheets write them: RFC 4180 ("quoted, with ""quotes"" and
 * commas"), a byte order mark, lines that end by LF, CRLF or CR, '#' comments, empty lines, spaces
 * around fields. */
#ifndef FLEETSIM_PKI_CSV_H
#define FLEETSIM_PKI_CSV_H

#include <stddef.h>

#include "base/error.h"

#define PKI_CSV_FIELDS 3

struct pki_csv {
  const char *path;
  char *text, *next;
  size_t line; /* of the record that came last, from 1 */
};

/* Reads the file. USAGE, with FILE:LINE, for text that is none: UTF-16, or a NUL in it. To be
 * closed after a success.
 */
int pki_csv_open(const char *path, struct pki_csv *out, struct error *error);
void pki_csv_close(struct pki_csv *csv);

/* At most so many records are to come. */
size_t pki_csv_lines(const struct pki_csv *csv);

/* 1 and the fields of the next record, none of them empty, valid until the file is closed; 0 at the
 * end; -1 and a sentence, without FILE:LINE, for a line that has not exactly three. */
int pki_csv_next(struct pki_csv *csv, char *field[PKI_CSV_FIELDS], struct error *error);

#endif

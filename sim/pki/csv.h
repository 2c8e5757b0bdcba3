/* Lists of devices as people and spreadsheets write them: RFC 4180 (quoted fields with "" for a
 * quote, commas and line ends in them), a byte order mark, lines that end by LF, CRLF or CR, commas
 * or semicolons (whichever the first line has first), empty lines, spaces around fields; also '#'
 * comments. A first line that names columns is a header; without one a line is 'id,key path,
 * certificate path'. */
#ifndef FLEETSIM_PKI_CSV_H
#define FLEETSIM_PKI_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define PKI_CSV_COLUMNS_MAX 64
#define PKI_CSV_NAME_MAX    64   /* bytes of a column's name */
#define PKI_CSV_CELL_MAX    4096 /* bytes of a field */

/* What a column is to an import. */
enum pki_csv_role {
  PKI_CSV_ID,
  PKI_CSV_KEY,
  PKI_CSV_CERTIFICATE,
  PKI_CSV_CHAIN, /* more certificates, behind those of CERTIFICATE */
  PKI_CSV_ROLES  /* is PKI_IMPORT_COLUMNS */
};

struct pki_csv {
  const char *path;
  char *text, *next;
  size_t line;                     /* where the record begins that came last, from 1 */
  size_t lines;                    /* before `next` */
  char separator;                  /* 0: not known yet */
  size_t columns;                  /* that the header names; 0: it has not been read, or is none */
  char *name[PKI_CSV_COLUMNS_MAX]; /* of these */
  int column[PKI_CSV_ROLES];       /* which has that role; -1: none */
  size_t bare;                     /* fields of a line where there is no header */
  bool keyless;                    /* a header need not name keys or certificates */
  size_t fields;                   /* of the record that came last */
  char *field[PKI_CSV_COLUMNS_MAX];
};

/* Reads the file. USAGE, with FILE:LINE, for text that is none: UTF-16, or a NUL in it. To be
 * closed after a success. */
int pki_csv_open(const char *path, struct pki_csv *out, struct error *error);
void pki_csv_close(struct pki_csv *csv);

/* At most so many records are to come. */
size_t pki_csv_lines(const struct pki_csv *csv);

/* Reads the header if there is one, which must be the first record. `named`, by role, says which
 * columns have it; NULL in it: one of the usual names. 0; or -1 and a sentence with FILE:LINE for a
 * header that is damaged or lacks a column that was asked for. */
int pki_csv_begin(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES], struct error *error);

/* The same of a list whose header may name neither keys nor certificates. */
int pki_csv_begin_keyless(struct pki_csv *csv, const char *const named[PKI_CSV_ROLES],
                          struct error *error);

/* The same of a list that only says what devices are called: by a column 'id' where there is a header,
 * and else one name a line. */
int pki_csv_begin_names(struct pki_csv *csv, struct error *error);

/* 1 for the next record, whose fields are valid until the file is closed; 0 at the end; -1 and a
 * sentence, without FILE:LINE, for one that has not as many fields as the header, or no three of
 * them, none empty, where there is none. */
int pki_csv_next(struct pki_csv *csv, struct error *error);

/* The record's field of that role; "" where no column has it. */
const char *pki_csv_cell(const struct pki_csv *csv, enum pki_csv_role role);

/* "id", "key" .. */
const char *pki_csv_role_name(enum pki_csv_role role);

#endif

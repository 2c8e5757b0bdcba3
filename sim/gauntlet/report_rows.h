/* Trials as a reader wants them: one line for a case that went the same way in several TLS versions.
 * What points somewhere points into the tree. */
#ifndef FLEETSIM_GAUNTLET_REPORT_ROWS_H
#define FLEETSIM_GAUNTLET_REPORT_ROWS_H

#include "gauntlet/report_json.h"

struct report_row {
  const char *id;
  const json_t *about; /* the case */
  const json_t *trial; /* the first of them */
  unsigned trials;
  char tls[24]; /* "1.2, 1.3"; "-": none was reached */
};

struct report_rows {
  size_t count;
  struct report_row *row;
};

/* Those of one verdict, severest first; NULL: all, in the order of the files. 0, or -1: no memory. To
 * be freed. */
int report_rows_make(const json_t *tree, const char *verdict, struct report_rows *out);
void report_rows_free(struct report_rows *rows);

/* Which one it is, from 1, of the trials of its case in its TLS version: several may have come to none.
 * Those of a case stand together. */
unsigned report_nth(const json_t *trials, size_t at);

/* "1.30 s", "12.5 ms", or "-" of null, as people read it. Returns `out`. */
const char *report_ms_text(const json_t *ms, char out[32]);

/* How long a client took to refuse: "gave_up_ms" of the trial; NULL: it did not refuse. */
const json_t *report_gave_up(const json_t *trial);

/* What the client did about it at its end: "alert 48 (unknown CA), gave up after 1.2 ms"; "": nothing
 * that was seen. Returns `out`. */
const char *report_end_text(const json_t *trial, char *out, size_t size);

/* The ClientHello of the most trials; NULL: none has come. */
const json_t *report_usual_hello(const json_t *tree);

/* "52 trials: 50 tls, 2 mqtt". Returns `out`. */
const char *report_hello_trials(const json_t *hello, char out[128]);

/* Whether it is sent in a tenth of all trials or more: others are of a few cases. */
bool report_is_usual(const json_t *tree, const json_t *hello);

/* Whether a client always tries again after the same time, as far as enough of it was seen. */
bool report_lacks_jitter(const json_t *tree);

#endif

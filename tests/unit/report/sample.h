/* A run as the simulator would hand it over: two phases, some failures, three expectations; it
   fails by one of them. */
#ifndef FLEETSIM_TEST_SAMPLE_H
#define FLEETSIM_TEST_SAMPLE_H

#include "base/files.h"
#include "base/names.h"
#include "report/results.h"

struct sample {
  struct metrics *metrics;
  struct series *series; /* NULL: not kept */
  struct results_check phase_checks[1], checks[3];
  struct results_phase phases[2];
  struct results results;
  struct names *names;
  char folder[64]; /* made for this sample */
};

void sample_begin(struct sample *one);
void sample_end(struct sample *one); /* removes the folder */

/* One that each test of a program has anew: its set-up and its teardown. */
extern struct sample sample;
int sample_set_up(void **state);
int sample_take_down(void **state);

/* Gives it firmware updates: an image whose rollout was stopped in its first wave. */
void sample_update(struct sample *one);

/* Calls its devices 'SN 2026-a00' and so on, from here on. */
void sample_name(struct sample *one);

/* Keeps what has been measured so far as two seconds: all of it in the first one. */
void sample_keep_series(struct sample *one);

/* Makes all checks of it pass, and the verdict. */
void sample_pass(struct sample *one);

/* Writes it as a run does at its end, end record and all. */
void sample_conclude(struct sample *one);

/* The text of a file in the sample's folder; malloc'd. NULL: it is not there. */
char *sample_read(const struct sample *one, const char *name);

/* What results_print prints; malloc'd. */
char *sample_printed(const struct sample *one, bool colour);

#endif

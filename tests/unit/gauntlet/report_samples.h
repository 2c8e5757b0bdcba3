/* Reports as a gauntlet would hand them over, made up: a client that believes a certificate for
 * another name and a silent server's promise, one that is careful, and one that never came. */
#ifndef FLEETSIM_TEST_REPORT_SAMPLES_H
#define FLEETSIM_TEST_REPORT_SAMPLES_H

#include "gauntlet/reports.h"

#define REPORT_SAMPLE_TRIALS 64

struct report_sample {
  struct cases *cases;
  struct standards *standards;
  struct trial_result trial[REPORT_SAMPLE_TRIALS];
  struct report report; /* of these */
  char folder[64];      /* made for this sample */
};

/* A careful client: all passed, in TLS 1.2 and 1.3, but one case in which its owner decided (WARN)
 * and one that it offers nothing for. */
void report_sample_begin(struct report_sample *one);
void report_sample_end(struct report_sample *one); /* removes the folder */

/* The trial of a case by its id in that version, 10 to 13. */
struct trial_result *report_sample_trial(struct report_sample *one, const char *id, uint8_t tls);

/* Makes the client fail it: it sent CONNECT with its password; or, HUNG, it did not give up. */
void report_sample_fail(struct report_sample *one, const char *id, uint8_t tls,
                        enum conduct conduct);

/* Nothing came of any trial: the client never connected. */
void report_sample_never(struct report_sample *one);

/* What report_print prints of it; malloc'd. */
char *report_sample_printed(const struct report_sample *one, const struct report_extent *extent);

/* The text of a file in the sample's folder; malloc'd. NULL: it is not there. */
char *report_sample_read(const struct report_sample *one, const char *name);

/* One that each test of a program has anew: its set-up and its teardown. */
extern struct report_sample report_sample;
int report_sample_set_up(void **state);
int report_sample_take_down(void **state);

#endif

/* What a broker can do, asked one connection after the other, eight at most: which of a device's
 * offers it takes, what it serves, whom it lets in, what its CONNACK allows. Nothing is published
 * and nothing is subscribed but what a device does by itself when it is online. */
#ifndef FLEETSIM_SURVEY_SURVEY_H
#define FLEETSIM_SURVEY_SURVEY_H

#include "survey/specimen.h"

enum survey_version { SURVEY_TLS_13, SURVEY_TLS_12, SURVEY_VERSIONS };

/* What is asked with; what it points to outlives the survey. */
struct survey_question {
  struct survey_place place;
  struct survey_visitor visitor; /* tls, mqtt and session are the survey's */
  STACK_OF(X509) * anchors;      /* what devices trust; NULL: no device tries */
};

struct survey {
  struct survey_look tls[SURVEY_VERSIONS]; /* a device's offer of that version, with MQTT 5 */
  bool reached; /* not: nobody answers with TLS, and only the first look was made */
  bool has_old, has_bare, has_wide, has_again, has_trial;
  struct survey_look old;   /* MQTT 3.1.1, by the best version of TLS */
  struct survey_look bare;  /* without the certificate that was given */
  struct survey_look wide;  /* with any offer, where the broker takes none of a device's */
  struct survey_look again; /* with the ticket of the first */
  struct survey_trial trial;
};

/* Blocks, some seconds at most. -1 as survey_try's. `out` is to be released in any case. */
int survey_ask(const struct survey_question *question, struct survey *out, struct error *error);
void survey_release(struct survey *survey);

/* The look of a device's offer that came furthest; NULL: the broker takes none of them. */
const struct survey_look *survey_best(const struct survey *survey);

/* The look that says most of what is served: that, or any other that has seen a chain; NULL. */
const struct survey_look *survey_served(const struct survey *survey);

/* Whether a client such as was asked for gets CONNACK 0; of a device where one tried. Else `*why` is
 * the failure and `*detail` what was seen, which may be "". */
bool survey_lets_in(const struct survey *survey, enum device_failure *why, const char **detail);

#endif

/* What each kind of step does and what its arguments mean, for people: 'fleetsim explain'. */
#ifndef FLEETSIM_STEPS_MANUAL_H
#define FLEETSIM_STEPS_MANUAL_H

#include "steps/steps.h"

/* One or two sentences. NULL: the manual does not know the kind. */
const char *steps_manual(const struct step_kind *kind);

/* What a key of the kind means, its unit or words, and its default: "(30s)"; required where it has
 * none and none is said to be left out. NULL: the manual does not know it. */
const char *steps_manual_argument(const struct step_kind *kind, const char *key);

/* The names of kinds and keys that the manual has a line for: entry `index`, false behind the last.
 * `step` is "" where the line is for every kind with that key, `key` "" where it is the kind's. */
bool steps_manual_entry(size_t index, const char **step, const char **key);

#endif

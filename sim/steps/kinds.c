/* The list of all kinds of step. */
#define _POSIX_C_SOURCE 200809L
#include "steps/steps.h"

#define X(name) &step_##name,
const struct step_kind *const steps_kinds[] = {STEPS(X) NULL};
#undef X

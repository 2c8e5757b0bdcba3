/* What to do about a failure: one sentence for each name, for whoever reads a report and has not
 * seen it before. What it means is device_failure_sentence. */
#ifndef FLEETSIM_REPORT_ADVICE_H
#define FLEETSIM_REPORT_ADVICE_H

#include "fleetsim/failure.h"

/* Static, without a full stop; never NULL, "" for DEVICE_FAIL_NONE. */
const char *advice_of(enum device_failure failure);

/* The same by the failure's name; "" where there is none of this name, as in results of another version. */
const char *advice_by_name(const char *name);

#endif

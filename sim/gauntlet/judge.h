/* From what was seen of a client to what it did, and from that to the verdict of its trial. Pure. */
#ifndef FLEETSIM_GAUNTLET_JUDGE_H
#define FLEETSIM_GAUNTLET_JUDGE_H

#include "gauntlet/report.h"

/* Adds what was seen of one connection to that of its trial: what a client gave away counts on
 * whichever connection; the rest is of the one that came furthest. */
void judge_add(struct observation *trial, const struct observation *connection);

/* Whether a client has shown what it does, so that there is no need to wait for more. */
bool judge_has_enough(const struct trial_result *result);

/* What it did. */
enum conduct judge_conduct(const struct trial_result *result);

/* Sets conduct, verdict and the sentence, where the verdict is not SKIPPED already. `to_the_letter`:
 * it is our own device, which must end exactly as the case expects. */
void judge_trial(struct trial_result *result, bool to_the_letter);

#endif

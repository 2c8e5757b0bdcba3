/* Hostile servers that devices are led to in the midst of a run, and what they gave them: cases of
 * certs/, shown under the root that the fleet's broker presents. */
#ifndef FLEETSIM_STAGE_MITM_H
#define FLEETSIM_STAGE_MITM_H

#include <stdio.h>

#include "stage/stage.h"

#define STAGE_MITM_CASES_MAX 8

/* What a step shows, by the numbers that its cases have in their files. */
struct stage_mitm_plan {
  uint8_t count;
  uint8_t tls[STAGE_MITM_CASES_MAX]; /* in that version */
  uint16_t number[STAGE_MITM_CASES_MAX];
};

/* By ids or names. `doubted`: a careful client, whatever its library, refuses one of them. 0, or -1
 * with a sentence. */
int stage_mitm_choose(const char *const *words, size_t count, const struct device_profile *device,
                      struct stage_mitm_plan *out, bool *doubted, struct error *error);

/* "'another broker's name' and 'leaf expired'" */
void stage_mitm_print(const struct stage_mitm_plan *plan, FILE *out);

/* Whether all of it can be made under the root that the broker presents by then. 0, or -1 with
 * stage->error, a sentence at the step's place. */
int stage_mitm_need(struct stage *stage, const struct scenario_step *step,
                    const struct stage_mitm_plan *plan);

/* Leads the devices there for `for_ms`, the cases dealt out to them in turn, and waits at most `within_ms`
 * until they are back online. FAILED: somebody has shown nothing of what he makes of it, or is not
 * back. */
enum step_outcome stage_mitm_show(struct stage *stage, const struct stage_mitm_plan *plan,
                                  const uint32_t *devices, size_t count, uint64_t for_ms,
                                  uint64_t within_ms);

/* When the loop is over. */
void stage_mitm_forget(struct stage *stage);

#endif

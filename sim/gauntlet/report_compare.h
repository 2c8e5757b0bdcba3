/* Parts of a comparison of two reports. */
#ifndef FLEETSIM_GAUNTLET_REPORT_COMPARE_H
#define FLEETSIM_GAUNTLET_REPORT_COMPARE_H

#include "gauntlet/report_json.h"

/* symbol, word: what became of a trial, or of a fact */
#define REPORT_STATES(X) \
  X(WORSE, "worse")      \
  X(BETTER, "better")    \
  X(CHANGED, "changed")  \
  X(UNCLEAR, "unclear")  \
  X(SAME, "same")

enum report_state {
#define X(symbol, word) REPORT_##symbol,
  REPORT_STATES(X)
#undef X
      REPORT_STATE_COUNT
};

const char *report_compare_word(enum report_state state);

/* What two trials of the same case in the same version show: `change` is it in words, or "". */
enum report_state report_compare_trials(const json_t *a, const json_t *b, char *change,
                                        size_t size);

/* Facts of the usual ClientHello that differ, as an array; and what stands out in one of them only. NULL:
 * no memory. */
json_t *report_compare_hellos(const json_t *tree_a, const json_t *tree_b);
json_t *report_compare_findings(const json_t *tree_a, const json_t *tree_b);

#endif

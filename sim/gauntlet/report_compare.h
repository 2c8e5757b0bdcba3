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

/* 0 pass, 1 warn, 2 fail; -1: it shows nothing. */
int report_compare_rank(const json_t *trial);

/* Trials that only one of the two has, by their names, as an array: "in" says which, "state" what it
 * means; and the names of those of one side. NULL: no memory. */
json_t *report_compare_only(const json_t *tree_a, const json_t *named_a, const json_t *tree_b,
                            const json_t *named_b);
json_t *report_compare_only_names(const json_t *only, const char *side);

/* Why a gate must not pass B although nothing is known to be worse, as a sentence; null: it may. */
json_t *report_compare_alarm(const json_t *only);

/* Whether it is one of that side and tells something: of A's what shows nothing does not. */
bool report_compare_is_told(const json_t *lone, const char *side);

/* "2 trials in B only: 1 passed, 1 failed", of one side, and how many; 0: none, and "". Of more than
 * REPORT_ONLY_MOST the names are left out. */
#define REPORT_ONLY_MOST 12u
unsigned report_compare_only_text(const json_t *only, const char *side, char out[200]);

/* "another-name, TLS 1.2: passed". Returns `out`. */
const char *report_compare_lone_text(const json_t *lone, char out[200]);

/* What keeps two from being compared at all, and what the reader of a comparison must know: sentences
 * without their full stops, as an array; empty as a rule. NULL: no memory. */
json_t *report_compare_unlike(const json_t *tree_a, const json_t *named_a, const json_t *tree_b,
                              const json_t *named_b);
json_t *report_compare_warnings(const json_t *tree_a, const json_t *tree_b);

/* Facts of the usual ClientHello that differ, as an array; and what stands out in one of them only. NULL:
 * no memory. */
json_t *report_compare_hellos(const json_t *tree_a, const json_t *tree_b);
json_t *report_compare_findings(const json_t *tree_a, const json_t *tree_b);

/* --- In words (report_compare_words.c) -------------------------------------------------------- */

/* The trials of a case that changed alike. */
struct pair_row {
  const json_t *pair;
  char tls[40];
};

/* From `*at` on, the next that has this state; false: there is no more. */
bool report_compare_row(const json_t *pairs, size_t *at, enum report_state state,
                        struct pair_row *row);

/* What is worse first: those that are told. */
#define REPORT_ORDERS 4u
extern const enum report_state report_compare_order[REPORT_ORDERS];

/* "WORSE"; "1 worse, 2 better", and why a gate must not pass it; "out/a: CLIENT, begun ..". All return
 * `out`. */
const char *report_compare_loud(const json_t *tree, char out[16]);
const char *report_compare_counts(const json_t *tree, char out[512]);
const char *report_compare_side(const json_t *side, char out[512]);

/* "now also x, y; no longer z", "the same in another order" or "TLS 1.3, was TLS 1.2"; malloc'd, or
 * NULL. */
char *report_compare_fact(const json_t *fact);
const char *report_compare_finding(const json_t *finding);

#endif

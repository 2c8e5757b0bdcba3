/* Trials that only one of two reports has. What only B has failed may be old, and nobody can know; but
 * where it is grave no gate may pass it. What A has judged and B has not tried, B does not prove. */
#include <string.h>

#include "gauntlet/report_compare.h"
#include "gauntlet/report_rows.h"

/* symbol of a rank, what became of such a trial */
static const char *const rank_words[] = {"passed", "warned of", "failed"};

static const char *word_of_rank(const json_t *trial)
{
  int rank = report_compare_rank(trial);
  return rank < 0 ? "shows nothing" : rank_words[rank];
}

/* What it means that the other has not tried it: `change` says so, or is "". */
static enum report_state judge_lone(const json_t *trial, bool in_b, char *change, size_t size)
{
  int rank = report_compare_rank(trial);
  change[0] = '\0';
  if (in_b ? rank != 2 : rank < 0) return REPORT_SAME;
  if (in_b)
    snprintf(change, size, "failed, and A has not tried it");
  else
    snprintf(change, size, "%s in A, and not tried any more", rank_words[rank]);
  return REPORT_UNCLEAR;
}

static json_t *told_or_null(const json_t *object, const char *key)
{
  const char *text = report_json_text(object, key);
  return text[0] != '\0' ? report_json_string(text) : json_null();
}

static json_t *lone_json(const json_t *tree, const char *name, const json_t *trial, bool in_b)
{
  char change[128];
  enum report_state state = judge_lone(trial, in_b, change, sizeof change);
  const json_t *about =
      json_object_get(json_object_get(tree, "cases"), report_json_text(trial, "case"));
  return json_pack(
      "{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "trial", report_json_string(name), "in",
      in_b ? "b" : "a", "case", report_json_string(report_json_text(trial, "case")), "name",
      report_json_string(report_json_text(about, "name")), "tls", told_or_null(trial, "tls"),
      "severity", report_json_string(report_json_text(about, "severity")), "state",
      report_compare_word(state), "change", change, "verdict", told_or_null(trial, "verdict"),
      "why", told_or_null(trial, "why"));
}

static json_t *add_lone(json_t *only, const json_t *tree, const json_t *named, const json_t *others,
                        bool in_b)
{
  const char *name;
  json_t *trial;
  json_object_foreach((json_t *) named, name, trial)
  {
    if (json_object_get(others, name) == NULL)
      only = report_json_and(only, lone_json(tree, name, trial, in_b));
  }
  return only;
}

json_t *report_compare_only(const json_t *tree_a, const json_t *named_a, const json_t *tree_b,
                            const json_t *named_b)
{
  json_t *only = add_lone(json_array(), tree_b, named_b, named_a, true);
  return add_lone(only, tree_a, named_a, named_b, false);
}

json_t *report_compare_only_names(const json_t *only, const char *side)
{
  json_t *names = json_array();
  for (size_t i = 0; i < json_array_size(only); i++) {
    const json_t *lone = json_array_get(only, i);
    if (report_json_says(lone, "in", side))
      names = report_json_and(names, report_json_string(report_json_text(lone, "trial")));
  }
  return names;
}

json_t *report_compare_alarm(const json_t *only)
{
  unsigned grave = 0;
  for (size_t i = 0; i < json_array_size(only); i++) {
    const json_t *lone = json_array_get(only, i);
    grave += report_json_says(lone, "in", "b") && report_compare_rank(lone) == 2 &&
             report_json_says(lone, "severity", case_severity_word(CASE_HIGH));
  }
  if (grave == 0) return json_null();
  return json_sprintf("%u trial%s of high severity %s failed that A has not tried: whether B is "
                      "worse cannot be known, and for that no gate may pass it; try A with the "
                      "same cases",
                      grave, grave == 1 ? "" : "s", grave == 1 ? "was" : "were");
}

/* --- In words --------------------------------------------------------------------------------- */

bool report_compare_is_told(const json_t *lone, const char *side)
{
  bool in_b = report_json_says(lone, "in", "b");
  return report_json_says(lone, "in", side) && (in_b || report_compare_rank(lone) >= 0);
}

struct lone_counts {
  unsigned all, high, of[4]; /* by rank, and those that show nothing */
};

static struct lone_counts count_lone(const json_t *only, const char *side)
{
  struct lone_counts counts = {0};
  for (size_t i = 0; i < json_array_size(only); i++) {
    const json_t *lone = json_array_get(only, i);
    if (!report_compare_is_told(lone, side)) continue;
    int rank = report_compare_rank(lone);
    counts.all++;
    counts.high += report_json_says(lone, "severity", case_severity_word(CASE_HIGH));
    counts.of[rank < 0 ? 3 : rank]++;
  }
  return counts;
}

unsigned report_compare_only_text(const json_t *only, const char *side, char out[200])
{
  static const char *const words[] = {"passed", "warned of", "failed", "not judged"};
  struct lone_counts counts = count_lone(only, side);
  const char *s = counts.all == 1 ? "" : "s", *before = ": ";
  size_t used = 0;
  out[0] = '\0';
  if (counts.all == 0) return 0;
  if (strcmp(side, "a") == 0)
    used = (size_t) snprintf(out, 200, "%u trial%s of A %s not tried any more, %u of high severity",
                             counts.all, s, counts.all == 1 ? "is" : "are", counts.high);
  else
    used = (size_t) snprintf(out, 200, "%u trial%s in B only", counts.all, s);
  for (size_t w = 0; w < 4; w++) {
    if (counts.of[w] == 0) continue;
    used += (size_t) snprintf(out + used, 200 - used, "%s%u %s", before, counts.of[w], words[w]);
    before = ", ";
  }
  return counts.all;
}

const char *report_compare_lone_text(const json_t *lone, char out[200])
{
  snprintf(out, 200, "%.170s: %s", report_json_text(lone, "trial"), word_of_rank(lone));
  return out;
}

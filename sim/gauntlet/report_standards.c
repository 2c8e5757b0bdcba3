/* What a report says to clauses of standards. A clause is wider than any case: that all of its cases
 * were passed supports it, and shows no more. */
#define _GNU_SOURCE /* strverscmp */
#include "gauntlet/standards.h"

#include <stdlib.h>
#include <string.h>

#include "gauntlet/report_json.h"

#define CLAUSES_MAX (STANDARDS_CLAUSES_MAX * (CASE_FLAWS_MAX + 1u))
#define KEY_SIZE    (sizeof((struct standards_clause *) NULL)->clause + 8u)

static size_t clauses_of(const struct report *report, const struct gauntlet_case *c,
                         const struct standards_clause *out[CLAUSES_MAX])
{
  if (report->standards == NULL) return 0;
  size_t count = standards_of(report->standards, c, out, CLAUSES_MAX);
  return count < CLAUSES_MAX ? count : CLAUSES_MAX;
}

json_t *report_standards_of(const struct report *report, const struct gauntlet_case *c)
{
  const struct standards_clause *clause[CLAUSES_MAX];
  size_t count = clauses_of(report, c, clause);
  json_t *texts = json_array();
  for (size_t i = 0; i < count; i++)
    texts = report_json_and(
        texts, json_sprintf("%s %s", standards_key(clause[i]->body), clause[i]->clause));
  return texts;
}

/* --- By clause -------------------------------------------------------------------------------- */

static json_t *new_clause(const struct standards_clause *clause)
{
  json_t *entry =
      json_pack("{s:s, s:s, s:o, s:o, s:[], s:[]}", "body", standards_key(clause->body), "title",
                standards_title(clause->body), "clause", report_json_string(clause->clause),
                "sentence", report_json_string(clause->sentence), "cases", "failed");
  for (enum verdict v = 0; v < VERDICT_COUNT; v++)
    entry = report_json_with(entry, verdict_word(v), json_integer(0));
  return entry;
}

/* Trials of a case follow each other. */
static bool add_case(json_t *entry, const char *list, const char *id)
{
  json_t *ids = json_object_get(entry, list);
  const char *last = json_string_value(json_array_get(ids, json_array_size(ids) - 1));
  if (last != NULL && strcmp(last, id) == 0) return true;
  return json_array_append_new(ids, json_string(id)) == 0;
}

static bool count_for_clause(json_t *entry, const struct trial_result *trial)
{
  const char *word = verdict_word(trial->verdict);
  json_int_t count = json_integer_value(json_object_get(entry, word)) + 1;
  return json_object_set_new(entry, word, json_integer(count)) == 0 &&
         add_case(entry, "cases", trial->c->id) &&
         (trial->verdict != VERDICT_FAIL || add_case(entry, "failed", trial->c->id));
}

static bool add_to_clauses(json_t *clauses, const struct report *report,
                           const struct trial_result *trial)
{
  const struct standards_clause *clause[CLAUSES_MAX];
  size_t count = clauses_of(report, trial->c, clause);
  for (size_t i = 0; i < count; i++) {
    char key[KEY_SIZE]; /* that sorts by standard and clause */
    snprintf(key, sizeof key, "%02d %s", (int) clause[i]->body, clause[i]->clause);
    json_t *entry = json_object_get(clauses, key);
    if (entry == NULL && json_object_set_new(clauses, key, new_clause(clause[i])) != 0)
      return false;
    if (!count_for_clause(json_object_get(clauses, key), trial)) return false;
  }
  return true;
}

static int by_name(const void *a, const void *b)
{
  return strverscmp(*(const char *const *) a, *(const char *const *) b);
}

/* NULL: no memory. */
static json_t *sorted_clauses(json_t *clauses)
{
  size_t count = 0;
  const char **keys = calloc(json_object_size(clauses) + 1, sizeof *keys), *key;
  json_t *sorted = keys != NULL ? json_array() : NULL, *entry;
  if (sorted != NULL) {
    json_object_foreach(clauses, key, entry) keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_name);
  }
  for (size_t k = 0; k < count; k++)
    sorted = report_json_and(sorted, json_incref(json_object_get(clauses, keys[k])));
  free(keys);
  return sorted;
}

json_t *report_standards_json(const struct report *report)
{
  json_t *clauses = json_object();
  bool whole = clauses != NULL;
  for (size_t i = 0; whole && i < report->count; i++)
    whole = add_to_clauses(clauses, report, &report->result[i]);
  json_t *sorted = whole ? sorted_clauses(clauses) : NULL;
  json_decref(clauses);
  return sorted;
}

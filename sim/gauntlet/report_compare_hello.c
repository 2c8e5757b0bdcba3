/* What two builds of a client say of themselves in the ClientHello that they send most: facts that
 * differ, lists by what came and went. Sizes alone are no facts: they follow from names and
 * tickets. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "gauntlet/report_compare.h"
#include "gauntlet/report_rows.h"

static const json_t *facts_of(const json_t *tree)
{
  return json_object_get(report_usual_hello(tree), "facts");
}

/* --- Lists ------------------------------------------------------------------------------------ */

static bool has_item(const json_t *list, const json_t *item)
{
  for (size_t i = 0; i < json_array_size(list); i++)
    if (json_equal(json_array_get(list, i), item)) return true;
  return false;
}

/* Items of the one list that the other has not. */
static json_t *items_without(const json_t *list, const json_t *others)
{
  json_t *items = json_array();
  for (size_t i = 0; i < json_array_size(list); i++) {
    json_t *item = json_array_get(list, i);
    if (!has_item(others, item)) items = report_json_and(items, json_incref(item));
  }
  return items;
}

/* Whether the order is the client's order of preference. */
static bool is_ordered(const char *key)
{
  static const char *const keys[] = {"versions", "suites", "groups", "signature_algorithms"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    if (strcmp(key, keys[k]) == 0) return true;
  return false;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
  size_t size = strlen(text), length = strlen(end);
  return size >= length && strcmp(text + size - length, end) == 0;
}

static bool is_size(const char *key, const json_t *a, const json_t *b)
{
  if (strcmp(key, "records") == 0 || strcmp(key, "bytes") == 0) return true;
  return ends_with(key, "_bytes") && json_is_null(a) == json_is_null(b);
}

/* Whether it differs, and not only by the order of what has none. */
static bool has_changed(const char *key, const json_t *a, const json_t *b)
{
  if (a == NULL || b == NULL || json_equal(a, b) || is_size(key, a, b)) return false;
  if (!json_is_array(a) || !json_is_array(b) || is_ordered(key)) return true;
  json_t *came = items_without(b, a), *went = items_without(a, b);
  bool changed = json_array_size(came) + json_array_size(went) > 0;
  json_decref(came);
  json_decref(went);
  return changed;
}

static json_t *fact_json(const char *key, json_t *a, json_t *b)
{
  return json_pack("{s:o, s:s, s:O, s:O, s:o, s:o}", "fact", report_json_string(key), "state",
                   report_compare_word(REPORT_CHANGED), "a", a, "b", b, "added",
                   items_without(b, a), "removed", items_without(a, b));
}

/* A fact that one of the two versions of this program does not know is none that changed. */
json_t *report_compare_hellos(const json_t *tree_a, const json_t *tree_b)
{
  json_t *changes = json_array(), *b;
  const json_t *facts = facts_of(tree_a);
  const char *key;
  json_object_foreach((json_t *) facts_of(tree_b), key, b)
  {
    json_t *a = json_object_get(facts, key);
    if (has_changed(key, a, b)) changes = report_json_and(changes, fact_json(key, a, b));
  }
  return changes;
}

/* --- What stands out -------------------------------------------------------------------------- */

static bool has_finding(const json_t *findings, const char *id)
{
  for (size_t f = 0; f < json_array_size(findings); f++)
    if (report_json_says(json_array_get(findings, f), "id", id)) return true;
  return false;
}

static json_t *add_findings(json_t *list, const json_t *findings, const json_t *others,
                            enum report_state state)
{
  for (size_t f = 0; f < json_array_size(findings); f++) {
    const json_t *finding = json_array_get(findings, f);
    bool low = report_json_says(finding, "severity", "low");
    if (has_finding(others, report_json_text(finding, "id"))) continue;
    list = report_json_and(
        list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "state",
                        report_compare_word(low ? REPORT_CHANGED : state), "in",
                        state == REPORT_WORSE ? "b" : "a", "severity",
                        report_json_string(report_json_text(finding, "severity")), "id",
                        report_json_string(report_json_text(finding, "id")), "sentence",
                        report_json_string(report_json_text(finding, "sentence"))));
  }
  return list;
}

json_t *report_compare_findings(const json_t *tree_a, const json_t *tree_b)
{
  const json_t *a = report_usual_hello(tree_a), *b = report_usual_hello(tree_b);
  const json_t *were = json_object_get(a, "stands_out"), *are = json_object_get(b, "stands_out");
  json_t *list = json_array();
  if (a == NULL || b == NULL) return list;
  list = add_findings(list, are, were, REPORT_WORSE);
  return add_findings(list, were, are, REPORT_BETTER);
}

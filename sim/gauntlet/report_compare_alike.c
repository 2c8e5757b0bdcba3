/* Whether two reports can be compared. Who downloads has other manners than who speaks MQTT, and
 * without a case in common nothing can have changed; what is less than that the reader is told. */
#include <stdarg.h>
#include <string.h>

#include "gauntlet/report_compare.h"
#include "gauntlet/report_rows.h"

#define CASES_NAMED 4u

static json_t *add_sentence(json_t *sentences, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static json_t *add_sentence(json_t *sentences, const char *format, ...)
{
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return report_json_and(sentences, report_json_string(text));
}

/* --- What keeps them apart -------------------------------------------------------------------- */

/* Of layers that only one protocol has. */
static bool has_layer(const json_t *tree, enum case_layer layer)
{
  const char *id;
  json_t *about;
  json_object_foreach(json_object_get(tree, "cases"), id, about)
  {
    if (report_json_says(about, "layer", case_layer_word(layer))) return true;
  }
  return false;
}

/* As the report says, or, of an older version, its command or cases; "": that is not known. */
static const char *protocol_spoken(const json_t *tree)
{
  const char *told = report_json_text(tree, "protocol");
  bool mqtt = has_layer(tree, CASE_MQTT), https = has_layer(tree, CASE_HTTPS);
  if (told[0] != '\0') return told;
  if (mqtt || https) return mqtt && https ? "both" : mqtt ? "mqtt" : "https";
  return strstr(report_json_text(tree, "command"), "{url}") != NULL ? "https" : "";
}

static const char *does_word(const char *protocol)
{
  return strcmp(protocol, "https") == 0 ? "downloads by HTTPS" : "speaks MQTT";
}

static bool is_of_control(const json_t *tree, const json_t *trial)
{
  const json_t *about =
      json_object_get(json_object_get(tree, "cases"), report_json_text(trial, "case"));
  return report_json_is(about, "control");
}

static bool shares_any(const json_t *named_a, const json_t *tree_b, const json_t *named_b)
{
  const char *name;
  json_t *trial;
  json_object_foreach((json_t *) named_b, name, trial)
  {
    if (json_object_get(named_a, name) != NULL && !is_of_control(tree_b, trial)) return true;
  }
  return false;
}

json_t *report_compare_unlike(const json_t *tree_a, const json_t *named_a, const json_t *tree_b,
                              const json_t *named_b)
{
  json_t *unlike = json_array();
  const char *a = protocol_spoken(tree_a), *b = protocol_spoken(tree_b);
  bool either = strcmp(a, "both") == 0 || strcmp(b, "both") == 0 || a[0] == '\0' || b[0] == '\0';
  if (!either && strcmp(a, b) != 0)
    return add_sentence(unlike, "A %s, and B %s", does_word(a), does_word(b));
  if (shares_any(named_a, tree_b, named_b)) return unlike;
  return add_sentence(unlike, "no case was tried in both, but for the control");
}

/* --- What must be known ----------------------------------------------------------------------- */

static json_t *warn_interrupted(json_t *warnings, const json_t *tree, const char *side)
{
  if (!report_json_is(tree, "interrupted")) return warnings;
  return add_sentence(warnings,
                      "%s was interrupted before all was tried: what it does not show says nothing "
                      "of its client",
                      side);
}

static json_t *warn_target(json_t *warnings, const json_t *tree_a, const json_t *tree_b)
{
  const char *a = report_json_text(tree_a, "target"), *b = report_json_text(tree_b, "target");
  if (strcmp(a, b) == 0) return warnings;
  return add_sentence(warnings,
                      "A was tried by --%.40s, and B by --%.40s: what changed may be of the way it "
                      "was tried",
                      a, b);
}

static json_t *warn_version(json_t *warnings, const json_t *tree_a, const json_t *tree_b)
{
  const char *a = report_json_text(json_object_get(tree_a, "versions"), "fleetsim"),
             *b = report_json_text(json_object_get(tree_b, "versions"), "fleetsim");
  if (strcmp(a, b) == 0 || a[0] == '\0' || b[0] == '\0') return warnings;
  return add_sentence(warnings,
                      "A was tried by fleetsim %.40s, and B by %.40s: what changed may be of the "
                      "program's cases",
                      a, b);
}

/* Whether a case means the same in both. */
static bool is_same_case(const json_t *a, const json_t *b)
{
  static const char *const keys[] = {"severity", "clients", "layer", "flaws"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    if (!json_equal(json_object_get(a, keys[k]), json_object_get(b, keys[k]))) return false;
  return true;
}

static json_t *warn_cases(json_t *warnings, const json_t *tree_a, const json_t *tree_b)
{
  char names[CASES_NAMED * 64] = "";
  size_t used = 0;
  unsigned count = 0;
  const char *id;
  json_t *about;
  json_object_foreach(json_object_get(tree_b, "cases"), id, about)
  {
    const json_t *other = json_object_get(json_object_get(tree_a, "cases"), id);
    if (other == NULL || is_same_case(other, about)) continue;
    if (count++ < CASES_NAMED)
      used +=
          (size_t) snprintf(names + used, sizeof names - used, "%s%.60s", used > 0 ? ", " : "", id);
  }
  if (count == 0) return warnings;
  return add_sentence(
      warnings,
      "%u case%s not judged alike in both (severity, layer, check, or what a client "
      "must do): %s%s",
      count, count == 1 ? " is" : "s are", names, count > CASES_NAMED ? ", .." : "");
}

json_t *report_compare_warnings(const json_t *tree_a, const json_t *tree_b)
{
  json_t *warnings = warn_interrupted(json_array(), tree_a, "A");
  warnings = warn_interrupted(warnings, tree_b, "B");
  warnings = warn_target(warnings, tree_a, tree_b);
  warnings = warn_version(warnings, tree_a, tree_b);
  return warn_cases(warnings, tree_a, tree_b);
}

/* results.json of a gauntlet, read back. It is believed where it has what every report has and its
 * counts are those of its trials; keys that this program does not know are another version's. */
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "gauntlet/report_json.h"

#define REPORT_SIZE_MAX   (64u * 1024u * 1024u)
#define REPORT_TRIALS_MAX (8u * CASES_MAX) /* twice of what there can be */

/* --- Looks ------------------------------------------------------------------------------------ */

static bool is_verdict(const char *word)
{
  for (enum verdict v = 0; v < VERDICT_COUNT; v++)
    if (strcmp(word, verdict_word(v)) == 0) return true;
  return false;
}

static bool is_severity(const char *word)
{
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++)
    if (strcmp(word, case_severity_word((enum case_severity) s)) == 0) return true;
  return false;
}

static const char *wrong_trial(const json_t *tree, const json_t *trial, size_t i, char *why,
                               size_t size)
{
  const char *id = report_json_text(trial, "case");
  const json_t *about = json_object_get(json_object_get(tree, "cases"), id);
  if (!json_is_object(about) || !is_severity(report_json_text(about, "severity")))
    snprintf(why, size, "trial %zu is of a case \"%.40s\" that it does not describe", i + 1, id);
  else if (!is_verdict(report_json_text(trial, "verdict")))
    snprintf(why, size, "trial %zu has no verdict", i + 1);
  else
    return NULL;
  return why;
}

static json_int_t counted(const json_t *tree, const char *verdict)
{
  json_int_t count = 0;
  const json_t *trials = json_object_get(tree, "trials");
  for (size_t i = 0; i < json_array_size(trials); i++)
    count += report_json_says(json_array_get(trials, i), "verdict", verdict);
  return count;
}

static json_int_t told_of(const json_t *tree, const char *verdict)
{
  json_int_t sum = 0;
  const json_t *by = json_object_get(json_object_get(tree, "tally"), verdict);
  for (unsigned s = CASE_LOW; s <= CASE_HIGH; s++)
    sum += json_integer_value(json_object_get(by, case_severity_word((enum case_severity) s)));
  return sum;
}

static const char *wrong_tally(const json_t *tree, char *why, size_t size)
{
  for (enum verdict v = 0; v < VERDICT_COUNT; v++) {
    json_int_t seen = counted(tree, verdict_word(v)), told = told_of(tree, verdict_word(v));
    if (seen == told) continue;
    snprintf(why, size, "it counts %lld trials as %s and has %lld", (long long) told,
             verdict_word(v), (long long) seen);
    return why;
  }
  return NULL;
}

static bool is_exit_code(const json_t *code)
{
  static const int codes[] = {
#define X(symbol, number, sentence) number,
      EXIT_CODES(X)
#undef X
  };
  for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
    if (json_is_integer(code) && json_integer_value(code) == codes[c]) return true;
  return false;
}

const char *report_flaw_of(const json_t *tree, char *why, size_t size)
{
  const json_t *trials = json_object_get(tree, "trials");
  if (!json_is_array(trials) || !json_is_object(json_object_get(tree, "cases")) ||
      !json_is_object(json_object_get(tree, "tally"))) {
    snprintf(why, size, "it lacks its trials, cases or counts");
    return why;
  }
  if (json_array_size(trials) > REPORT_TRIALS_MAX) {
    snprintf(why, size, "it has more than %u trials", REPORT_TRIALS_MAX);
    return why;
  }
  if (!is_exit_code(json_object_get(tree, "exit_code"))) {
    snprintf(why, size, "it has no exit code");
    return why;
  }
  for (size_t i = 0; i < json_array_size(trials); i++) {
    const char *wrong = wrong_trial(tree, json_array_get(trials, i), i, why, size);
    if (wrong != NULL) return wrong;
  }
  return wrong_tally(tree, why, size);
}

/* --- Files ------------------------------------------------------------------------------------ */

/* NULL and a sentence: it cannot be read, or is no JSON. */
static json_t *read_tree(const char *path, struct error *error)
{
  uint8_t *data;
  size_t size;
  json_error_t where;
  if (files_read(path, REPORT_SIZE_MAX, &data, &size, error) != 0) return NULL;
  json_t *tree = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, &where);
  free(data);
  if (tree == NULL)
    error_set(error, EXIT_CODE_USAGE,
              "%s:%d:%d: %s; a gauntlet writes this file whole or not at all: run it again", path,
              where.line, where.column, where.text);
  return tree;
}

static int check_tree(const json_t *tree, const char *path, struct error *error)
{
  char why[256];
  if (!report_json_says(tree, "schema", REPORT_SCHEMA))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is of schema \"%.40s\", and this program reads \"%s\"", path,
                     report_json_text(tree, "schema"), REPORT_SCHEMA);
  if (report_flaw_of(tree, why, sizeof why) != NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is not as a gauntlet writes it: %s; run the gauntlet again", path, why);
  return 0;
}

json_t *report_load(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "results.json", error) != 0) return NULL;
  json_t *tree = read_tree(path, error);
  if (tree == NULL) {
    error_wrap(error, "%.200s holds no report of a gauntlet", folder);
    return NULL;
  }
  if (check_tree(tree, path, error) == 0) return tree;
  json_decref(tree);
  return NULL;
}

bool report_is_in(const char *folder)
{
  static const char stem[] = "fleetsim-gauntlet/";
  struct error error;
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "results.json", &error) != 0) return false;
  json_t *tree = read_tree(path, &error);
  bool is = strncmp(report_json_text(tree, "schema"), stem, sizeof stem - 1) == 0;
  json_decref(tree);
  return is;
}

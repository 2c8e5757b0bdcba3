/* Which runs a folder holds, and whether two sets of them may be compared: the same scenario,
 * fleet, timing profile and machine. What was changed on purpose, a version, is told and no
 * obstacle; so is a pause by hand. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "report/comparison.h"
#include "report/events.h"
#include "report/results_json.h"

static bool holds_run(const char *folder)
{
  static const char *const files[] = {"results.json", EVENTS_FILE,
                                      EVENTS_FILE_COMPRESSED}; /* it may not have ended */
  char path[FILES_PATH_MAX];
  for (size_t f = 0; f < sizeof files / sizeof *files; f++)
    if (files_join(path, folder, files[f], NULL) == 0 && access(path, F_OK) == 0) return true;
  return false;
}

static bool has_run(const struct comparison_set *set, const json_t *run)
{
  const char *run_id = results_json_text(run, "run_id");
  bool has = false;
  for (size_t r = 0; r < json_array_size(set->runs); r++)
    has = has || strcmp(results_json_text(json_array_get(set->runs, r), "run_id"), run_id) == 0;
  return has;
}

static int add_run(struct comparison_set *set, const char *folder, struct error *error)
{
  json_t *run = results_json_load(folder, error);
  if (run == NULL) {
    error->code = EXIT_CODE_USAGE;
    error_wrap(error, "%.200s cannot be compared", folder);
    return -1;
  }
  if (has_run(set, run)) { /* by a link, or a copy */
    json_decref(run);
    return 0;
  }
  const char *verdict = results_json_text(run, "verdict");
  bool judged = strcmp(verdict, "pass") == 0 || strcmp(verdict, "fail") == 0;
  if (!judged)
    error_set(error, EXIT_CODE_USAGE,
              "%.200s cannot be compared: the run did not come to its end (%.20s: %.400s); take it "
              "out of its folder, or run it again",
              folder, verdict, results_json_text(run, "message"));
  if (judged && (json_array_append(set->runs, run) != 0 ||
                 json_array_append_new(set->folders, results_json_string(folder)) != 0))
    judged = false, error_set(error, EXIT_CODE_INTERNAL, "not enough memory for %.200s", folder);
  json_decref(run);
  return judged ? 0 : -1;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
  return strcmp((*left)->d_name, (*right)->d_name);
}

static int add_runs_in(struct comparison_set *set, const char *folder, struct error *error)
{
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, by_name), status = 0;
  if (count < 0)
    return error_set(error, EXIT_CODE_USAGE, "%.200s cannot be read: %s", folder, strerror(errno));
  for (int e = 0; e < count; e++) {
    char path[FILES_PATH_MAX];
    if (status == 0 && entries[e]->d_name[0] != '.') {
      status = files_join(path, folder, entries[e]->d_name, error);
      if (status == 0 && holds_run(path)) status = add_run(set, path, error);
    }
    free(entries[e]);
  }
  free(entries);
  size_t runs = json_array_size(set->runs);
  if (status == 0 && (runs == 0 || runs > COMPARISON_RUNS_MAX))
    return error_set(
        error, EXIT_CODE_USAGE,
        "%.200s holds %zu runs, neither itself nor in folders of it: name the folder of "
        "one run (its --out), or one that holds 1 to %u of these",
        folder, runs, COMPARISON_RUNS_MAX);
  return status;
}

int comparison_read(const char *folder, struct comparison_set *out, struct error *error)
{
  *out = (struct comparison_set){.folder = folder, .runs = json_array(), .folders = json_array()};
  if (out->runs == NULL || out->folders == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "not enough memory for %.200s", folder);
  return holds_run(folder) ? add_run(out, folder, error) : add_runs_in(out, folder, error);
}

void comparison_release(struct comparison_set *set)
{
  json_decref(set->runs);
  json_decref(set->folders);
}

/* --- Alike? ----------------------------------------------------------------------------------- */

/* What a figure depends on besides what is being compared. "scenario/text" is the scenario as it
 * was run, its settings by the command line included. */
static const struct {
  const char *part, *key, *words;
  bool version; /* may differ */
} traits[] = {
    {"scenario", "name", "scenario", false},
    {"scenario", "text", "text of the scenario as it was run", false},
    {"fleet", "devices", "number of devices", false},
    {"fleet", "timing_profile", "timing profile", false},
    {"fleet", "crypto", "crypto", false},
    {"timing", "paced", "pacing", false},
    {"machine", "processor", "processor", false},
    {"machine", "cores", "number of cores", false},
    {"machine", "kernel", "kernel", true},
    {"versions", "fleetsim", "fleetsim", true},
    {"versions", "mbedtls", "mbedtls", true},
    {"versions", "broker", "broker", true},
};
#define TRAITS (sizeof traits / sizeof *traits)

static const json_t *trait_of(const json_t *run, size_t t)
{
  return json_object_get(json_object_get(run, traits[t].part), traits[t].key);
}

/* A value in a few words. */
static void say_value(const json_t *value, char out[100])
{
  const char *text = json_string_value(value);
  if (text != NULL && strchr(text, '\n') == NULL)
    snprintf(out, 100, "%.90s", text);
  else if (json_is_number(value))
    snprintf(out, 100, "%g", json_number_value(value));
  else
    snprintf(out, 100, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "");
}

static json_t *sentence_of(size_t t, const json_t *one, const json_t *other, const char *where)
{
  char left[100], right[100], text[400];
  say_value(one, left);
  say_value(other, right);
  if (left[0] == '\0' || right[0] == '\0')
    snprintf(text, sizeof text, "another %s %s", traits[t].words, where);
  else
    snprintf(text, sizeof text, "another %s %s: %s and %s", traits[t].words, where, left, right);
  return results_json_string(text);
}

/* The first run of `set` whose trait is another than that of `run`; NULL: none. */
static const json_t *first_unlike(const struct comparison_set *set, const json_t *run, size_t t)
{
  const json_t *wanted = trait_of(run, t);
  for (size_t r = 0; r < json_array_size(set->runs); r++) {
    const json_t *value = trait_of(json_array_get(set->runs, r), t);
    if (value != wanted && !json_equal(value, wanted)) return json_array_get(set->runs, r);
  }
  return NULL;
}

json_t *comparison_unlike(const struct comparison_set *a, const struct comparison_set *b,
                          bool versions)
{
  const json_t *run = json_array_get(a->runs, 0), *of_b = json_array_get(b->runs, 0);
  json_t *sentences = json_array();
  for (size_t t = 0; t < TRAITS; t++) {
    if (traits[t].version != versions) continue;
    const json_t *in_a = first_unlike(a, run, t), *in_b = first_unlike(b, of_b, t);
    const json_t *value = trait_of(run, t), *value_b = trait_of(of_b, t);
    if (in_a != NULL)
      sentences = results_json_and(sentences, sentence_of(t, value, trait_of(in_a, t), "within A"));
    if (in_b != NULL)
      sentences =
          results_json_and(sentences, sentence_of(t, value_b, trait_of(in_b, t), "within B"));
    if (value != value_b && !json_equal(value, value_b))
      sentences = results_json_and(sentences, sentence_of(t, value, value_b, "in B than in A"));
  }
  return sentences;
}

/* --- By hand ---------------------------------------------------------------------------------- */

/* A pause is no part of a scenario, and lasts as long as somebody likes. */
static json_t *with_paused(json_t *sentences, const struct comparison_set *set, const char *side)
{
  size_t count = json_array_size(set->runs), paused = 0;
  double paused_s = 0;
  char text[300];
  for (size_t r = 0; r < count; r++) {
    const json_t *by_hand = json_object_get(json_array_get(set->runs, r), "by_hand");
    paused += results_json_number(by_hand, "pauses") > 0;
    paused_s += results_json_number(by_hand, "paused_s");
  }
  if (paused == 0) return sentences;
  snprintf(text, sizeof text,
           "%zu of %zu run%s of %s %s paused by hand, for %.1f s in all: durations, and what is "
           "counted or taken up over time, are not of the scenario alone there",
           paused, count, count == 1 ? "" : "s", side, paused == 1 ? "was" : "were", paused_s);
  return results_json_and(sentences, results_json_string(text));
}

json_t *comparison_paused(const struct comparison_set *a, const struct comparison_set *b)
{
  return with_paused(with_paused(json_array(), a, "A"), b, "B");
}

/* Rows of a report, and the words of its figures that a terminal and a page share. */
#include "gauntlet/report_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TRIALS_TO_TELL 5u   /* as many retries tell whether they come at random */
#define SPREAD_LEAST   0.05 /* of their median; what a busy machine adds is less */
#define RETRY_LEAST_MS 50.0

/* --- Rows ------------------------------------------------------------------------------------- */

static bool goes_on(const struct report_row *row, const json_t *trial, const char *id)
{
  return strcmp(row->id, id) == 0 &&
         report_json_says(row->trial, "verdict", report_json_text(trial, "verdict")) &&
         report_json_says(row->trial, "conduct", report_json_text(trial, "conduct"));
}

static void add_tls(struct report_row *row, const char *tls)
{
  size_t used = strlen(row->tls);
  if (tls[0] == '\0' || strcmp(row->tls, "-") == 0) return;
  snprintf(row->tls + used, sizeof row->tls - used, "%s%.8s", used > 0 ? ", " : "", tls);
  text_trim(row->tls);
}

static void add_trial(const json_t *tree, const json_t *trial, struct report_rows *rows)
{
  const char *id = report_json_text(trial, "case"), *tls = report_json_text(trial, "tls");
  struct report_row *row = rows->count > 0 ? &rows->row[rows->count - 1] : NULL;
  if (row == NULL || !goes_on(row, trial, id)) {
    row = &rows->row[rows->count++];
    *row = (struct report_row){
        .id = id, .about = json_object_get(json_object_get(tree, "cases"), id), .trial = trial};
    if (tls[0] == '\0') strcpy(row->tls, "-");
  }
  row->trials++;
  add_tls(row, tls);
}

/* NULL: any. */
static bool is_of(const json_t *tree, const json_t *trial, const char *verdict,
                  const char *severity)
{
  const json_t *about =
      json_object_get(json_object_get(tree, "cases"), report_json_text(trial, "case"));
  return (verdict == NULL || report_json_says(trial, "verdict", verdict)) &&
         (severity == NULL || report_json_says(about, "severity", severity));
}

static void gather_rows(const json_t *tree, const char *verdict, const char *severity,
                        struct report_rows *out)
{
  const json_t *trials = json_object_get(tree, "trials");
  for (size_t i = 0; i < json_array_size(trials); i++) {
    const json_t *trial = json_array_get(trials, i);
    if (is_of(tree, trial, verdict, severity)) add_trial(tree, trial, out);
  }
}

int report_rows_make(const json_t *tree, const char *verdict, struct report_rows *out)
{
  size_t room = json_array_size(json_object_get(tree, "trials"));
  *out = (struct report_rows){.row = calloc(room + 1, sizeof *out->row)};
  if (out->row == NULL) return -1;
  if (verdict == NULL) gather_rows(tree, NULL, NULL, out);
  for (int s = CASE_HIGH; verdict != NULL && s >= CASE_LOW; s--)
    gather_rows(tree, verdict, case_severity_word((enum case_severity) s), out);
  return 0;
}

void report_rows_free(struct report_rows *rows)
{
  free(rows->row);
  *rows = (struct report_rows){0};
}

unsigned report_nth(const json_t *trials, size_t at)
{
  unsigned nth = 1;
  const json_t *trial = json_array_get(trials, at);
  for (size_t i = at; i-- > 0;) {
    const json_t *before = json_array_get(trials, i);
    if (!report_json_says(before, "case", report_json_text(trial, "case"))) break;
    nth += report_json_says(before, "tls", report_json_text(trial, "tls"));
  }
  return nth;
}

/* --- Words ------------------------------------------------------------------------------------ */

const char *report_ms_text(const json_t *ms, char out[32])
{
  double value = json_number_value(ms);
  if (!json_is_number(ms))
    snprintf(out, 32, "-");
  else if (value < 1000)
    snprintf(out, 32, "%.1f ms", value);
  else
    snprintf(out, 32, "%.2f s", value / 1000);
  return out;
}

const json_t *report_gave_up(const json_t *trial)
{
  bool refused = report_json_says(trial, "conduct", conduct_word(CONDUCT_REFUSED));
  return refused ? json_object_get(json_object_get(trial, "seen"), "gave_up_ms") : NULL;
}

const char *report_end_text(const json_t *trial, char *out, size_t size)
{
  char ms[32];
  const json_t *seen = json_object_get(trial, "seen"), *alert = json_object_get(seen, "alert"),
               *gave_up = report_gave_up(trial);
  int used = 0;
  out[0] = '\0';
  if (json_is_object(alert))
    used = snprintf(out, size, "alert %.0f (%.40s)", report_json_number(alert, "number"),
                    report_json_text(alert, "name"));
  if (json_is_number(gave_up) && used >= 0 && (size_t) used < size)
    snprintf(out + used, size - (size_t) used, "%sgave up after %s", used > 0 ? ", " : "",
             report_ms_text(gave_up, ms));
  text_trim(out);
  return out;
}

bool report_lacks_jitter(const json_t *tree)
{
  const json_t *retries = json_object_get(json_object_get(tree, "figures"), "retries"),
               *first = json_array_get(json_object_get(retries, "nth"), 0);
  double median = report_json_number(first, "median_ms"),
         spread = report_json_number(first, "p90_ms") - report_json_number(first, "p10_ms");
  return report_json_number(first, "count") >= TRIALS_TO_TELL && median >= RETRY_LEAST_MS &&
         spread < SPREAD_LEAST * median;
}

const json_t *report_usual_hello(const json_t *tree)
{
  const json_t *hellos = json_object_get(tree, "hellos"), *usual = NULL;
  for (size_t h = 0; h < json_array_size(hellos); h++) {
    const json_t *hello = json_array_get(hellos, h);
    if (usual == NULL || report_json_number(hello, "trials") > report_json_number(usual, "trials"))
      usual = hello;
  }
  return usual;
}

bool report_is_usual(const json_t *tree, const json_t *hello)
{
  double all = (double) json_array_size(json_object_get(tree, "trials"));
  return hello == report_usual_hello(tree) || 10 * report_json_number(hello, "trials") >= all;
}

const char *report_hello_trials(const json_t *hello, char out[128])
{
  double trials = report_json_number(hello, "trials");
  const json_t *layers = json_object_get(hello, "layers");
  int used = snprintf(out, 128, "%.0f trial%s", trials, trials == 1 ? "" : "s");
  const char *before = ": ";
  for (unsigned l = CASE_TLS; l <= CASE_HTTPS; l++) {
    const char *word = case_layer_word((enum case_layer) l);
    double of_it = report_json_number(layers, word);
    if (of_it == 0 || used >= 100) continue;
    used += snprintf(out + used, 128 - (size_t) used, "%s%.0f %s", before, of_it, word);
    before = ", ";
  }
  return out;
}

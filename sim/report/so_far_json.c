/* A run that did not end in the shape of results.json, so that one page shows both. A member that its events
 * cannot tell is not there: the page leaves out what it does not find. */
#include <math.h>

#include "report/html.h"
#include "report/results_json.h"
#include "report/so_far.h"

static json_t *message_of(const struct so_far *so_far)
{
  const char *unwritten = results_json_text(so_far->unwritten, "why");
  double end_s = (double) so_far->now_ms / 1000;
  if (so_far->unwritten != NULL)
    return json_sprintf("The run is over and its results could not be written: %s.", unwritten);
  return json_sprintf(
      "The run did not end: it was killed, crashed, ran out of disk, or is under way. "
      "Its events go to %.1f s.",
      end_s);
}

static json_t *note_of(const struct so_far *so_far, bool last)
{
  if (!last || so_far_between(so_far)) return json_string("");
  return json_sprintf("under way: %s", results_json_text(so_far->step, "step"));
}

static json_t *phases_so_far(const struct so_far *so_far)
{
  json_t *phases = json_array();
  size_t count = json_array_size(so_far->phases);
  for (size_t p = 0; p < count; p++) {
    const json_t *phase = json_array_get(so_far->phases, p);
    double began_s = results_json_number(phase, "t");
    phases = results_json_and(
        phases, json_pack("{s:o, s:f, s:f, s:o}", "name",
                          results_json_string(results_json_text(phase, "phase")), "start_s",
                          began_s, "duration_s", fmax(0, so_far_phase_end_s(so_far, p) - began_s),
                          "note", note_of(so_far, p + 1 == count)));
  }
  return phases;
}

static json_t *failures_so_far(const struct so_far *so_far)
{
  const char *name;
  json_t *entry, *failures = json_object();
  json_object_foreach(so_far->failures, name, entry)
  {
    failures = results_json_with(failures, name,
                                 json_pack("{s:O, s:O}", "count", json_object_get(entry, "count"),
                                           "first_devices", json_object_get(entry, "first")));
  }
  return failures;
}

/* All other columns would say that nothing happened. */
static json_t *series_of(const struct so_far *so_far)
{
  json_t *series = results_series_json(so_far->series),
         *columns = json_object_get(series, "columns");
  json_t *kept = json_pack("{s:O, s:O}", "online", json_object_get(columns, "online"), "online.min",
                           json_object_get(columns, "online.min"));
  return series != NULL ? results_json_with(series, "columns", kept) : NULL;
}

json_t *so_far_json(const struct so_far *so_far)
{
  const json_t *run = so_far->run;
  json_int_t devices = (json_int_t) results_json_number(run, "devices");
  bool at_work = json_array_size(so_far->phases) > 0 && !so_far_between(so_far);
  json_t *tree = json_pack(
      "{s:s, s:o, s:o, s:o, s:f, s:{s:o}, s:{s:I}}", "verdict", "none", "message",
      message_of(so_far), "run_id", results_json_string(results_json_text(run, "run_id")),
      "started", results_json_string(results_json_text(run, "started")), "duration_s",
      (double) so_far->now_ms / 1000, "scenario", "name",
      results_json_string(results_json_text(run, "scenario")), "fleet", "devices", devices);
  json_t *rest = json_pack(
      "{s:o, s:o, s:o, s:{s:I, s:I, s:s}, s:{s:i, s:f}}", "phases", phases_so_far(so_far),
      "failures", failures_so_far(so_far), "series", series_of(so_far), "so_far", "online",
      (json_int_t) so_far->online_count, "ever", (json_int_t) json_object_size(so_far->online),
      "step", at_work ? results_json_text(so_far->step, "step") : "", "by_hand", "pauses",
      (int) so_far->pauses + so_far->paused, "paused_s",
      so_far->paused_s +
          (so_far->paused ? (double) so_far->now_ms / 1000 - so_far->pause_began_s : 0));
  bool whole = json_object_update(tree, rest) == 0;
  json_decref(rest);
  if (whole) return tree;
  json_decref(tree);
  return NULL;
}

int results_page_so_far(const char *folder, struct error *error)
{
  struct so_far so_far;
  int status = 0;
  if (so_far_read(folder, &so_far) && !so_far.under_way && html_available()) {
    json_t *tree = so_far_json(&so_far);
    status = tree != NULL ? html_write(tree, folder, error)
                          : error_set(error, EXIT_CODE_INTERNAL,
                                      "not enough memory to write %.200s/" HTML_FILE, folder);
    json_decref(tree);
    if (status == 0) status = 1;
  }
  so_far_release(&so_far);
  return status;
}

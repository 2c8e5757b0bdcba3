#define _GNU_SOURCE
#include "lab/rehearsal.h"

#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "lab/process.h"

static double metric(const json_t *results, const char *name)
{
  return json_number_value(
      json_object_get(json_object_get(json_object_get(results, "metrics"), name), "value"));
}

static int read_results(const char *out_folder, struct rehearsal *out, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, out_folder, "results.json", error) != 0) return -1;
  json_t *results = json_load_file(path, 0, NULL);
  const json_t *phases = json_object_get(results, "phases");
  if (json_array_size(phases) == 0) {
    json_decref(results);
    return error_set(error, EXIT_CODE_INTERNAL, "%s has no phases", path);
  }
  const json_t *last = json_array_get(phases, json_array_size(phases) - 1);
  *out = (struct rehearsal){.cpu_s = metric(results, "process.cpu_s"),
                            .rss_mib = metric(results, "process.rss_bytes") / (1024 * 1024),
                            .last_phase_s = json_number_value(json_object_get(last, "duration_s")),
                            .updated = metric(results, "ota.updated"),
                            .connections = metric(results, "connect.ok"),
                            .messages = metric(results, "telemetry.delivered")};
  json_decref(results);
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st, (void) kind, (void) where;
  return remove(path);
}

/* The end of what it printed, where it says what went wrong. */
static int tell_failure(const char *printed, int exit_code, struct error *error)
{
  uint8_t *text = NULL;
  size_t size = 0;
  if (files_read(printed, 1u << 20, &text, &size, error) != 0) return -1;
  const char *tail = size > 600 ? (char *) text + size - 600 : (char *) text;
  error_set(error, EXIT_CODE_SETUP, "the rehearsal ended with exit code %d: %s", exit_code, tail);
  free(text);
  return -1;
}

int rehearse(const char *folder, const char *text, const struct process_watch *watch,
             struct rehearsal *out, struct error *error)
{
  return rehearse_at(folder, text, NULL, watch, out, error);
}

int rehearse_at(const char *folder, const char *text, const char *place,
                const struct process_watch *watch, struct rehearsal *out, struct error *error)
{
  char program[FILES_PATH_MAX], file[FILES_PATH_MAX], out_folder[FILES_PATH_MAX],
      printed[FILES_PATH_MAX];
  struct process_cost cost;
  if (process_beside("fleetsim", program, error) != 0 ||
      files_join(file, folder, "scenario.yaml", error) != 0 ||
      files_join(out_folder, folder, "rehearsal", error) != 0 ||
      files_join(printed, folder, "printed", error) != 0 ||
      files_write(file, text, strlen(text), 0600, error) != 0)
    return -1;
  nftw(out_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  char live[100];
  snprintf(live, sizeof live, "--live=%s", place != NULL ? place : "");
  char *arguments[] = {program, "run", file, "--out", out_folder, place != NULL ? live : NULL,
                       NULL};
  if (process_run(arguments, printed, true, watch, &cost, error) != 0) return -1;
  return cost.exit_code == 0 ? read_results(out_folder, out, error)
                             : tell_failure(printed, cost.exit_code, error);
}

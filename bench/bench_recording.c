/* What it costs a run to be recorded and looked at: events, series, results and the live page, as a share of its
 * CPU time. A run with a live page and one reader, and one without, in turns; then what they recorded is recorded
 * once more by itself, as the difference of two runs is less than what runs differ by.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>

#include "base/files.h"
#include "lab/onlooker.h"
#include "lab/rehearsal.h"
#include "lab/replay.h"
#include "lab/report.h"
#include "lab/stats.h"

#define EVERY_S      0.05
#define SHARE_MAX    0.03
#define SCENARIO_MAX 1024

struct bench {
  struct options options;
  struct lab lab;
  json_t *report;
  struct page_reader reader;
  struct stats cpu_s, parts, shares;
  size_t states, lines;
  double bytes, fidelity;
};

static const char scenario[] =
    "name: recording\n"
    "fleet: {devices: %zu, telemetry: {every: 10s, bytes: 64, qos: 1}}\n"
    "limits: {run: %.0fs}\n"
    "phases:\n"
    "  - {name: come, do: [connect: {rate: %.0f/s}], until: online == 100%% within %.0fs}\n"
    "  - {name: hold, do: [wait: {for: %.0fs}], until: online == 100%% within 60s}\n";

static void look(void *ctx, pid_t pid, double at_s)
{
  (void) at_s;
  page_reader_look(ctx, pid);
}

static int run(struct bench *bench, bool live, struct rehearsal *out, struct error *error)
{
  const struct options *options = &bench->options;
  char text[SCENARIO_MAX];
  double come_s = 60 + 3 * (double) options->devices / options->rate;
  const struct process_watch watch = {EVERY_S, look, &bench->reader};
  snprintf(text, sizeof text, scenario, options->devices, come_s + options->seconds + 120,
           options->rate, come_s, options->seconds);
  if (!live) return rehearse(bench->lab.folder, text, NULL, out, error);
  if (page_reader_begin(&bench->reader, error) != 0) return -1;
  int status = rehearse_at(bench->lab.folder, text, bench->reader.place, &watch, out, error);
  page_reader_end(&bench->reader);
  if (status == 0 && bench->reader.states == 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "the live page has shown no state: was fleetsim built without libmicrohttpd?");
  return status;
}

static void book(struct bench *bench, const struct rehearsal *live, const struct replay_cost *cost)
{
  double server_s = bench->reader.server_cpu_s;
  /* the metric was read before the results were written */
  double all_s = live->cpu_s + cost->results;
  const struct {
    const char *name;
    double s;
  } parts[] = {{"events", cost->events},
               {"series", cost->series},
               {"results", cost->results},
               {"live_documents", cost->documents},
               {"live_server", server_s}};
  double recording_s = cost->events + cost->series + cost->results,
         live_s = cost->documents + server_s;
  for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
    stats_add(&bench->parts, parts[p].name, parts[p].s);
  stats_add(&bench->shares, "recording", recording_s / all_s);
  stats_add(&bench->shares, "live", live_s / all_s);
  stats_add(&bench->shares, "both", (recording_s + live_s) / all_s);
}

/* Of the run whose folder is there still. */
static int measure_recording(struct bench *bench, const struct rehearsal *live, struct error *error)
{
  char folder[FILES_PATH_MAX], again[FILES_PATH_MAX];
  struct replay_lines lines;
  struct replay_cost cost;
  double seconds = (double) bench->options.devices / bench->options.rate + bench->options.seconds;
  if (files_join(folder, bench->lab.folder, "rehearsal", error) != 0 ||
      files_join(again, bench->lab.folder, "replay", error) != 0 ||
      files_make_folder(again, 0700, error) != 0 || replay_count(folder, &lines, error) != 0 ||
      replay(again, &lines, bench->options.devices, seconds, &cost, error) != 0)
    return -1;
  bench->lines = lines.online + lines.offline + lines.failed + lines.others;
  bench->bytes = (double) lines.bytes;
  bench->fidelity = cost.bytes;
  bench->states = bench->reader.states;
  book(bench, live, &cost);
  return files_remove(again, error);
}

/* The one with the page is measured while its folder is there: before the next one. */
static int measure_round(struct bench *bench, size_t round, struct error *error)
{
  fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
  for (size_t turn = 0; turn < 2; turn++) {
    bool live = (round + turn) % 2 == 0;
    struct rehearsal seen;
    if (run(bench, live, &seen, error) != 0) return -1;
    stats_add(&bench->cpu_s, live ? "live" : "alone", seen.cpu_s);
    if (live && measure_recording(bench, &seen, error) != 0) return -1;
    fprintf(stderr, "  %s: %.2f s of CPU, %.0f connections, %.0f messages\n",
            live ? "with a reader" : "without", seen.cpu_s, seen.connections, seen.messages);
  }
  return 0;
}

static int conclude(struct bench *bench)
{
  json_t *report = bench->report;
  double both = stats_median_of(&bench->shares, "both");
  json_object_set_new(report, "seconds", json_real(bench->options.seconds));
  json_object_set_new(report, "rate", json_real(bench->options.rate));
  json_object_set_new(report, "share", stats_medians(&bench->shares));
  json_object_set_new(report, "must_be_below", json_real(SHARE_MAX));
  json_object_set_new(report, "cpu_s", stats_medians(&bench->cpu_s));
  json_object_set_new(report, "live_of_alone", stats_ratio(&bench->cpu_s, "live", "alone"));
  json_object_set_new(report, "parts_cpu_s", stats_medians(&bench->parts));
  json_object_set_new(report, "events",
                      json_pack("{s:I, s:f, s:f}", "lines", (json_int_t) bench->lines, "bytes",
                                bench->bytes, "replayed_bytes_of_these", bench->fidelity));
  json_object_set_new(report, "states", json_integer((json_int_t) bench->states));
  json_object_set_new(report, "rounds_of",
                      json_pack("{s:o, s:o}", "share", stats_rounds(&bench->shares), "cpu_s",
                                stats_rounds(&bench->cpu_s)));
  printf("%zu devices: recording %.2f %%, live page with a reader %.2f %%, both %.2f %% of the "
         "run's CPU (%.1f s; %zu events, %zu states); the run with a page took %.2f times the CPU "
         "of the one without\n",
         bench->options.devices, 100 * stats_median_of(&bench->shares, "recording"),
         100 * stats_median_of(&bench->shares, "live"), 100 * both,
         stats_median_of(&bench->cpu_s, "live"), bench->lines, bench->states,
         stats_ratio_of(&bench->cpu_s, "live", "alone"));
  if (both < SHARE_MAX) return EXIT_CODE_PASS;
  fprintf(stderr, "bench recording: %.2f %%, and less than %.0f %% is allowed\n", 100 * both,
          100 * SHARE_MAX);
  return EXIT_CODE_FAIL;
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {.bench = "recording",
                  .purpose =
                      "Events, series, results and the live page: their share of a run's CPU.",
                  .rounds = 3,
                  .devices = 16000,
                  .rate = 300,
                  .seconds = 60}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv), verdict = EXIT_CODE_PASS;
  if (code != OPTIONS_GO_ON) return code;
  bench.report = report_begin(&bench.options, argc, argv);
  int status = lab_make_folder(&bench.lab, &error);
  for (size_t round = 0; status == 0 && round < bench.options.rounds; round++)
    status = measure_round(&bench, round, &error);
  if (status == 0) verdict = conclude(&bench);
  lab_close(&bench.lab);
  code = report_end(bench.report, &bench.options, status, &error);
  return code == EXIT_CODE_PASS ? verdict : code;
}

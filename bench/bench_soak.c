/* Whether a long run grows: the resident memory of fleetsim while a fleet sends telemetry and loses
 * and opens its connections again all the time, and the slope of it in MiB an hour.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>

#include "lab/rehearsal.h"
#include "lab/report.h"
#include "lab/stats.h"

#define EVERY_S 1.0
/* of the time, until every device was cut and is back, and buffers have their size */
#define WARM_PART    0.25
#define SLOPE_MAX    1.0 /* MiB an hour */
#define SAMPLES_MAX  7200
#define SCENARIO_MAX 1024

struct bench {
  struct options options;
  struct lab lab;
  json_t *report;
  double seconds[SAMPLES_MAX], anonymous_mib[SAMPLES_MAX], resident_mib[SAMPLES_MAX];
  size_t count;
  struct rehearsal run;
};

/* Each connection is cut after 1 to 16384 bytes both ways together, so most of them after their
   handshake. */
static const char scenario[] =
    "name: soak\n"
    "fleet: {devices: %zu, telemetry: {every: 250ms, bytes: 64, qos: 1}}\n"
    "device: {resume: ram}\n"
    "reconnect: {policy: fixed, base: 200ms}\n"
    "limits: {run: %.0fs}\n"
    "phases:\n"
    "  - {name: up, do: [connect: {rate: 300/s}], until: online == 100%% within 60s}\n"
    "  - name: soak\n"
    "    do:\n"
    "      - fault: {cut-after: 16KiB, cut: 100%%}\n"
    "      - wait: {for: %.0fs}\n"
    "      - mend: {}\n"
    "    until: online == 100%% within 60s\n";

static void look(void *ctx, pid_t pid, double at_s)
{
  struct bench *bench = ctx;
  struct process_memory memory;
  if (bench->count == SAMPLES_MAX || process_memory(pid, &memory) != 0) return;
  bench->seconds[bench->count] = at_s;
  bench->anonymous_mib[bench->count] = memory.anonymous_kib / 1024;
  bench->resident_mib[bench->count++] = memory.resident_kib / 1024;
}

static int measure(struct bench *bench, struct error *error)
{
  char text[SCENARIO_MAX];
  const struct process_watch watch = {EVERY_S, look, bench};
  snprintf(text, sizeof text, scenario, bench->options.devices, bench->options.seconds + 300,
           bench->options.seconds);
  if (lab_make_folder(&bench->lab, error) != 0) return -1;
  return rehearse(bench->lab.folder, text, &watch, &bench->run, error);
}

static json_t *samples(const struct bench *bench, const double *values)
{
  json_t *out = json_array();
  for (size_t i = 0; i < bench->count; i++) json_array_append_new(out, json_real(values[i]));
  return out;
}

/* The slope of what comes after the warm-up, in MiB an hour. */
static double slope_of(const struct bench *bench, const double *values)
{
  size_t first = 0;
  while (first < bench->count && bench->seconds[first] < bench->options.seconds * WARM_PART)
    first++;
  return stats_slope(bench->seconds + first, values + first, bench->count - first) * 3600;
}

static int conclude(struct bench *bench)
{
  json_t *report = bench->report;
  double anonymous = slope_of(bench, bench->anonymous_mib),
         resident = slope_of(bench, bench->resident_mib);
  bool known = isfinite(anonymous) && isfinite(resident);
  json_object_set_new(report, "seconds", json_real(bench->options.seconds));
  json_object_set_new(report, "rss_mib_per_h", known ? json_real(resident) : json_null());
  json_object_set_new(report, "anonymous_mib_per_h", known ? json_real(anonymous) : json_null());
  json_object_set_new(report, "must_be_below", json_real(SLOPE_MAX));
  json_object_set_new(report, "connections", json_real(bench->run.connections));
  json_object_set_new(report, "messages", json_real(bench->run.messages));
  json_object_set_new(report, "samples",
                      json_pack("{s:o, s:o, s:o}", "s", samples(bench, bench->seconds), "rss_mib",
                                samples(bench, bench->resident_mib), "anonymous_mib",
                                samples(bench, bench->anonymous_mib)));
  if (!known) {
    fprintf(stderr, "bench soak: %zu samples make no slope: give more --seconds\n", bench->count);
    return EXIT_CODE_FAIL;
  }
  printf("%zu devices, %.0f s: %.0f connections, %.0f messages; resident memory %.1f MiB at the "
         "end, %+.2f MiB an hour (anonymous %+.2f)\n",
         bench->options.devices, bench->options.seconds, bench->run.connections,
         bench->run.messages, bench->resident_mib[bench->count - 1], resident, anonymous);
  if (resident < SLOPE_MAX) return EXIT_CODE_PASS;
  fprintf(stderr,
          "bench soak: it grows by %.2f MiB an hour, %.0f at most are allowed; give more --seconds "
          "if few were\n",
          resident, SLOPE_MAX);
  return EXIT_CODE_FAIL;
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {.bench = "soak",
                  .purpose =
                      "Growth of resident memory under telemetry and reconnects, in MiB an hour.",
                  .rounds = 1,
                  .devices = 300,
                  .seconds = 900}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  bench.report = report_begin(&bench.options, argc, argv);
  int status = measure(&bench, &error), verdict = status == 0 ? conclude(&bench) : EXIT_CODE_PASS;
  lab_close(&bench.lab);
  code = report_end(bench.report, &bench.options, status, &error);
  return code == EXIT_CODE_PASS ? verdict : code;
}

/* Whether a device costs the same in a large fleet as in a small one: CPU per connect and memory
 * per device at a sixteenth, a quarter and all of --devices, in one process each. Devices come at
 * --rate, or at the rate that the broker sustains where that is less.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "lab/report.h"
#include "lab/stats.h"
#include "lab/subject.h"

#define KIND  "fleetsim"
#define SIZES 3

static const size_t part[SIZES] = {16, 4, 1};
static const char *const size_name[SIZES] = {"smallest", "middle", "largest"};

struct bench {
  struct options options;
  struct lab lab;
  json_t *report;
  struct stats cpu_ms, kib, rate; /* connects a second, as they came */
  size_t failures[SIZES];
};

static size_t devices_of(const struct bench *bench, size_t size)
{
  return bench->options.devices / part[size];
}

static void book(struct bench *bench, size_t size, double opened_kib,
                 const struct subject_answer *answer)
{
  size_t devices = devices_of(bench, size), failed = devices - answer->online;
  double cpu_ms = (double) answer->cpu_us / 1e3 / (double) devices;
  double kib = (answer->anonymous_kib - opened_kib) / (double) devices;
  stats_add(&bench->cpu_ms, size_name[size], cpu_ms);
  stats_add(&bench->kib, size_name[size], kib);
  stats_add(&bench->rate, size_name[size],
            (double) answer->online * 1e6 / (double) answer->wall_us);
  bench->failures[size] += failed;
  report_version(bench->report, KIND, answer->version);
  report_connections(bench->report, KIND, devices, answer);
  fprintf(stderr,
          "  %6zu devices: %.3f ms per connect, %.1f KiB per device, %.0f a second, %zu failures\n",
          devices, cpu_ms, kib, (double) answer->online * 1e6 / (double) answer->wall_us, failed);
}

static int measure_size(struct bench *bench, size_t size, struct error *error)
{
  struct subject subject = {0};
  struct subject_answer opened, answer;
  size_t devices = devices_of(bench, size);
  int status = subject_start(&subject, &bench->lab, KIND, devices, &opened, error);
  if (status == 0)
    status =
        subject_connect(&subject, devices, bench->options.rate, SUBJECT_AT_MOST, &answer, error);
  subject_end(&subject);
  if (status == 0) book(bench, size, opened.anonymous_kib, &answer);
  return status;
}

static int measure_round(struct bench *bench, size_t round, struct error *error)
{
  fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
  for (size_t turn = 0; turn < SIZES; turn++)
    if (lab_check(&bench->lab, error) != 0 ||
        measure_size(bench, (round + turn) % SIZES, error) != 0)
      return -1;
  return 0;
}

static json_t *rows(const struct bench *bench)
{
  json_t *out = json_array();
  printf("%10s %18s %14s %10s %10s\n", "devices", "CPU ms/connect", "KiB/device", "connects/s",
         "failures");
  for (size_t size = 0; size < SIZES; size++) {
    double cpu_ms = stats_median_of(&bench->cpu_ms, size_name[size]);
    double kib = stats_median_of(&bench->kib, size_name[size]),
           rate = stats_median_of(&bench->rate, size_name[size]);
    json_array_append_new(out, json_pack("{s:I, s:f, s:f, s:f, s:I}", "devices",
                                         (json_int_t) devices_of(bench, size), "cpu_ms_per_connect",
                                         cpu_ms, "kib_per_device", kib, "connects_per_s", rate,
                                         "failures", (json_int_t) bench->failures[size]));
    printf("%10zu %18.3f %14.1f %10.0f %10zu\n", devices_of(bench, size), cpu_ms, kib, rate,
           bench->failures[size]);
  }
  return out;
}

static void conclude(struct bench *bench)
{
  json_t *report = bench->report;
  json_object_set_new(report, "scale", rows(bench));
  json_object_set_new(report, "ratio_to_1000",
                      json_pack("{s:o, s:o}", "cpu",
                                stats_ratio(&bench->cpu_ms, size_name[SIZES - 1], size_name[0]),
                                "memory",
                                stats_ratio(&bench->kib, size_name[SIZES - 1], size_name[0])));
  json_object_set_new(report, "rounds_of",
                      json_pack("{s:o, s:o}", "cpu_ms_per_connect", stats_rounds(&bench->cpu_ms),
                                "kib_per_device", stats_rounds(&bench->kib)));
  json_object_set_new(report, "rate", json_real(bench->options.rate));
  report_version(report, "mosquitto", broker_version(bench->lab.broker));
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {.bench = "scale",
                  .purpose =
                      "CPU per connect and memory per device at 1/16, 1/4 and all of the devices.",
                  .rounds = 5,
                  .devices = 16000,
                  .rate = 300}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  if (bench.options.devices < part[0]) bench.options.devices = part[0];
  bench.report = report_begin(&bench.options, argc, argv);
  int status = lab_open(&bench.lab, bench.options.devices, 0, &error);
  for (size_t round = 0; status == 0 && round < bench.options.rounds; round++)
    status = measure_round(&bench, round, &error);
  if (status == 0) conclude(&bench);
  lab_close(&bench.lab);
  return report_end(bench.report, &bench.options, status, &error);
}

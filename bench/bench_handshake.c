/* CPU time that a client spends from its connect to CONNACK: TLS 1.3, mutual, P-256, per-device
   certificates. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/floor.h"
#include "lab/kinds.h"
#include "lab/report.h"
#include "lab/stats.h"
#include "lab/subject.h"

/* The device library's own P-256 costs many times more: fewer connects, at a rate that one core can
   carry. */
#define NATIVE        "fleetsim_native"
#define NATIVE_SHARE  0.15
#define NATIVE_SLOWER 6.0

#define FLOOR       "floor"
#define FLOOR_PACED "floor_paced"

static const char *const every_kind[] = {"fleetsim", NATIVE, "openssl", "libmosquitto", NULL};

struct bench {
  struct options options;
  struct kinds kinds;
  struct lab lab;
  json_t *report;
  struct stats cpu_ms; /* of the kinds, and the floors */
  uint64_t remembered, computed;
};

static size_t devices_of(const struct bench *bench, const char *kind)
{
  return strcmp(kind, NATIVE) != 0 ? bench->options.devices
                                   : (size_t) ceil((double) bench->options.devices * NATIVE_SHARE);
}

static double rate_of(const struct bench *bench, const char *kind)
{
  return strcmp(kind, NATIVE) != 0 ? bench->options.rate : bench->options.rate / NATIVE_SLOWER;
}

static void book(struct bench *bench, const char *kind, size_t devices,
                 const struct subject_answer *answer)
{
  double cpu_ms = (double) answer->cpu_us / 1e3 / (double) devices;
  stats_add(&bench->cpu_ms, kind, cpu_ms);
  report_version(bench->report, kind, answer->version);
  report_connections(bench->report, kind, devices, answer);
  fprintf(stderr, "  %-16s %.3f ms\n", kind, cpu_ms);
  if (strcmp(kind, "fleetsim") != 0) return;
  bench->remembered += answer->remembered;
  bench->computed += answer->computed;
}

static int measure_kind(struct bench *bench, const char *kind, struct error *error)
{
  struct subject subject = {0};
  struct subject_answer answer;
  size_t devices = devices_of(bench, kind);
  int status = subject_start(&subject, &bench->lab, kind, devices, &answer, error);
  if (status == 0)
    status = subject_connect(&subject, devices, rate_of(bench, kind), 0, &answer, error);
  subject_end(&subject);
  if (status == 0) book(bench, kind, devices, &answer);
  return status;
}

static void book_floor(struct bench *bench, const char *name, double cpu_ms)
{
  stats_add(&bench->cpu_ms, name, cpu_ms);
  fprintf(stderr, "  %-16s %.3f ms\n", name, cpu_ms);
}

/* The floor is measured before every turn: how fast this machine is changes from one to the
   next. */
static int measure_round(struct bench *bench, size_t round, struct error *error)
{
  double paced_ms, floor_ms[KINDS_MAX];
  fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
  for (size_t turn = 0; turn < bench->kinds.count; turn++)
    if (floor_measure(0, &floor_ms[turn], error) != 0 || lab_check(&bench->lab, error) != 0 ||
        measure_kind(bench, kinds_turn(&bench->kinds, round, turn), error) != 0)
      return -1;
  if (floor_measure(bench->options.rate, &paced_ms, error) != 0) return -1;
  book_floor(bench, FLOOR, stats_median(floor_ms, bench->kinds.count));
  book_floor(bench, FLOOR_PACED, paced_ms);
  return 0;
}

static void print_table(const struct bench *bench)
{
  printf("%-16s %10s %10s %10s %10s\n", "CPU ms/connect", "median", "min", "max", "x floor");
  for (size_t i = 0; i < bench->cpu_ms.names; i++) {
    const char *name = bench->cpu_ms.of[i].name;
    printf("%-16s %10.3f %10.3f %10.3f %10.2f\n", name, stats_median_of(&bench->cpu_ms, name),
           stats_min_of(&bench->cpu_ms, name), stats_max_of(&bench->cpu_ms, name),
           stats_ratio_of(&bench->cpu_ms, name, FLOOR));
  }
}

static void conclude(struct bench *bench)
{
  static const char *const peers[] = {"openssl", FLOOR, FLOOR_PACED};
  json_t *report = bench->report, *medians = stats_medians(&bench->cpu_ms);
  for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
    char key[40];
    snprintf(key, sizeof key, "ratio_to_%s", peers[i]);
    json_object_set_new(report, key, stats_ratio(&bench->cpu_ms, "fleetsim", peers[i]));
  }
  json_object_set(report, "floor_ms", json_object_get(medians, FLOOR));
  json_object_set(report, "floor_paced_ms", json_object_get(medians, FLOOR_PACED));
  json_object_del(medians, FLOOR);
  json_object_del(medians, FLOOR_PACED);
  json_object_set_new(report, "cpu_ms_per_connect", medians);
  json_object_set_new(report, "verifications",
                      json_pack("{s:I, s:I}", "remembered", (json_int_t) bench->remembered,
                                "computed", (json_int_t) bench->computed));
  json_object_set_new(report, "rounds_of", stats_rounds(&bench->cpu_ms));
  json_object_set_new(report, "rate", json_real(bench->options.rate));
  report_version(report, "mosquitto", broker_version(bench->lab.broker));
  report_version(report, "libcrypto", floor_version());
  print_table(bench);
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {.bench = "handshake",
                  .purpose = "CPU time of a client per connect to CONNACK: TLS 1.3, mutual, P-256.",
                  .rounds = 7,
                  .devices = 1000,
                  .rate = 400,
                  .kinds = "fleetsim,fleetsim_native,openssl,libmosquitto"}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  kinds_choose(&bench.options, every_kind, &bench.kinds);
  bench.report = report_begin(&bench.options, argc, argv);
  int status = lab_open(&bench.lab, bench.options.devices, bench.options.devices, &error);
  for (size_t round = 0; status == 0 && round < bench.options.rounds; round++)
    status = measure_round(&bench, round, &error);
  if (status == 0) conclude(&bench);
  lab_close(&bench.lab);
  return report_end(bench.report, &bench.options, status, &error);
}

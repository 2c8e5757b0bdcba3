/* Pacing as a broker meets it: how long a paced handshake takes on the wire beside its model, and
 * how late a device's effects are let go in a large fleet. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "lab/gate.h"
#include "lab/report.h"
#include "lab/subject.h"
#include "timing/model.h"

#define PACED   "fleetsim_paced"
#define UNPACED "fleetsim"

#define GATE_SHARE     0.1 /* of the devices: those that the measuring broker sees, */
#define GATE_SLOWER    5.0 /* at a rate at which two of its handshakes seldom meet */
#define BASELINE_SHARE 0.2 /* of these, connected without pacing first */

/* What the project holds a paced handshake to. */
#define TOLERANCE_SHARE 0.02
#define TOLERANCE_MS    5.0

/* One round at the measuring broker, in milliseconds. */
struct sight {
  size_t devices, within;
  /* medians of handshakes without pacing; the first includes the second */
  double baseline, server_cpu;
  /* modelled: whole handshake, until ClientHello has left, the rest of it */
  double device, before, model;
  double measured;      /* median of wall times less the baseline */
  double p50, p99, max; /* |measured - model| */
  /* the most that the fleet itself noticed: a busy machine shows here */
  double lateness;
};

struct bench {
  struct options options;
  struct lab lab;
  struct gate *gate;
  json_t *report;
  struct timing_profile timing;
  struct gate_handshake *seen; /* room for `gated` */
  double *values;
  size_t gated;
  struct sight sight;            /* of the worst round */
  struct subject_times lateness; /* of the worst round */
};

static int ascending(const void *left, const void *right)
{
  double a = *(const double *) left, b = *(const double *) right;
  return (a > b) - (a < b);
}

/* The least of `sorted` that is not below `share` of them. */
static double quantile(const double *sorted, size_t count, double share)
{
  size_t rank = (size_t) ceil(share * (double) count);
  return sorted[rank > 0 ? rank - 1 : 0];
}

/* Connects `count` devices of `kind`, to the measuring broker where `port` is not 0. */
static int connect_kind(struct bench *bench, const char *kind, uint16_t port, size_t count,
                        double rate, struct subject_answer *answer, struct error *error)
{
  struct subject subject = {.port = port};
  fprintf(stderr, "  %zu devices of %s, %g a second\n", count, kind, rate);
  if (lab_check(&bench->lab, error) != 0) return -1;
  int status = subject_start(&subject, &bench->lab, kind, count, answer, error);
  if (status == 0) status = subject_connect(&subject, count, rate, 0, answer, error);
  subject_end(&subject);
  if (status != 0) return -1;
  report_version(bench->report, kind, answer->version);
  report_connections(bench->report, kind, count, answer);
  return 0;
}

/* Devices at the measuring broker; `seen` then holds their handshakes. 0 of them is no
   measurement. */
static int visit_gate(struct bench *bench, const char *kind, size_t count, size_t *seen,
                      struct subject_answer *answer, struct error *error)
{
  gate_take(bench->gate, NULL, 0);
  if (connect_kind(bench, kind, gate_port(bench->gate), count, bench->options.rate / GATE_SLOWER,
                   answer, error) != 0)
    return -1;
  *seen = gate_take(bench->gate, bench->seen, bench->gated);
  if (*seen > 0 && *seen <= bench->gated) return 0;
  return error_set(error, EXIT_CODE_INTERNAL,
                   "the measuring broker saw %zu handshakes of %zu devices", *seen, count);
}

/* What passes on either side that is not the device's: subtracted from every paced handshake. */
static int measure_baseline(struct bench *bench, struct sight *sight, struct error *error)
{
  struct subject_answer answer;
  size_t seen, count = (size_t) ceil((double) bench->gated * BASELINE_SHARE);
  if (visit_gate(bench, UNPACED, count, &seen, &answer, error) != 0) return -1;
  for (size_t i = 0; i < seen; i++) bench->values[i] = (double) bench->seen[i].wall_ns / 1e6;
  qsort(bench->values, seen, sizeof *bench->values, ascending);
  sight->baseline = quantile(bench->values, seen, 0.5);
  for (size_t i = 0; i < seen; i++) bench->values[i] = (double) bench->seen[i].cpu_ns / 1e6;
  qsort(bench->values, seen, sizeof *bench->values, ascending);
  sight->server_cpu = quantile(bench->values, seen, 0.5);
  return 0;
}

/* Milliseconds of the device until its ClientHello has left: the key pair, and the message through
   its transcript. */
static double before_hello(const struct bench *bench, uint32_t hello_bytes)
{
  const struct timing_profile *timing = &bench->timing;
  const struct crypto_meter pair = {.keygen = 1, .public_key = 1};
  double cycles = timing_operations(timing, &pair) + timing_hash(timing, hello_bytes);
  return timing_us(timing, cycles + timing_records(timing, hello_bytes, 0)) / 1e3;
}

static void judge_sight(struct bench *bench, struct sight *sight, size_t seen)
{
  double *values = bench->values;
  for (size_t i = 0; i < seen; i++)
    values[i] = (double) bench->seen[i].wall_ns / 1e6 - sight->baseline;
  qsort(values, seen, sizeof *values, ascending);
  sight->measured = quantile(values, seen, 0.5);
  for (size_t i = 0; i < seen; i++) {
    values[i] = fabs(values[i] - sight->model);
    if (values[i] <= TOLERANCE_SHARE * sight->model + TOLERANCE_MS) sight->within++;
  }
  qsort(values, seen, sizeof *values, ascending);
  sight->p50 = quantile(values, seen, 0.5);
  sight->p99 = quantile(values, seen, 0.99);
  sight->max = values[seen - 1];
}

static int measure_gate(struct bench *bench, struct error *error)
{
  struct subject_answer answer;
  struct sight sight = {.devices = bench->gated};
  size_t seen;
  if (measure_baseline(bench, &sight, error) != 0 ||
      visit_gate(bench, PACED, bench->gated, &seen, &answer, error) != 0)
    return -1;
  sight.device = answer.device_ms.p50;
  sight.lateness = answer.lateness_ms.max;
  sight.before = before_hello(bench, bench->seen[0].hello_bytes);
  sight.model = sight.device - sight.before;
  judge_sight(bench, &sight, seen);
  if (bench->sight.devices == 0 || sight.p99 > bench->sight.p99) bench->sight = sight;
  return 0;
}

static int measure_lateness(struct bench *bench, struct error *error)
{
  struct subject_answer answer;
  if (connect_kind(bench, PACED, 0, bench->options.devices, bench->options.rate, &answer, error) !=
      0)
    return -1;
  if (answer.lateness_ms.p99 >= bench->lateness.p99) bench->lateness = answer.lateness_ms;
  return 0;
}

static int measure_rounds(struct bench *bench, struct error *error)
{
  for (size_t round = 0; round < bench->options.rounds; round++) {
    fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
    if (measure_gate(bench, error) != 0 || measure_lateness(bench, error) != 0) return -1;
  }
  return 0;
}

static void print_table(const struct bench *bench)
{
  const struct sight *s = &bench->sight;
  printf("%s: modelled %.1f ms a handshake, %.1f ms of it before ClientHello; the rest %.1f ms\n",
         bench->timing.name, s->device, s->before, s->model);
  printf("measured by the broker's side %.1f ms, less %.2f ms without pacing (%.2f ms of its own "
         "CPU)\n",
         s->measured, s->baseline, s->server_cpu);
  printf("%-28s %10s %10s %10s\n", "ms", "p50", "p99", "max");
  printf("%-28s %10.3f %10.3f %10.3f\n", "|measured - model|", s->p50, s->p99, s->max);
  printf("%-28s %10.3f %10.3f %10.3f\n", "lateness", bench->lateness.p50, bench->lateness.p99,
         bench->lateness.max);
  printf("within %g %% + %g ms: %zu of %zu devices\n", 100 * TOLERANCE_SHARE, TOLERANCE_MS,
         s->within, s->devices);
}

static void conclude(struct bench *bench)
{
  const struct sight *s = &bench->sight;
  const struct options *options = &bench->options;
  json_object_set_new(bench->report, "timing", json_string(bench->timing.name));
  json_object_set_new(
      bench->report, "broker_side",
      json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:{s:f, s:f, s:f}}", "devices",
                (json_int_t) s->devices, "within", (json_int_t) s->within, "rate",
                options->rate / GATE_SLOWER, "modelled_device_ms", s->device,
                "modelled_before_hello_ms", s->before, "model_ms", s->model, "measured_ms",
                s->measured, "baseline_ms", s->baseline, "server_cpu_ms", s->server_cpu,
                "lateness_max_ms", s->lateness, "error_ms", "p50", s->p50, "p99", s->p99, "max",
                s->max));
  json_object_set_new(bench->report, "lateness_ms",
                      json_pack("{s:I, s:f, s:f, s:f, s:f}", "devices",
                                (json_int_t) options->devices, "rate", options->rate, "p50",
                                bench->lateness.p50, "p99", bench->lateness.p99, "max",
                                bench->lateness.max));
  report_version(bench->report, "mosquitto", broker_version(bench->lab.broker));
  print_table(bench);
}

static int open_bench(struct bench *bench, struct error *error)
{
  const char *named = getenv(CLIENT_TIMING);
  bench->gated = (size_t) ceil((double) bench->options.devices * GATE_SHARE);
  bench->seen = calloc(bench->gated, sizeof *bench->seen);
  bench->values = calloc(bench->gated, sizeof *bench->values);
  if (bench->seen == NULL || bench->values == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu handshakes: use fewer --devices", bench->gated);
  if (timing_load(named != NULL ? named : CLIENT_TIMING_DEFAULT, &bench->timing, error) != 0 ||
      lab_open(&bench->lab, bench->options.devices, 0, error) != 0)
    return -1;
  return gate_open(&bench->lab, &bench->gate, error);
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {
          .bench = "pace",
          .purpose =
              "Pacing: handshakes on the wire against their model, and how late paced devices act.",
          .rounds = 1,
          .devices = 5000,
          .rate = 100}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  bench.report = report_begin(&bench.options, argc, argv);
  int status = open_bench(&bench, &error);
  if (status == 0) status = measure_rounds(&bench, &error);
  if (status == 0) conclude(&bench);
  gate_close(bench.gate);
  lab_close(&bench.lab);
  free(bench.seen);
  free(bench.values);
  return report_end(bench.report, &bench.options, status, &error);
}

/* What a connection that only keeps itself alive costs: resident memory, and CPU time for its
   pings. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "fleet/member.h"
#include "fleetsim/nvm.h"
#include "lab/kinds.h"
#include "lab/report.h"
#include "lab/stats.h"
#include "lab/subject.h"

static const char *const every_kind[] = {"fleetsim",     "fleetsim_tickets", "openssl",
                                         "openssl_lean", "libmosquitto",     NULL};

struct bench {
  struct options options;
  struct kinds kinds;
  struct lab lab;
  json_t *report;
  struct stats kib, cpu_s; /* per device; per device and hour */
};

static void book(struct bench *bench, const char *kind, double opened_kib,
                 const struct subject_answer *idle)
{
  double devices = (double) bench->options.devices;
  double kib = (idle->anonymous_kib - opened_kib) / devices;
  double cpu_s = (double) idle->cpu_us / 1e6 / devices * 3600e6 / (double) idle->wall_us;
  stats_add(&bench->kib, kind, kib);
  stats_add(&bench->cpu_s, kind, cpu_s);
  report_version(bench->report, kind, idle->version);
  report_connections(bench->report, kind, bench->options.devices, idle);
  fprintf(stderr, "  %-12s %6.1f KiB per device, %.4f CPU seconds per device and hour\n", kind, kib,
          cpu_s);
}

static int measure_kind(struct bench *bench, const char *kind, struct error *error)
{
  struct subject subject = {0};
  struct subject_answer opened, answer;
  size_t devices = bench->options.devices;
  int status = subject_start(&subject, &bench->lab, kind, devices, &opened, error);
  if (status == 0)
    status =
        subject_connect(&subject, devices, bench->options.rate, SUBJECT_AT_MOST, &answer, error);
  if (status == 0) status = subject_idle(&subject, bench->options.seconds, &answer, error);
  subject_end(&subject);
  if (status == 0) book(bench, kind, opened.anonymous_kib, &answer);
  return status;
}

static int measure_round(struct bench *bench, size_t round, struct error *error)
{
  fprintf(stderr, "round %zu of %zu\n", round + 1, bench->options.rounds);
  for (size_t turn = 0; turn < bench->kinds.count; turn++)
    if (lab_check(&bench->lab, error) != 0 ||
        measure_kind(bench, kinds_turn(&bench->kinds, round, turn), error) != 0)
      return -1;
  return 0;
}

/* What a device of ours has of its own before its first connect; the rest of its memory is TLS's,
   through calloc. */
static json_t *sizes(void)
{
  static const struct device_profile profile = {
      .name = "bench", .tls_min = 13, .tls_max = 13, .mqtt_version = 4, .borrows = true};
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "device_client",
                   (json_int_t) device_builtin.storage_size(&profile), "backend_conn",
                   (json_int_t) backend_conn_size(), "member", (json_int_t) sizeof(struct member),
                   "fleet_facts_in_member", (json_int_t) sizeof(struct fleet_facts), "order_entry",
                   (json_int_t) sizeof(uint32_t), "nvm_page_file_backed",
                   (json_int_t) DEVICE_NVM_PAGE_SIZE);
}

static void print_table(const struct bench *bench, const json_t *sizeof_parts)
{
  const char *part;
  json_t *bytes;
  printf("%-24s %14s %24s\n", "idle connection", "KiB/device", "CPU s/device and hour");
  for (size_t i = 0; i < bench->kinds.count; i++) {
    const char *kind = bench->kinds.name[i];
    printf("%-24s %14.1f %24.4f\n", kind, stats_median_of(&bench->kib, kind),
           stats_median_of(&bench->cpu_s, kind));
  }
  printf("\n%-24s %14s\n", "sizeof, per device", "bytes");
  json_object_foreach((json_t *) sizeof_parts, part, bytes)
  {
    printf("%-24s %14lld\n", part, (long long) json_integer_value(bytes));
  }
}

static void conclude(struct bench *bench)
{
  json_t *report = bench->report, *sizeof_parts = sizes();
  json_object_set_new(report, "kib_per_device", stats_medians(&bench->kib));
  json_object_set_new(report, "cpu_s_per_device_hour", stats_medians(&bench->cpu_s));
  json_object_set_new(report, "ratio_to_openssl", stats_ratio(&bench->kib, "fleetsim", "openssl"));
  json_object_set_new(report, "sizeof", sizeof_parts);
  json_object_set_new(report, "rounds_of",
                      json_pack("{s:o, s:o}", "kib_per_device", stats_rounds(&bench->kib),
                                "cpu_s_per_device_hour", stats_rounds(&bench->cpu_s)));
  json_object_set_new(report, "seconds", json_real(bench->options.seconds));
  report_version(report, "mosquitto", broker_version(bench->lab.broker));
  print_table(bench, sizeof_parts);
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {
          .bench = "idle",
          .purpose = "Memory and CPU time of connections that are idle, with a keep-alive of 60 s.",
          .rounds = 1,
          .devices = 4000,
          .rate = 300,
          .seconds = 60,
          .kinds = "fleetsim,fleetsim_tickets,openssl,openssl_lean,libmosquitto"}};
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

/* Messages that a client publishes per second of its CPU time, at QoS 0 and QoS 1, as fast as the
   broker takes them. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "lab/kinds.h"
#include "lab/report.h"
#include "lab/stats.h"
#include "lab/subject.h"

#define RATE   100 /* connects a second; not measured */
#define SETTLE 1.0 /* seconds, until what the messages of one QoS left behind is acknowledged */

static const char *const every_kind[] = {"fleetsim", "openssl", "libmosquitto", "paho", NULL};
static const char *const qos_name[] = {"qos0", "qos1"};

struct bench {
  struct options options;
  struct kinds kinds;
  struct lab lab;
  json_t *report;
  struct stats messages[2]; /* per CPU second, by QoS */
};

static void book(struct bench *bench, const char *kind, int qos,
                 const struct subject_answer *answer)
{
  double each = answer->cpu_us == 0 ? 0 : (double) answer->messages * 1e6 / (double) answer->cpu_us;
  stats_add(&bench->messages[qos], kind, each);
  fprintf(stderr, "  %-12s QoS %d: %9.0f per CPU second (%.0f a second)\n", kind, qos, each,
          (double) answer->messages * 1e6 / (double) answer->wall_us);
}

/* QoS 1 first: what QoS 0 leaves in the sockets' buffers would delay every acknowledgement. */
static int publish(struct bench *bench, struct subject *subject, struct subject_answer *answer,
                   struct error *error)
{
  double seconds = bench->options.seconds;
  if (subject_publish(subject, 1, seconds, answer, error) != 0) return -1;
  book(bench, subject->kind, 1, answer);
  if (subject_idle(subject, SETTLE, answer, error) != 0 ||
      subject_publish(subject, 0, seconds, answer, error) != 0)
    return -1;
  book(bench, subject->kind, 0, answer);
  return 0;
}

static int measure_kind(struct bench *bench, const char *kind, struct error *error)
{
  struct subject subject = {0};
  struct subject_answer answer;
  size_t devices = bench->options.devices;
  int status = subject_start(&subject, &bench->lab, kind, devices, &answer, error);
  if (status == 0)
    status = subject_connect(&subject, devices, RATE, SUBJECT_AT_MOST, &answer, error);
  if (status == 0) status = publish(bench, &subject, &answer, error);
  subject_end(&subject);
  if (status != 0) return status;
  report_version(bench->report, kind, answer.version);
  report_connections(bench->report, kind, devices, &answer);
  return 0;
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

static void print_table(const struct bench *bench)
{
  printf("%-24s %10s %10s %10s\n", "messages/CPU second", "median", "min", "max");
  for (int qos = 0; qos < 2; qos++)
    for (size_t i = 0; i < bench->kinds.count; i++) {
      const char *kind = bench->kinds.name[i];
      const struct stats *messages = &bench->messages[qos];
      printf("QoS %d %-18s %10.0f %10.0f %10.0f\n", qos, kind, stats_median_of(messages, kind),
             stats_min_of(messages, kind), stats_max_of(messages, kind));
    }
}

static void set_ratio(struct bench *bench, const char *key, const char *peer)
{
  json_t *ratio = json_object();
  for (int qos = 0; qos < 2; qos++)
    json_object_set_new(ratio, qos_name[qos], stats_ratio(&bench->messages[qos], "fleetsim", peer));
  json_object_set_new(bench->report, key, ratio);
}

static void conclude(struct bench *bench)
{
  json_t *medians = json_object(), *rounds = json_object();
  for (int qos = 0; qos < 2; qos++) {
    json_object_set_new(medians, qos_name[qos], stats_medians(&bench->messages[qos]));
    json_object_set_new(rounds, qos_name[qos], stats_rounds(&bench->messages[qos]));
  }
  json_object_set_new(bench->report, "messages_per_cpu_s", medians);
  json_object_set_new(bench->report, "rounds_of", rounds);
  set_ratio(bench, "ratio_to_libmosquitto", "libmosquitto");
  set_ratio(bench, "ratio_to_paho", "paho");
  json_object_set_new(bench->report, "seconds", json_real(bench->options.seconds));
  report_version(bench->report, "mosquitto", broker_version(bench->lab.broker));
  print_table(bench);
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {.bench = "publish",
                  .purpose =
                      "Messages of 64 bytes that a client publishes per second of its CPU time.",
                  .rounds = 5,
                  .devices = 100,
                  .seconds = 5,
                  .kinds = "fleetsim,openssl,libmosquitto,paho"}};
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

/* How long it takes to make identities: key, CSR, certificate, registry row and NVM page of each
 * device. What `fleetsim pki make` does, in this process.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <sys/resource.h>

#include "lab/floor.h"
#include "lab/lab.h"
#include "lab/report.h"
#include "lab/stats.h"
#include "pki/pki.h"

struct bench {
  struct options options;
  struct lab lab;
  json_t *report;
  struct stats took_s; /* "wall_s", "cpu_s" */
};

static double cpu_s_now(void)
{
  struct rusage spent;
  getrusage(RUSAGE_SELF, &spent);
  return (double) (spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) +
         (double) (spent.ru_utime.tv_usec + spent.ru_stime.tv_usec) / 1e6;
}

static int make_fleet(const char *folder, size_t devices, struct error *error)
{
  static const struct pki_roots roots = {3, {"A", "B", "spare"}}, trusted = {2, {"A", "spare"}};
  struct pki *pki = NULL;
  if (pki_create(folder, &roots, &pki, error) != 0) return -1;
  int status = pki_add_devices(pki, devices, "A", &trusted, error);
  pki_close(pki);
  return status;
}

static int measure_round(struct bench *bench, struct error *error)
{
  char folder[FILES_PATH_MAX];
  if (lab_make_folder(&bench->lab, error) != 0 ||
      files_join(folder, bench->lab.folder, "fleet", error) != 0)
    return -1;
  double wall_s = (double) uv_hrtime() / 1e9, cpu_s = cpu_s_now();
  int status = make_fleet(folder, bench->options.devices, error);
  stats_add(&bench->took_s, "wall_s", (double) uv_hrtime() / 1e9 - wall_s);
  stats_add(&bench->took_s, "cpu_s", cpu_s_now() - cpu_s);
  lab_close(&bench->lab);
  return status == 0 ? lab_interrupted(error) : status;
}

static void conclude(struct bench *bench)
{
  json_t *report = bench->report;
  double wall_s = stats_median_of(&bench->took_s, "wall_s"),
         cpu_s = stats_median_of(&bench->took_s, "cpu_s");
  json_object_set_new(report, "wall_s", json_real(wall_s));
  json_object_set_new(report, "cpu_s", json_real(cpu_s));
  json_object_set_new(report, "rounds_of", stats_rounds(&bench->took_s));
  report_version(report, "libcrypto", floor_version());
  printf("%zu devices made in %.2f s, %.2f s of CPU time (wall %.2f to %.2f s in %zu rounds)\n",
         bench->options.devices, wall_s, cpu_s, stats_min_of(&bench->took_s, "wall_s"),
         stats_max_of(&bench->took_s, "wall_s"), bench->options.rounds);
}

int main(int argc, char **argv)
{
  static struct bench bench = {
      .options = {
          .bench = "fleet-make",
          .purpose =
              "Time to make a fleet's keys, CSRs, certificates, registry rows and NVM pages.",
          .rounds = 3,
          .devices = 10000}};
  struct error error;
  int code = options_parse(&bench.options, argc, argv);
  if (code != OPTIONS_GO_ON) return code;
  bench.report = report_begin(&bench.options, argc, argv);
  int status = 0;
  for (size_t round = 0; status == 0 && round < bench.options.rounds; round++)
    status = measure_round(&bench, &error);
  if (status == 0) conclude(&bench);
  lab_close(&bench.lab);
  return report_end(bench.report, &bench.options, status, &error);
}

#define _POSIX_C_SOURCE 200809L
#include "sample.h"

#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample sample;

static void measure(struct metrics *metrics)
{
  metrics_add(metrics, METRIC_CONNECT_ATTEMPTS, 1013);
  metrics_add(metrics, METRIC_CONNECT_OK, 1000);
  metrics_add(metrics, METRIC_CONNECT_FAILED, 12);
  metrics_set(metrics, METRIC_CONNECT_OPEN, 1);
  metrics_add(metrics, METRIC_HANDSHAKE_FULL, 1000);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY, 3000);
  metrics_add(metrics, METRIC_CRYPTO_VERIFY_REMEMBERED, 2997);
  metrics_add(metrics, METRIC_TELEMETRY_SENT, 5000);
  metrics_add(metrics, METRIC_TELEMETRY_DELIVERED, 4995);
  metrics_set(metrics, METRIC_TELEMETRY_UNAWAITED, 5);
  metrics_set(metrics, METRIC_FLEET_ONLINE, 998);
  metrics_set(metrics, METRIC_DEVICES_LOST, 2);
  metrics_set(metrics, METRIC_PROCESS_CPU, 1.5);
  for (uint32_t i = 0; i < 10; i++)
    metrics_fail(metrics, DEVICE_FAIL_TLS_NOT_TRUSTED, 0xa00 + i, true,
                 "broker sent 2 certificates");
  metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 0xb01, false, "peer \"x\" <gone> & \x1b[31mred");
  metrics_fail(metrics, DEVICE_FAIL_TCP_RESET, 0xb01, true, "later");
  for (uint64_t ms = 1; ms <= 1000; ms++)
    metrics_record_us(metrics, METRIC_HANDSHAKE_WALL, ms * 1000);
  for (unsigned i = 0; i < 1000; i++) metrics_record_us(metrics, METRIC_HANDSHAKE_DEVICE, 1070000);
}

void sample_begin(struct sample *one)
{
  *one = (struct sample){.metrics = metrics_create()};
  assert(one->metrics != NULL);
  measure(one->metrics);
  strcpy(one->folder, "/tmp/fleetsim-report-XXXXXX");
  assert(mkdtemp(one->folder) != NULL);
  one->phase_checks[0] = (struct results_check){"refused == 100%", "10 of 10 (100%)", true};
  one->phases[0] = (struct results_phase){
      "baseline", 0.0, 5.2, true, {"online >= 100%", "1000 of 1000 (100%)", true}, NULL, 0, ""};
  one->phases[1] = (struct results_phase){
      "drop <A> & B", 5.2, 3.0, false, {"", "", false}, one->phase_checks, 1, "rolled back 1 step"};
  one->checks[0] = (struct results_check){"devices.lost == 0", "2", false};
  one->checks[1] = (struct results_check){"telemetry.lost == 0", "0", true};
  one->checks[2] = (struct results_check){"handshake.wall_ms.p99 < 2s", "0.99 s", true};
  one->results = (struct results){.run_id = "00112233445566778899aabbccddeeff",
                                  .verdict = "fail",
                                  .exit_code = EXIT_CODE_FAIL,
                                  .message = "expected devices.lost == 0, observed 2",
                                  .scenario_name = "root \"CA\" rotation",
                                  .scenario_file = "scenarios/root-ca-rotation.yaml",
                                  .seed = 7,
                                  .started = "2026-01-02T03:04:05Z",
                                  .duration_s = 41.2,
                                  .version_fleetsim = "0.1.0",
                                  .devices = 1000,
                                  .profile = "nrf52-m4-64",
                                  .timing = {.profile = "mbedtls-3.6.7-Os",
                                             .clock_hz = 64e6,
                                             .k_low = 1,
                                             .k_nominal = 1.07,
                                             .k_high = 1.15,
                                             .rom_bytes = 85200,
                                             .ram_peak_bytes = 21300,
                                             .record_bytes = 4096,
                                             .trust_anchors_max = 5},
                                  .crypto = "accelerated",
                                  .phases = one->phases,
                                  .phase_count = 2,
                                  .expectations = one->checks,
                                  .expectation_count = 3,
                                  .metrics = one->metrics};
}

int sample_set_up(void **state)
{
  (void) state;
  sample_begin(&sample);
  return 0;
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  char *name = ctx;
  out->number = (uint32_t) index;
  snprintf(name, NAMES_TEXT, "SN 2026-%03zx", index);
  out->id = name;
}

void sample_name(struct sample *one)
{
  char name[NAMES_TEXT];
  int status = names_create(&names_usual, 0xc00, describe, name, &one->names, NULL, NULL);
  assert(status == 0);
  (void) status;
  one->results.names = one->names;
}

void sample_keep_series(struct sample *one)
{
  one->series = series_create();
  assert(one->series != NULL);
  int gauge = series_gauge(one->series, "trusting.B");
  series_set(one->series, gauge, 950);
  series_set_online(one->series, 998);
  series_look(one->series, one->metrics, 1000);
  series_end(one->series, one->metrics, 1500);
  one->results.series = one->series;
}

void sample_end(struct sample *one)
{
  series_destroy(one->series);
  names_free(one->names);
  DIR *folder = opendir(one->folder);
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.') unlinkat(dirfd(folder), entry->d_name, 0);
  closedir(folder);
  rmdir(one->folder);
  metrics_destroy(one->metrics);
}

int sample_take_down(void **state)
{
  (void) state;
  sample_end(&sample);
  return 0;
}

void sample_update(struct sample *one)
{
  struct results_ota *ota = &one->results.ota;
  ota->on = true;
  ota->image_count = 2;
  ota->images[0] = (struct results_image){
      .name = "factory", .version = "1.0.0", .via = "factory", .updated = 990};
  ota->images[1] = (struct results_image){.name = "v2",
                                          .version = "1.1.0",
                                          .hash = "abcd",
                                          .via = "mqtt",
                                          .serial = 3,
                                          .size = 65536,
                                          .touched = 10};
  ota->rollout_count = 1;
  ota->rollouts[0] = (struct results_rollout){.image = "v2",
                                              .state = "aborted",
                                              .wave_count = 2,
                                              .aborted = true,
                                              .criterion = "3 of 10 self_test",
                                              .offered = 10,
                                              .untouched = 990,
                                              .open_when_stopped = 6,
                                              .touched_after = 5};
  ota->rollouts[0].waves[0] = (struct results_wave){.devices = 10,
                                                    .offered = 10,
                                                    .confirmed = 2,
                                                    .rolled_back = 3,
                                                    .cancelled = 1,
                                                    .open = 4,
                                                    .duration_s = 1.5};
  ota->rollouts[0].waves[1] = (struct results_wave){.devices = 990, .duration_s = NAN};
  ota->statuses[DEVICE_OTA_CONFIRMED].count = 2;
  ota->statuses[DEVICE_OTA_SELF_TEST] =
      (struct results_ota_status){.count = 3, .first_devices = {0xa, 0xb, 0xc}, .first_count = 3};
  metrics_add(one->metrics, METRIC_OTA_OFFERED, 10);
  metrics_add(one->metrics, METRIC_OTA_UPDATED, 2);
  metrics_add(one->metrics, METRIC_OTA_ROLLED_BACK, 3);
  metrics_add(one->metrics, METRIC_OTA_BYTES, 3 * 1048576);
  metrics_add(one->metrics, METRIC_OTA_RESENT_BYTES, 512);
}

void sample_pass(struct sample *one)
{
  one->checks[0] = (struct results_check){"devices.lost == 0", "0", true};
  metrics_set(one->metrics, METRIC_DEVICES_LOST, 0);
  one->results.verdict = "pass";
  one->results.exit_code = EXIT_CODE_PASS;
  one->results.message[0] = '\0';
}

void sample_conclude(struct sample *one)
{
  struct error error = {0};
  struct events *events = NULL;
  int status = events_open(one->folder, &events, &error);
  if (status == 0)
    events_emit(events, &(struct event){.kind = EVENT_BRAKE, .t_s = 1, .brake = {true}});
  if (status == 0) status = results_conclude(&one->results, events, 41.2, one->folder, &error);
  if (status != 0) fprintf(stderr, "%s\n", error.text);
  assert(status == 0);
}

char *sample_read(const struct sample *one, const char *name)
{
  char path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  if (files_join(path, one->folder, name, NULL) != 0) return NULL;
  return files_read(path, 1u << 20, &data, &size, NULL) == 0 ? (char *) data : NULL;
}

char *sample_printed(const struct sample *one, bool colour)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  assert(out != NULL);
  results_print(&one->results, out, &(struct results_extent){.colour = colour});
  fclose(out);
  return text;
}

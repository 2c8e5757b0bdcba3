/* Clones: copies of devices with everything that their flash holds, the private key too. They are a
 * fleet of their own, with its own counters, on the same loop: to the broker each is the device. */
#define _POSIX_C_SOURCE 200809L
#include "stage/clones.h"

#include <stdlib.h>
#include <string.h>

#include "fleetsim/nvm.h"
#include "stage/device_names.h"
#include "stage/fleet_config.h"
#include "stage/logins.h"
#include "stage/wait.h"

#define STOP_WITHIN_MS 3000u

struct stage_clones {
  size_t count;
  uint32_t *ids, *devices; /* whose copy each is */
  struct stage_whose whose;
  struct names *names;
  uint8_t *pages;
  uint32_t *indices; /* 0..count-1: fleet_connect wants a list */
  struct fleet *fleet;
  struct metrics *metrics;
  struct events *events; /* OUT/clones */
  bool stopped;
};

static uint8_t *clone_page(void *clones, size_t index)
{
  return ((struct stage_clones *) clones)->pages + index * DEVICE_NVM_PAGE_SIZE;
}

static uint32_t clone_id(void *clones, size_t index)
{
  return ((struct stage_clones *) clones)->ids[index];
}

/* -1: not all of their events are on disk. */
static int release(struct stage_clones *clones, struct error *error)
{
  int status = clones->events != NULL ? events_close(clones->events, error) : 0;
  if (clones->metrics != NULL) metrics_destroy(clones->metrics);
  free(clones->ids);
  free(clones->devices);
  names_free(clones->names);
  free(clones->pages);
  free(clones->indices);
  free(clones);
  return status;
}

static int copy_devices(struct stage *stage, struct stage_clones *clones, const uint32_t *devices,
                        size_t count)
{
  char folder[FILES_PATH_MAX];
  clones->count = count;
  clones->ids = calloc(count, sizeof *clones->ids);
  clones->devices = calloc(count, sizeof *clones->devices);
  clones->pages = calloc(count, DEVICE_NVM_PAGE_SIZE);
  clones->indices = calloc(count, sizeof *clones->indices);
  clones->metrics = metrics_create();
  if (clones->ids == NULL || clones->devices == NULL || clones->pages == NULL ||
      clones->indices == NULL || clones->metrics == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for %zu clones", count);
  for (size_t i = 0; i < count; i++) {
    clones->ids[i] = stage->ids[devices[i]];
    clones->devices[i] = devices[i];
    clones->indices[i] = (uint32_t) i;
    memcpy(clone_page(clones, i), pki_device_page(stage->pki, devices[i]), DEVICE_NVM_PAGE_SIZE);
  }
  if (stage_name_devices(stage, devices, count, &clones->names) != 0) return -1;
  if (files_join(folder, stage->options->out, "clones", &stage->error) != 0 ||
      files_make_folder(folder, 0755, &stage->error) != 0)
    return -1;
  if (events_open(folder, &clones->events, &stage->error) != 0) return -1;
  events_name_devices(clones->events, clones->names);
  return 0;
}

static int make_fleet(struct stage *stage, struct stage_clones *clones)
{
  struct fleet_config config;
  if (stage_fleet_config(stage, &config) != 0) return -1;
  /* they take no firmware updates: their flash is nobody's */
  config.profile = &stage->scenario->device;
  config.ota = (struct fleet_ota){.flash = NULL};
  config.device_count = clones->count;
  config.page = clone_page;
  config.id = clone_id;
  config.names = clones->names;
  clones->whose = (struct stage_whose){stage, clones->devices};
  config.logins = stage_fleet_logins(&clones->whose);
  config.pages = clones;
  config.metrics = clones->metrics;
  config.events = clones->events;
  config.mark = stage_clones_mark(stage);
  config.seed ^= 1; /* a clone's dice are its own */
  return fleet_create(&config, &clones->fleet, &stage->error);
}

int stage_start_clones(struct stage *stage, const uint32_t *devices, size_t count, double rate)
{
  struct stage_clones *clones = calloc(1, sizeof *clones);
  if (clones == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for %zu clones", count);
  if (copy_devices(stage, clones, devices, count) != 0 || make_fleet(stage, clones) != 0) {
    (void) release(clones, NULL);
    return -1;
  }
  stage->clones = clones;
  const struct fleet_telemetry telemetry = stage_telemetry(&stage->scenario->telemetry);
  if (telemetry.on) fleet_set_telemetry(clones->fleet, &telemetry);
  fleet_connect(clones->fleet, clones->indices, count, rate, false);
  return 0;
}

uint32_t stage_clones_came(const struct stage *stage, size_t device)
{
  const struct stage_clones *clones = stage->clones;
  uint32_t came = 0;
  for (size_t i = 0; clones != NULL && i < clones->count; i++) {
    const struct fleet_facts *facts = fleet_facts(clones->fleet, i);
    if (clones->devices[i] == device) came += facts->connects + facts->unseen;
  }
  return came;
}

static double failures(const struct metrics *metrics, enum device_failure failure)
{
  return (double) metrics_failure(metrics, failure)->count;
}

/* In the words of a broker, or by closing once the handshake is over; whom a restart cuts off
 * earlier is not refused.
 */
static double refusals(const struct metrics *metrics)
{
  double count = 0;
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    if (f != DEVICE_FAIL_TCP_CLOSED && f != DEVICE_FAIL_TCP_RESET && device_failure_is_refusal(f))
      count += failures(metrics, f);
  return count;
}

void stage_measure_clones(struct stage *stage)
{
  struct stage_clones *clones = stage->clones;
  struct fleet_census census;
  if (clones == NULL || clones->stopped) return;
  fleet_census(clones->fleet, &census);
  const struct metrics *theirs = clones->metrics;
  metrics_set(stage->metrics, METRIC_COMPROMISE_CLONES, (double) clones->count);
  metrics_set(stage->metrics, METRIC_COMPROMISE_ONLINE, (double) census.online);
  metrics_set(stage->metrics, METRIC_COMPROMISE_ACCEPTS, metrics_value(theirs, METRIC_CONNECT_OK));
  metrics_set(stage->metrics, METRIC_COMPROMISE_REFUSED, refusals(theirs));
  metrics_set(stage->metrics, METRIC_COMPROMISE_CUT,
              failures(theirs, DEVICE_FAIL_SESSION_CLOSED) +
                  failures(theirs, DEVICE_FAIL_SESSION_RESET) +
                  failures(theirs, DEVICE_FAIL_SESSION_DISCONNECT));
}

static bool are_offline(struct stage *stage, void *ctx)
{
  (void) ctx;
  struct fleet_census census;
  fleet_census(stage->clones->fleet, &census);
  return census.online == 0 && census.attempts_open == 0;
}

void stage_stop_clones(struct stage *stage)
{
  if (stage->clones == NULL) return;
  stage_measure_clones(stage);
  stage->clones->stopped = true;
  fleet_disconnect_all(stage->clones->fleet);
  if (!stage->aborted) stage_wait(stage, are_offline, NULL, STOP_WITHIN_MS);
  /* a CONNACK that was on its way */
  metrics_set(stage->metrics, METRIC_COMPROMISE_ACCEPTS,
              metrics_value(stage->clones->metrics, METRIC_CONNECT_OK));
}

struct fleet *stage_clones_fleet(struct stage *stage)
{
  return stage->clones == NULL ? NULL : stage->clones->fleet;
}

void stage_release_clones(struct stage *stage)
{
  if (stage->clones == NULL) return;
  struct error error;
  int status = release(stage->clones, &error);
  stage->clones = NULL;
  if (status != 0) stage_abort(stage, &error);
}

/* Firmware updates: what the devices leave the factory with, and what the fleet needs for them. */
#define _POSIX_C_SOURCE 200809L
#include "run/ota.h"

#include <stdlib.h>

#include "base/random.h"
#include "pki/image.h"

const struct device_profile *run_device_profile(const struct run *run)
{
  return run->ota != NULL ? &run->ota->device : &run->scenario->device;
}

int run_ota_begin(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  if (!scenario->ota.on) return 0;
  run->ota = calloc(1, sizeof *run->ota);
  if (run->ota != NULL) run->ota->heard = calloc(scenario->devices, sizeof *run->ota->heard);
  if (run->ota == NULL || run->ota->heard == NULL) {
    run_ota_free(run);
    return error_set(&run->error, EXIT_CODE_SETUP,
                     "not enough memory for the updates of %zu devices", scenario->devices);
  }
  run->ota->profile = scenario->ota.profile;
  run->ota->device = scenario->device;
  run->ota->device.ota = &run->ota->profile;
  return 0;
}

size_t run_ota_downloads(const struct run *run)
{
  if (!run->scenario->ota.server) return 0;
  return run->scenario->devices < RUN_DOWNLOADS_MAX ? run->scenario->devices : RUN_DOWNLOADS_MAX;
}

uint64_t run_ota_flash_bytes(const struct run *run)
{
  const struct scenario_ota *ota = &run->scenario->ota;
  uint64_t largest = 0;
  for (size_t i = 1; i < ota->image_count; i++) {
    uint64_t size = ota->images[i].file[0] != '\0' ? ota->profile.slot_size : ota->images[i].size;
    if (size > largest) largest = size;
  }
  return ota->on ? ota->images[SCENARIO_FACTORY].size + largest + DEVICE_FLASH_SECTOR : 0;
}

/* The image of the factory stands in nobody's way: devices have it, and no manifest announces
   it. */
int run_ota_prepare(struct run *run)
{
  struct run_ota *ota = run->ota;
  const struct scenario_ota *scenario = &run->scenario->ota;
  if (ota == NULL) return 0;
  const struct flash_config flash = {.devices = run->scenario->devices,
                                     .slot_size = ota->profile.slot_size,
                                     .erase_us = scenario->erase_us,
                                     .program_us = scenario->program_us};
  const struct run_image *factory = &ota->images[SCENARIO_FACTORY];
  if (pki_image_point(run->pki, ota->profile.image_key, &run->error) != 0 ||
      run_ota_read_files(run) != 0 || run_ota_make(run, SCENARIO_FACTORY) != 0 ||
      flash_create(run->options->out, &flash, &ota->flash, &run->error) != 0)
    return -1;
  return flash_factory(ota->flash, factory->bytes, factory->size, &run->error);
}

/* In which devices a build fails is decided by the seed, device by device: a wave sees its share of
   them. */
static bool fails_in(const struct run *run, const struct scenario_image *image, size_t index)
{
  uint64_t random = run->scenario->seed ^ (uint64_t) image->version << 32 ^ index;
  random_next(&random);
  return random_unit(&random) <= image->failing;
}

static enum fleet_trial trial(void *ctx, size_t index, uint32_t version)
{
  static const enum fleet_trial trials[] = {[SCENARIO_TEST_PASS] = FLEET_TRIAL_PASS,
                                            [SCENARIO_TEST_FAIL] = FLEET_TRIAL_FAIL,
                                            [SCENARIO_TEST_CRASH] = FLEET_TRIAL_CRASH,
                                            [SCENARIO_TEST_HANG] = FLEET_TRIAL_HANG};
  const struct run *run = ctx;
  const struct scenario_ota *ota = &run->scenario->ota;
  for (size_t i = 0; i < ota->image_count; i++) {
    const struct scenario_image *image = &ota->images[i];
    if (run->ota->images[i].version != version) continue;
    return fails_in(run, image, index) ? trials[image->self_test] : FLEET_TRIAL_PASS;
  }
  return FLEET_TRIAL_PASS;
}

void run_ota_lend(struct run *run, struct fleet_config *config)
{
  if (run->ota == NULL) return;
  config->ota = (struct fleet_ota){
      .flash = run->ota->flash, .fetch = run_ota_fetch(run), .trial = trial, .ctx = run};
}

void run_ota_free(struct run *run)
{
  struct run_ota *ota = run->ota;
  if (ota == NULL) return;
  for (size_t r = 0; r < ota->rollout_count; r++) rollout_destroy(ota->rollouts[r].rollout);
  for (size_t i = 0; i < sizeof ota->images / sizeof ota->images[0]; i++)
    free(ota->images[i].bytes);
  flash_destroy(ota->flash);
  free(ota->heard);
  free(ota);
  run->ota = NULL;
}

/* Firmware updates: what the devices leave the factory with, and what the fleet needs for them. */
#define _POSIX_C_SOURCE 200809L
#include "stage/firmware.h"

#include <stdlib.h>

#include "base/random.h"
#include "pki/image.h"

const struct device_profile *stage_device_profile(const struct stage *stage)
{
  return stage->ota != NULL ? &stage->ota->device : &stage->scenario->device;
}

int stage_ota_begin(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  if (!scenario->ota.on) return 0;
  stage->ota = calloc(1, sizeof *stage->ota);
  if (stage->ota != NULL) stage->ota->heard = calloc(scenario->devices, sizeof *stage->ota->heard);
  if (stage->ota == NULL || stage->ota->heard == NULL) {
    stage_ota_free(stage);
    return error_set(&stage->error, EXIT_CODE_SETUP,
                     "not enough memory for the updates of %zu devices", scenario->devices);
  }
  stage->ota->profile = scenario->ota.profile;
  stage->ota->device = scenario->device;
  stage->ota->device.ota = &stage->ota->profile;
  return 0;
}

size_t stage_ota_downloads(const struct stage *stage)
{
  if (!stage->scenario->ota.server) return 0;
  return stage->scenario->devices < STAGE_DOWNLOADS_MAX ? stage->scenario->devices
                                                        : STAGE_DOWNLOADS_MAX;
}

uint64_t stage_ota_flash_bytes(const struct stage *stage)
{
  const struct scenario_ota *ota = &stage->scenario->ota;
  uint64_t largest = 0;
  for (size_t i = 1; i < ota->image_count; i++) {
    uint64_t size = ota->images[i].file[0] != '\0' ? ota->profile.slot_size : ota->images[i].size;
    if (size > largest) largest = size;
  }
  return ota->on ? ota->images[SCENARIO_FACTORY].size + largest + DEVICE_FLASH_SECTOR : 0;
}

/* The image of the factory stands in nobody's way: devices have it, and no manifest announces
   it. */
int stage_ota_prepare(struct stage *stage)
{
  struct stage_ota *ota = stage->ota;
  const struct scenario_ota *scenario = &stage->scenario->ota;
  if (ota == NULL) return 0;
  const struct flash_config flash = {.devices = stage->scenario->devices,
                                     .slot_size = ota->profile.slot_size,
                                     .erase_us = scenario->erase_us,
                                     .program_us = scenario->program_us};
  const struct stage_image *factory = &ota->images[SCENARIO_FACTORY];
  if (pki_image_point(stage->pki, ota->profile.image_key, &stage->error) != 0 ||
      stage_ota_make(stage, SCENARIO_FACTORY) != 0 ||
      flash_create(stage->options->out, &flash, &ota->flash, &stage->error) != 0)
    return -1;
  return flash_factory(ota->flash, factory->bytes, factory->size, &stage->error);
}

/* In which devices a build fails is decided by the seed, device by device: a wave sees its share of
   them. */
static bool fails_in(const struct stage *stage, const struct scenario_image *image, size_t number)
{
  uint64_t random = stage->scenario->seed ^ (uint64_t) image->version << 32 ^ number;
  random_next(&random);
  return random_unit(&random) <= image->failing;
}

static enum fleet_trial trial(void *ctx, size_t number, uint32_t version)
{
  static const enum fleet_trial trials[] = {[SCENARIO_TEST_PASS] = FLEET_TRIAL_PASS,
                                            [SCENARIO_TEST_FAIL] = FLEET_TRIAL_FAIL,
                                            [SCENARIO_TEST_CRASH] = FLEET_TRIAL_CRASH,
                                            [SCENARIO_TEST_HANG] = FLEET_TRIAL_HANG};
  const struct stage *stage = ctx;
  const struct scenario_ota *ota = &stage->scenario->ota;
  for (size_t i = 0; i < ota->image_count; i++) {
    const struct scenario_image *image = &ota->images[i];
    if (stage->ota->images[i].version != version) continue;
    return fails_in(stage, image, number) ? trials[image->self_test] : FLEET_TRIAL_PASS;
  }
  return FLEET_TRIAL_PASS;
}

void stage_ota_lend(struct stage *stage, struct fleet_config *config)
{
  if (stage->ota == NULL) return;
  config->ota = (struct fleet_ota){
      .flash = stage->ota->flash, .fetch = stage_ota_fetch(stage), .trial = trial, .ctx = stage};
}

void stage_ota_free(struct stage *stage)
{
  struct stage_ota *ota = stage->ota;
  if (ota == NULL) return;
  for (size_t r = 0; r < ota->rollout_count; r++) rollout_destroy(ota->rollouts[r].rollout);
  for (size_t i = 0; i < sizeof ota->images / sizeof ota->images[0]; i++)
    free(ota->images[i].bytes);
  flash_destroy(ota->flash);
  free(ota->heard);
  free(ota);
  stage->ota = NULL;
}

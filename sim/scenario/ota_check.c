/* ota. The images that steps publish are declared to it before any step or expression names one. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

#define SLOT_MIN (16u * 1024u)
#define SLOT_MAX (16u * 1024u * 1024u)
/* of the whole file: header, lists and signature need some hundred bytes */
#define IMAGE_MIN      1024u
#define ATTEMPTS_MAX   250u
#define RESCUE_MAX     250u
#define TIMEOUT_MAX_MS 3600000u
#define FLASH_MAX_US   10000000u

static int take_bytes(const struct take *t, const char *at, const char *key, const char *text,
                      uint64_t least, uint64_t most, uint32_t *out)
{
  char why[200];
  uint64_t bytes = 0;
  if (text == NULL) return 0;
  if (units_bytes(text, &bytes, why, sizeof why) != 0) return take_fail(t, at, key, "%s", why);
  if (bytes < least || bytes > most)
    return take_fail(t, at, key, "'%.40s' is out of range: '%s' is from %llu to %llu bytes", text,
                     key, (unsigned long long) least, (unsigned long long) most);
  *out = (uint32_t) bytes;
  return 0;
}

static int take_u32(const struct take *t, const char *at, const char *key, const char *text,
                    uint64_t least, uint64_t most, uint32_t *out)
{
  uint64_t value = *out;
  if (take_number(t, at, key, text, least, most, &value) != 0) return -1;
  *out = (uint32_t) value;
  return 0;
}

static int take_ms(const struct take *t, const char *key, const char *text, uint32_t *out)
{
  uint64_t ms = *out;
  if (take_duration(t, "ota", key, text, 10, TIMEOUT_MAX_MS, &ms) != 0) return -1;
  *out = (uint32_t) ms;
  return 0;
}

static int take_version(const struct take *t, const char *at, const char *text, uint32_t *out)
{
  char why[200];
  if (text == NULL || units_version(text, out, why, sizeof why) == 0) return 0;
  return take_fail(t, at, "version", "%s", why);
}

static int take_us(const struct take *t, const char *key, const char *text, uint32_t *out)
{
  char why[200];
  uint64_t us = 0;
  if (text == NULL) return 0;
  if (units_us(text, &us, why, sizeof why) != 0) return take_fail(t, "ota.flash", key, "%s", why);
  if (us > FLASH_MAX_US)
    return take_fail(t, "ota.flash", key, "'%.40s' is out of range: '%s' is at most 10s", text,
                     key);
  *out = (uint32_t) us;
  return 0;
}

/* The last sector of a slot is the device's own. */
static uint32_t image_max(const struct scenario_ota *ota)
{
  return ota->profile.slot_size - DEVICE_FLASH_SECTOR;
}

static int check_sizes(const struct take *t, const struct raw_ota *raw, struct scenario_ota *out)
{
  if (take_bytes(t, "ota", "slots", raw->slots, SLOT_MIN, SLOT_MAX, &out->profile.slot_size) != 0 ||
      take_bytes(t, "ota", "block", raw->block, DEVICE_OTA_BLOCK_MIN, DEVICE_OTA_BLOCK_MAX,
                 &out->block) != 0)
    return -1;
  if (out->profile.slot_size % DEVICE_FLASH_SECTOR != 0)
    return take_fail(t, "ota", "slots",
                     "'%.40s' is no whole number of sectors: write a multiple of 4KiB", raw->slots);
  if ((out->block & (out->block - 1)) != 0)
    return take_fail(t, "ota", "block", "'%.40s' is no power of two: write 256, 512, 1024 or 2048",
                     raw->block);
  return 0;
}

static int check_profile(const struct take *t, const struct raw_ota *raw, struct scenario_ota *out)
{
  struct device_ota_profile *profile = &out->profile;
  uint32_t window = profile->window, attempts = profile->attempts;
  if (check_sizes(t, raw, out) != 0 ||
      take_u32(t, "ota", "window", raw->window, 1, DEVICE_OTA_WINDOW_MAX, &window) != 0 ||
      take_u32(t, "ota", "attempts", raw->attempts, 1, ATTEMPTS_MAX, &attempts) != 0 ||
      take_ms(t, "block-timeout", raw->block_timeout, &profile->block_timeout_ms) != 0 ||
      take_ms(t, "trial", raw->trial, &profile->trial_timeout_ms) != 0 ||
      take_u32(t, "ota", "class", raw->device_class, 0, UINT32_MAX, &profile->device_class) != 0 ||
      take_flag(t, "ota", "padded-signatures", raw->padded_signatures,
                &profile->padded_signatures) != 0)
    return -1;
  profile->window = (uint8_t) window;
  profile->attempts = (uint8_t) attempts;
  return 0;
}

static int check_parts(const struct take *t, const struct raw_ota *raw, struct scenario_ota *out)
{
  struct scenario_image *factory = &out->images[SCENARIO_FACTORY];
  factory->device_class = out->profile.device_class;
  if (raw->flash != NULL && (take_us(t, "erase", raw->flash->erase, &out->erase_us) != 0 ||
                             take_us(t, "program", raw->flash->program, &out->program_us) != 0))
    return -1;
  if (raw->rescue != NULL) {
    uint32_t after = 3;
    if (take_u32(t, "ota.rescue", "after", raw->rescue->after, 1, RESCUE_MAX, &after) != 0)
      return -1;
    out->profile.rescue_after = (uint8_t) after;
  }
  if (raw->factory == NULL) return 0;
  if (take_version(t, "ota.factory", raw->factory->version, &factory->version) != 0 ||
      take_u32(t, "ota.factory", "counter", raw->factory->counter, 0, UINT32_MAX - 1,
               &factory->counter) != 0)
    return -1;
  return take_bytes(t, "ota.factory", "size", raw->factory->size, IMAGE_MIN, image_max(out),
                    &factory->size);
}

/* --- All of it ------------------------------------------------------------------------------- */

/* The server is on loopback, and so must be whoever it serves. */
static int check_server(const struct take *t, const struct raw_ota *raw, struct scenario *out)
{
  static const char *const words[] = {"none", "nginx", NULL};
  struct scenario_ota *ota = &out->ota;
  bool needed = ota->profile.rescue_after > 0;
  for (size_t i = 0; i < ota->image_count; i++)
    needed = needed || ota->images[i].via == SCENARIO_VIA_HTTPS;
  int word = needed;
  if (take_word(t, "ota", "server", raw->server, words, &word) != 0) return -1;
  ota->server = word == 1;
  if (needed && !ota->server)
    return take_fail(t, "ota", "server",
                     "without a server no image can go by HTTPS, and no rescue: write 'nginx'");
  for (size_t n = 0; n < out->node_count && ota->server; n++)
    if (!scenario_is_loopback(out->nodes[n].host))
      return take_fail(t, "ota", "",
                       "the run's own image server is on loopback, and broker %s is not: publish "
                       "'via: mqtt', without 'rescue'",
                       out->nodes[n].host);
  return 0;
}

static const struct scenario_ota defaults = {
    .profile = {.slot_size = 512 * 1024,
                .window = 8,
                .attempts = 10,
                .block_timeout_ms = 5000,
                .trial_timeout_ms = 30000,
                .device_class = 1},
    .block = 1024,
    .erase_us = 85000, /* nRF52840 Product Specification v1.1, NVMC: t_ERASEPAGE, t_WRITE */
    .program_us = 41,
    .images =
        {{.name = "factory", .version = DEVICE_VERSION(1, 0, 0), .counter = 1, .size = 16 * 1024}},
    .image_count = 1};

int check_ota(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  if (raw->ota == NULL) return 0;
  out->ota = defaults;
  out->ota.on = true;
  if (check_profile(t, raw->ota, &out->ota) != 0 || check_parts(t, raw->ota, &out->ota) != 0 ||
      check_declared(t, out) != 0)
    return -1;
  return check_server(t, raw->ota, out);
}

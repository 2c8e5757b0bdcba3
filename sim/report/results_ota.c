/* Firmware updates in results.json. */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "fleetsim/device.h"
#include "report/results_json.h"

static json_t *integer(size_t value)
{
  return json_integer((json_int_t) value);
}

static json_t *text_or_null(const char *text)
{
  return text[0] != '\0' ? results_json_string(text) : json_null();
}

static json_t *image_of(const struct results_image *image)
{
  return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                   results_json_string(image->name), "version", image->version, "via", image->via,
                   "counter", integer(image->counter), "size", integer(image->size), "serial",
                   integer(image->serial), "sha256", text_or_null(image->hash), "harm",
                   text_or_null(image->harm), "touched", integer(image->touched), "updated",
                   integer(image->updated));
}

static json_t *wave_of(const struct results_wave *wave)
{
  json_t *duration = isfinite(wave->duration_s) ? json_real(wave->duration_s) : json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "devices",
                   integer(wave->devices), "offered", integer(wave->offered), "confirmed",
                   integer(wave->confirmed), "refused", integer(wave->refused), "rolled_back",
                   integer(wave->rolled_back), "cancelled", integer(wave->cancelled), "open",
                   integer(wave->open), "duration_s", duration, "timed_out", wave->timed_out);
}

static json_t *rollout_of(const struct results_rollout *rollout)
{
  json_t *waves = json_array();
  for (size_t w = 0; w < rollout->wave_count; w++)
    waves = results_json_and(waves, wave_of(&rollout->waves[w]));
  return json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "image",
                   results_json_string(rollout->image), "state", rollout->state, "aborted",
                   rollout->aborted, "criterion", text_or_null(rollout->criterion), "offered",
                   integer(rollout->offered), "untouched", integer(rollout->untouched),
                   "open_when_stopped", integer(rollout->open_when_stopped), "touched_after",
                   integer(rollout->touched_after), "waves", waves);
}

static json_t *status_of(const struct results_ota_status *status, const struct names *names)
{
  return json_pack("{s:o, s:o}", "count", integer(status->count), "first_devices",
                   results_json_devices(names, status->first_devices, status->first_count));
}

json_t *results_ota_json(const struct results_ota *ota, const struct names *names)
{
  if (!ota->on) return json_null();
  json_t *images = json_array(), *rollouts = json_array(), *statuses = json_object();
  for (size_t i = 0; i < ota->image_count; i++)
    images = results_json_and(images, image_of(&ota->images[i]));
  for (size_t r = 0; r < ota->rollout_count; r++)
    rollouts = results_json_and(rollouts, rollout_of(&ota->rollouts[r]));
  for (int s = DEVICE_OTA_NONE + 1; s < DEVICE_OTA_STATUS_COUNT; s++)
    if (ota->statuses[s].count > 0)
      statuses = results_json_with(statuses, device_ota_status_name((enum device_ota_status) s),
                                   status_of(&ota->statuses[s], names));
  return json_pack("{s:o, s:o, s:o}", "images", images, "rollout", rollouts, "statuses", statuses);
}

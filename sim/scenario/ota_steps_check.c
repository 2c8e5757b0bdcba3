/* The steps of firmware updates. ota_check.c has taken every image by then. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

#define WITHIN_MS      60000u
#define WITHIN_MAX_MS  (7u * 86400000u)
#define JITTER_MS      5000u
#define GROWTH_MAX     5u
#define DEVICES_MAX    1000000u
#define CUT_EVERY      50u
#define CUT_EVERY_MAX  1000000u
#define CUT_TIMES      3u
#define CUT_TIMES_MAX  10000u
#define CUT_AFTER      (64u * 1024u)
#define BYTES_MAX      (1024u * 1024u * 1024u)
#define LATENCY_MAX_MS 60000u

/* One step on its way from text to struct. */
struct work {
  const struct take *t;
  const char *at;
  const struct raw_args *raw;
  const struct scenario *s;
  struct scenario_step *out;
};

static int take_u32(const struct take *t, const char *at, const char *key, const char *text,
                    uint64_t least, uint64_t most, uint32_t *out)
{
  uint64_t value = *out;
  if (take_number(t, at, key, text, least, most, &value) != 0) return -1;
  *out = (uint32_t) value;
  return 0;
}

static int take_bytes(const struct work *w, const char *key, const char *text, uint64_t *out)
{
  char why[200];
  if (text == NULL) return 0;
  if (units_bytes(text, out, why, sizeof why) != 0) return take_fail(w->t, w->at, key, "%s", why);
  if (*out >= 1 && *out <= BYTES_MAX) return 0;
  return take_fail(w->t, w->at, key, "'%.40s' is out of range: '%s' is from 1 to %u bytes", text,
                   key, BYTES_MAX);
}

static int take_image(const struct work *w)
{
  if (w->raw->image == NULL)
    return take_fail(w->t, w->at, "", "this step needs an image: write 'image: v2'");
  int image = scenario_find_image(w->s, w->raw->image);
  if (image == (int) SCENARIO_FACTORY)
    return take_fail(w->t, w->at, "image",
                     "every device has the image 'factory' from the start: name another one");
  if (image < 0)
    return take_fail(w->t, w->at, "image",
                     "image '%.40s' is never published: put 'ota.publish: {image: %.40s, version: "
                     "1.1.0}' above this step",
                     w->raw->image, w->raw->image);
  w->out->image = (size_t) image;
  return 0;
}

/* --- Rollout ---------------------------------------------------------------------------------- */

static int take_status(const struct take *t, const char *at, const char *text,
                       struct scenario_abort *out)
{
  if (text == NULL || strcmp(text, "failed") == 0) return 0;
  int status = device_ota_status_find(text, strlen(text));
  if (status < 0)
    return take_fail(t, at, "status",
                     "'%.40s' is no status of an update: write 'failed' for every failure, or one "
                     "of them, such as 'self_test'",
                     text);
  out->any = false;
  out->status = (enum device_ota_status) status;
  if (device_ota_is_refusal(out->status) || device_ota_is_rolled_back(out->status)) return 0;
  return take_fail(
      t, at, "status",
      "'%s' is no failure: write 'failed' for every failure, or one of them, such as 'self_test'",
      text);
}

static int take_abort(const struct work *w, unsigned index)
{
  static const char *const of[] = {"wave", "all", NULL};
  const struct raw_abort *raw = w->raw->abort[index];
  struct scenario_abort *out = &w->out->rollout.abort[index];
  char at[DOC_PATH_MAX];
  int whole = 0;
  snprintf(at, sizeof at, "%.200s.abort[%u]", w->at, index);
  *out = (struct scenario_abort){.any = true, .share = 0.05, .minimum = 3};
  if (take_status(w->t, at, raw->status, out) != 0 ||
      take_share(w->t, at, "share", raw->share, &out->share) != 0 ||
      take_word(w->t, at, "of", raw->of, of, &whole) != 0 ||
      take_u32(w->t, at, "minimum", raw->minimum, 1, DEVICES_MAX, &out->minimum) != 0)
    return -1;
  out->of_all = whole == 1;
  return 0;
}

/* "2" or "1.5". */
static int take_growth(const struct work *w, double *out)
{
  char share[24], why[200];
  const char *text = w->raw->growth;
  if (text == NULL) return 0;
  snprintf(share, sizeof share, "%.20s%%", text);
  if (strlen(text) > 8 || units_share(share, out, why, sizeof why) != 0 || *out * 100 < 1 ||
      *out * 100 > GROWTH_MAX)
    return take_fail(w->t, w->at, "growth",
                     "'%.40s' is no factor: write a number from 1 to %u, such as 2 or 1.5", text,
                     GROWTH_MAX);
  *out *= 100;
  return 0;
}

static int take_pace(const struct work *w)
{
  struct scenario_rollout *out = &w->out->rollout;
  const struct raw_args *raw = w->raw;
  const char *extra = raw->growth != NULL ? "growth" : "after";
  out->by_rate = raw->rate != NULL;
  if (out->by_rate && raw->waves_count > 0)
    return take_fail(w->t, w->at, "rate",
                     "a rollout goes in waves or by a rate: remove one of the two");
  if (!out->by_rate && (raw->growth != NULL || raw->after != NULL))
    return take_fail(w->t, w->at, extra,
                     "'%s' is of a rollout by rate: add 'rate: 1/s', or remove this", extra);
  if (raw->after != NULL && raw->growth == NULL)
    return take_fail(w->t, w->at, "after",
                     "this rate does not grow: add 'growth: 2', or remove this");
  if (out->by_rate && raw->jitter != NULL)
    return take_fail(w->t, w->at, "jitter", "a rollout by rate has its own pace: remove this");
  if (out->by_rate) out->jitter_ms = 0;
  if (take_rate(w->t, w->at, "rate", raw->rate, &w->out->rate) != 0 ||
      take_growth(w, &out->growth) != 0)
    return -1;
  return take_u32(w->t, w->at, "after", raw->after, 1, DEVICES_MAX, &out->growth_after);
}

static int take_rollout(const struct work *w)
{
  struct scenario_rollout *out = &w->out->rollout;
  uint64_t jitter = JITTER_MS;
  *out = (struct scenario_rollout){.growth = 1, .growth_after = 10};
  w->out->within_ms = WITHIN_MS;
  if (take_image(w) != 0 || check_who(w->t, w->at, w->raw, w->s, false, &w->out->who) != 0 ||
      take_waves(w->t, w->at, "waves", w->raw->waves, w->raw->waves_count, &w->out->waves) != 0 ||
      take_duration(w->t, w->at, "within", w->raw->within, 100, WITHIN_MAX_MS,
                    &w->out->within_ms) != 0)
    return -1;
  if (w->raw->jitter == NULL && jitter > w->out->within_ms / 2) jitter = w->out->within_ms / 2;
  if (take_duration(w->t, w->at, "jitter", w->raw->jitter, 0, w->out->within_ms, &jitter) != 0)
    return -1;
  out->jitter_ms = (uint32_t) jitter;
  if (take_pace(w) != 0 ||
      take_flag(w->t, w->at, "background", w->raw->background, &out->background) != 0)
    return -1;
  for (unsigned i = 0; i < w->raw->abort_count; i++)
    if (take_abort(w, i) != 0) return -1;
  out->abort_count = w->raw->abort_count;
  return 0;
}

/* --- Faults ----------------------------------------------------------------------------------- */

static int take_power_cut(const struct work *w)
{
  static const char *const words[] = {"random", "every-operation", NULL};
  struct scenario_power_cut *out = &w->out->power_cut;
  int at = 0;
  *out = (struct scenario_power_cut){.every = CUT_EVERY, .times = CUT_TIMES};
  if (check_who(w->t, w->at, w->raw, w->s, true, &w->out->who) != 0 ||
      take_word(w->t, w->at, "at", w->raw->at, words, &at) != 0 ||
      take_u32(w->t, w->at, "every", w->raw->every, 1, CUT_EVERY_MAX, &out->every) != 0 ||
      take_u32(w->t, w->at, "times", w->raw->times, 1, CUT_TIMES_MAX, &out->times) != 0)
    return -1;
  out->every_operation = at == 1;
  if (!out->every_operation || w->raw->every == NULL) return 0;
  return take_fail(w->t, w->at, "every",
                   "'every-operation' cuts at one operation after the other: remove this");
}

static int refuse_harm(const struct work *w)
{
  char known[300];
  size_t used = 0;
  for (int h = PKI_HARM_NONE + 1; h < PKI_HARM_COUNT && used < sizeof known; h++)
    used += (size_t) snprintf(known + used, sizeof known - used, "%s%s",
                              h == PKI_HARM_NONE + 1 ? "" : ", ",
                              pki_harm_name((enum pki_image_harm) h));
  return take_fail(w->t, w->at, "how", "'%.40s' is no value of 'how': write one of %s", w->raw->how,
                   known);
}

static int take_corrupt(const struct work *w)
{
  if (take_image(w) != 0) return -1;
  if (w->raw->how == NULL)
    return take_fail(w->t, w->at, "", "this step needs to know how: write 'how: bit-flip'");
  int how = pki_harm_find(w->raw->how);
  if (how <= PKI_HARM_NONE) return refuse_harm(w);
  w->out->harm = (enum pki_image_harm) how;
  return 0;
}

/* Whether it breaks anything. */
static bool disturbs(const struct scenario_cdn *cdn)
{
  return cdn->cut > 0 || cdn->latency_ms > 0 || cdn->bandwidth_per_s > 0 || cdn->refuse ||
         cdn->stall;
}

static int check_cdn(const struct work *w)
{
  const struct scenario_cdn *cdn = &w->out->cdn;
  if (cdn->mend && (disturbs(cdn) || w->raw->after != NULL || w->raw->time != NULL))
    return take_fail(w->t, w->at, "mend",
                     "'mend' ends every fault of the server: leave the rest out");
  if (!cdn->mend && !disturbs(cdn))
    return take_fail(w->t, w->at, "",
                     "this step disturbs nothing: give it cut, latency, bandwidth, refuse or "
                     "stall, or 'mend: yes'");
  if (w->raw->after != NULL && cdn->cut <= 0)
    return take_fail(w->t, w->at, "after", "no connection is cut: add 'cut: 20%%', or remove this");
  if (cdn->refuse && cdn->stall)
    return take_fail(w->t, w->at, "stall",
                     "what is refused cannot stall: leave one of the two out");
  return 0;
}

static int take_cdn(const struct work *w)
{
  const struct raw_args *raw = w->raw;
  struct scenario_cdn *out = &w->out->cdn;
  uint64_t latency = 0;
  *out = (struct scenario_cdn){.cut_after = CUT_AFTER};
  w->out->within_ms = 0;
  if (!w->s->ota.server)
    return take_fail(
        w->t, w->at, "",
        "there is no image server: publish an image 'via: https', or add 'server: nginx' to 'ota'");
  if (take_flag(w->t, w->at, "mend", raw->mend, &out->mend) != 0 ||
      take_share(w->t, w->at, "cut", raw->cut, &out->cut) != 0 ||
      take_bytes(w, "after", raw->after, &out->cut_after) != 0 ||
      take_duration(w->t, w->at, "latency", raw->latency, 1, LATENCY_MAX_MS, &latency) != 0 ||
      take_bytes(w, "bandwidth", raw->bandwidth, &out->bandwidth_per_s) != 0 ||
      take_flag(w->t, w->at, "refuse", raw->refuse, &out->refuse) != 0 ||
      take_flag(w->t, w->at, "stall", raw->stall, &out->stall) != 0 ||
      take_duration(w->t, w->at, "for", raw->time, 1, WITHIN_MAX_MS, &w->out->within_ms) != 0)
    return -1;
  out->latency_ms = (uint32_t) latency;
  return check_cdn(w);
}

/* All that an image is stands in the scenario's table. */
static int take_publish(const struct work *w)
{
  w->out->image = (size_t) scenario_find_image(w->s, w->raw->image);
  return 0;
}

int check_ota_step(const struct take *t, const char *at, const struct raw_args *raw,
                   const struct scenario *scenario, struct scenario_step *out)
{
  const struct work work = {.t = t, .at = at, .raw = raw, .s = scenario, .out = out};
  if (!scenario->ota.on)
    return take_fail(
        t, at, "",
        "the devices of this scenario take no firmware updates: add 'ota: {}' to the file");
  switch (out->kind) {
  case STEP_OTA_PUBLISH: return take_publish(&work);
  case STEP_OTA_ROLLOUT: return take_rollout(&work);
  case STEP_POWER_CUT: return take_power_cut(&work);
  case STEP_CORRUPT: return take_corrupt(&work);
  case STEP_CDN: return take_cdn(&work);
  default: return 0;
  }
}

/* The timetable's words for firmware updates. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/print.h"

#include <string.h>

#include "scenario/take.h"

static const char *print_bytes(uint64_t bytes, char out[32])
{
  if (bytes % (1024u * 1024u) == 0)
    snprintf(out, 32, "%llu MiB", (unsigned long long) (bytes >> 20));
  else if (bytes % 1024u == 0)
    snprintf(out, 32, "%llu KiB", (unsigned long long) (bytes >> 10));
  else
    snprintf(out, 32, "%llu bytes", (unsigned long long) bytes);
  return out;
}

void print_ota_head(const struct scenario_ota *ota, FILE *out)
{
  const struct scenario_image *factory = &ota->images[SCENARIO_FACTORY];
  char version[DEVICE_VERSION_TEXT], slots[32], block[32], size[32];
  device_version_text(factory->version, version);
  fprintf(out,
          "  firmware the devices run %s (counter %u, %s), with two slots of %s, and ask for "
          "blocks of %s\n",
          version, (unsigned) factory->counter, print_bytes(factory->size, size),
          print_bytes(ota->profile.slot_size, slots), print_bytes(ota->block, block));
  if (ota->server)
    fprintf(out, "           an nginx of its own serves images, under an update CA of its own\n");
  if (ota->profile.rescue_after > 0)
    fprintf(out,
            "           a device that is refused or alone %u times looks there for a rescue by "
            "itself\n",
            (unsigned) ota->profile.rescue_after);
}

static void print_publish(const struct scenario_image *image, FILE *out)
{
  static const char *const trials[] = {[SCENARIO_TEST_FAIL] = "fails its self-test",
                                       [SCENARIO_TEST_CRASH] = "crashes in its trial",
                                       [SCENARIO_TEST_HANG] = "never gets online in its trial"};
  char version[DEVICE_VERSION_TEXT], size[32], roots[300];
  device_version_text(image->version, version);
  fprintf(out, "publish image %s", image->name);
  if (image->file[0] != '\0')
    fprintf(out, " from %s", image->file);
  else
    fprintf(out, ", version %s, counter %u, %s", version, (unsigned) image->counter,
            print_bytes(image->size, size));
  fputs(image->via == SCENARIO_VIA_HTTPS ? ", over HTTPS" : ", over MQTT", out);
  if (image->trust.count > 0)
    fprintf(out, "; it brings the roots %s", take_list_roots(&image->trust, roots, sizeof roots));
  if (image->self_test != SCENARIO_TEST_PASS)
    fprintf(out, "; in %.6g%% of the devices it %s", image->failing * 100,
            trials[image->self_test]);
  if (image->rescue) fputs("; as a rescue too", out);
}

static void print_abort(const struct scenario_abort *a, FILE *out)
{
  fprintf(out, "; stop at %.6g%% of %s %s, %u at least", a->share * 100,
          a->of_all ? "all" : "a wave", a->any ? "failed" : device_ota_status_name(a->status),
          (unsigned) a->minimum);
}

static void print_rollout(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  const struct scenario_rollout *rollout = &step->rollout;
  char who[160], text[300], jitter[32];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "offer %s to %s, ", s->ota.images[step->image].name, who);
  if (rollout->by_rate)
    fprintf(out, "%.6g a second", step->rate);
  else
    fputs(print_waves(&step->waves, text, sizeof text), out);
  if (rollout->growth > 1)
    fprintf(out, ", %.6g times as many after every %u that succeed", rollout->growth,
            (unsigned) rollout->growth_after);
  if (rollout->jitter_ms > 0)
    fprintf(out, ", each within %s", print_duration(rollout->jitter_ms, jitter));
  for (size_t i = 0; i < rollout->abort_count; i++) print_abort(&rollout->abort[i], out);
  if (rollout->background) fputs("; go on meanwhile", out);
}

static void print_cdn(const struct scenario_cdn *cdn, FILE *out)
{
  char text[32];
  if (cdn->mend) {
    fputs("mend the image server", out);
    return;
  }
  fputs("disturb the image server", out);
  if (cdn->cut > 0)
    fprintf(out, "; cut %.6g%% of its connections after %s on average", cdn->cut * 100,
            print_bytes(cdn->cut_after, text));
  if (cdn->latency_ms > 0) fprintf(out, "; %s late", print_duration(cdn->latency_ms, text));
  if (cdn->bandwidth_per_s > 0)
    fprintf(out, "; %s a second", print_bytes(cdn->bandwidth_per_s, text));
  if (cdn->refuse) fputs("; it refuses connections", out);
  if (cdn->stall) fputs("; it takes connections and says nothing", out);
}

static void print_power_cut(const struct scenario_step *step, FILE *out)
{
  const struct scenario_power_cut *cut = &step->power_cut;
  char who[160];
  print_who(&step->who, who, sizeof who);
  fprintf(out, "from here on cut the power of %s %u times, ", who, (unsigned) cut->times);
  if (cut->every_operation)
    fputs("each at another operation on its memory, so that none is left out", out);
  else
    fprintf(out, "at random, after some %u operations on its memory", (unsigned) cut->every);
}

void print_ota_step(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  switch (step->kind) {
  case STEP_OTA_PUBLISH: print_publish(&s->ota.images[step->image], out); return;
  case STEP_OTA_ROLLOUT: print_rollout(s, step, out); return;
  case STEP_OTA_PAUSE: fputs("pause the rollout", out); return;
  case STEP_OTA_RESUME: fputs("let the rollout go on", out); return;
  case STEP_OTA_ABORT: fputs("abort the rollout, and call off what has not restarted", out); return;
  case STEP_CORRUPT:
    fprintf(out, "damage image %s: %s", s->ota.images[step->image].name,
            pki_harm_sentence(step->harm));
    return;
  case STEP_POWER_CUT: print_power_cut(step, out); return;
  case STEP_CDN: print_cdn(&step->cdn, out); return;
  default: return;
  }
}

uint64_t print_ota_ms(const struct scenario_step *rollout)
{
  if (rollout->rollout.background) return 0;
  return (rollout->rollout.by_rate ? 1 : rollout->waves.count) * rollout->within_ms;
}

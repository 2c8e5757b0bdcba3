/* cdn: what stands between the devices and the image server. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "stage/firmware.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define CUT_AFTER      (64u * 1024u)
#define BYTES_MAX      (1024u * 1024u * 1024u)
#define LATENCY_MAX_MS 60000u

static enum step_outcome disturb(struct stage *stage, const struct proxy_fault *fault)
{
  return stage_ota_disturb(stage, fault) == 0 ? STEP_DONE : stage_give_up(stage);
}

static enum step_outcome run_cdn(struct stage *stage, const struct scenario_step *step)
{
  static const struct proxy_fault none = {.cut_share = 0};
  const struct scenario_cdn *from = &step->cdn;
  const struct proxy_fault fault = {.cut_share = from->cut,
                                    .cut_after = from->cut_after,
                                    .latency_ms = from->latency_ms,
                                    .bandwidth_per_s = from->bandwidth_per_s,
                                    .refuse = from->refuse,
                                    .stall = from->stall};
  enum step_outcome outcome = disturb(stage, from->mend ? &none : &fault);
  if (outcome != STEP_DONE || step->within_ms == 0) return outcome;
  return stage_pause(stage, step->within_ms) ? disturb(stage, &none) : STEP_ABORTED;
}

static bool undo_cdn(const struct stage *stage, const struct scenario_step *step,
                     struct scenario_step *inverse)
{
  (void) stage;
  *inverse = (struct scenario_step){.kind = &step_cdn, .cdn = {.mend = true}};
  return !step->cdn.mend;
}

/* Whether it breaks anything. */
static bool disturbs(const struct scenario_cdn *cdn)
{
  return cdn->cut > 0 || cdn->latency_ms > 0 || cdn->bandwidth_per_s > 0 || cdn->refuse ||
         cdn->stall;
}

static int check_cdn(const struct step_take *w)
{
  const struct scenario_cdn *cdn = &w->out->cdn;
  if (cdn->mend &&
      (disturbs(cdn) || step_take_text(w, "after") != NULL || step_take_text(w, "for") != NULL))
    return step_take_fail(w, "mend", "'mend' ends every fault of the server: leave the rest out");
  if (!cdn->mend && !disturbs(cdn))
    return step_take_fail(w, "",
                          "this step disturbs nothing: give it cut, latency, bandwidth, refuse or "
                          "stall, or 'mend: yes'");
  if (step_take_text(w, "after") != NULL && cdn->cut <= 0)
    return step_take_fail(w, "after", "no connection is cut: add 'cut: 20%%', or remove this");
  if (cdn->refuse && cdn->stall)
    return step_take_fail(w, "stall", "what is refused cannot stall: leave one of the two out");
  return 0;
}

static int take_cdn(const struct step_take *w)
{
  struct scenario_cdn *out = &w->out->cdn;
  uint64_t latency = 0;
  *out = (struct scenario_cdn){.cut_after = CUT_AFTER};
  w->out->within_ms = 0;
  if (step_take_ota(w) != 0) return -1;
  if (!w->scenario->ota.server)
    return step_take_fail(
        w, "",
        "there is no image server: publish an image 'via: https', or add 'server: nginx' to 'ota'");
  if (step_take_flag(w, "mend", &out->mend) != 0 || step_take_share(w, "cut", &out->cut) != 0 ||
      step_take_bytes(w, "after", BYTES_MAX, &out->cut_after) != 0 ||
      step_take_duration(w, "latency", 1, LATENCY_MAX_MS, &latency) != 0 ||
      step_take_bytes(w, "bandwidth", BYTES_MAX, &out->bandwidth_per_s) != 0 ||
      step_take_flag(w, "refuse", &out->refuse) != 0 ||
      step_take_flag(w, "stall", &out->stall) != 0 ||
      step_take_duration(w, "for", 1, STEP_WITHIN_MAX_MS, &w->out->within_ms) != 0)
    return -1;
  out->latency_ms = (uint32_t) latency;
  return check_cdn(w);
}

static int follow_cdn(const struct step_follow *f)
{
  if (f->step->cdn.mend && !f->story->disturbed)
    return step_story_fail(
        f, "",
        "the image server has nothing to mend: put a 'cdn' step with a fault above this one");
  f->story->disturbed = true;
  return 0;
}

static void print_cdn(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  const struct scenario_cdn *cdn = &step->cdn;
  (void) s;
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

/* cdn: {cut: 20%, after: 64KiB, latency: 50ms, bandwidth: 64KiB, refuse: yes, stall: yes, for:
 * 10s} or {mend: yes} */
const struct step_kind step_cdn = {
    .name = "cdn",
    .arguments = {STEP_ARG("cut"), STEP_ARG("after"), STEP_ARG("latency"), STEP_ARG("bandwidth"),
                  STEP_ARG("refuse"), STEP_ARG("stall"), STEP_ARG("for"), STEP_ARG("mend")},
    .take = take_cdn,
    .follow = follow_cdn,
    .print = print_cdn,
    .longest_ms = print_within_ms,
    .undo = undo_cdn,
    .run = run_cdn,
};

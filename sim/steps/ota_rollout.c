/* ota.rollout: an image is offered in waves or by a rate, until everybody is through or a criterion
 * stops it. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/units.h"
#include "stage/firmware.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "stage/waves.h"
#include "steps/internal.h"

#define WAVE_MS     60000u
#define JITTER_MS   5000u
#define GROWTH_MAX  5u
#define DEVICES_MAX 1000000u

static bool is_over(struct stage *stage, void *ctx)
{
  (void) stage;
  return rollout_is_over(ctx);
}

/* Whether the devices that are switched on have all ended. Who is in its trial when a rollout is
 * stopped comes out of it by itself. */
static bool has_settled(struct stage *stage, void *ctx)
{
  const struct rollout *rollout = ctx;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++)
    if (rollout_is_open(rollout, (uint32_t) i) && fleet_facts(stage->fleet, i)->wanted)
      return false;
  return true;
}

static bool has_image(struct stage *stage, uint32_t device, void *ctx)
{
  (void) stage;
  enum device_ota_status heard = rollout_heard(ctx, device);
  return heard == DEVICE_OTA_CONFIRMED || heard == DEVICE_OTA_SAME;
}

/* A criterion that was met spares whoever was not offered the image, and calls back who has not
   tried it. */
static enum shortfall_spared is_spared(const struct rollout *rollout, uint32_t device)
{
  if (rollout_state(rollout) != ROLLOUT_ABORTED) return SHORTFALL_MEANT;
  if (!rollout_touched(rollout, device)) return SHORTFALL_UNTOLD;
  return rollout_heard(rollout, device) == DEVICE_OTA_CANCELLED ? SHORTFALL_CALLED_BACK
                                                                : SHORTFALL_MEANT;
}

static enum step_outcome fall_short_of_image(struct stage *stage, struct rollout *rollout)
{
  size_t count, kept = 0;
  uint32_t *devices = targets_list(stage, TARGETS_ALL, &count);
  if (devices == NULL) return STEP_ABORTED;
  for (size_t i = 0; i < count; i++)
    if (rollout_is_for(rollout, devices[i])) devices[kept++] = devices[i];
  enum step_outcome outcome = shortfall_of(stage, devices, kept, has_image, rollout);
  free(devices);
  struct shortfall *shortfall = stage->fell_short;
  for (size_t i = 0; outcome == STEP_SHORT && i < shortfall->count; i++)
    shortfall->device[i].spared = is_spared(rollout, shortfall->device[i].index);
  return outcome;
}

/* How many of those it is for have the image. One that stopped by itself may have done just what it
 * should: that is for the scenario to say. */
static enum step_outcome judge_rollout(struct stage *stage, struct rollout *rollout)
{
  struct rollout_summary summary;
  size_t updated = 0, all;
  rollout_summary(rollout, &summary);
  for (size_t w = 0; w < summary.wave_count; w++) updated += summary.wave[w].updated;
  all = summary.offered + summary.untouched;
  if (all > 0 && updated == all) return STEP_DONE;
  error_set(&stage->error, EXIT_CODE_FAIL,
            "%zu of %zu devices have confirmed the image; %zu were offered it (%s)", updated, all,
            summary.offered, rollout_state_name(summary.state));
  return fall_short_of_image(stage, rollout);
}

static enum step_outcome run_ota_rollout(struct stage *stage, const struct scenario_step *step)
{
  struct rollout *rollout;
  if (stage_ota_roll_out(stage, step, &rollout) != 0) return stage_give_up(stage);
  if (step->rollout.background) return STEP_DONE;
  if (stage_wait(stage, is_over, rollout, UINT64_MAX) == STAGE_ABORTED) return STEP_ABORTED;
  bool done = rollout_state(rollout) == ROLLOUT_DONE;
  if (!done && stage_wait(stage, has_settled, rollout, step->within_ms) == STAGE_ABORTED)
    return STEP_ABORTED;
  return judge_rollout(stage, rollout);
}

static bool undo_ota_rollout(const struct stage *stage, const struct scenario_step *step,
                             struct scenario_step *inverse)
{
  (void) stage, (void) step;
  *inverse = (struct scenario_step){.kind = &step_ota_abort};
  return true;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int take_abort_status(const struct take *t, const char *at, const char *text,
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

static int take_abort(const struct step_take *w, unsigned index)
{
  static const char *const of[] = {"wave", "all", NULL};
  struct scenario_abort *out = &w->out->rollout.abort[index];
  char at[DOC_PATH_MAX];
  uint64_t minimum = 3;
  int whole = 0;
  snprintf(at, sizeof at, "%.200s.abort[%u]", w->at, index);
  *out = (struct scenario_abort){.any = true, .share = 0.05};
  if (take_abort_status(w->t, at, step_take_entry(w, "abort", index, "status"), out) != 0 ||
      take_share(w->t, at, "share", step_take_entry(w, "abort", index, "share"), &out->share) !=
          0 ||
      take_word(w->t, at, "of", step_take_entry(w, "abort", index, "of"), of, &whole) != 0 ||
      take_number(w->t, at, "minimum", step_take_entry(w, "abort", index, "minimum"), 1,
                  DEVICES_MAX, &minimum) != 0)
    return -1;
  out->of_all = whole == 1;
  out->minimum = (uint32_t) minimum;
  return 0;
}

/* "2" or "1.5". */
static int take_growth(const struct step_take *w, double *out)
{
  char share[24], why[200];
  const char *text = step_take_text(w, "growth");
  if (text == NULL) return 0;
  snprintf(share, sizeof share, "%.20s%%", text);
  if (strlen(text) > 8 || units_share(share, out, why, sizeof why) != 0 || *out * 100 < 1 ||
      *out * 100 > GROWTH_MAX)
    return step_take_fail(w, "growth",
                          "'%.40s' is no factor: write a number from 1 to %u, such as 2 or 1.5",
                          text, GROWTH_MAX);
  *out *= 100;
  return 0;
}

static int take_pace(const struct step_take *w)
{
  struct scenario_rollout *out = &w->out->rollout;
  bool grows = step_take_text(w, "growth") != NULL, after = step_take_text(w, "after") != NULL;
  const char *extra = grows ? "growth" : "after";
  out->by_rate = step_take_text(w, "rate") != NULL;
  if (out->by_rate && step_take_list(w, "waves").given)
    return step_take_fail(w, "rate", "a rollout goes in waves or by a rate: remove one of the two");
  if (!out->by_rate && (grows || after))
    return step_take_fail(w, extra, "'%s' is of a rollout by rate: add 'rate: 1/s', or remove this",
                          extra);
  if (after && !grows)
    return step_take_fail(w, "after", "this rate does not grow: add 'growth: 2', or remove this");
  if (out->by_rate && step_take_text(w, "jitter") != NULL)
    return step_take_fail(w, "jitter", "a rollout by rate has its own pace: remove this");
  if (out->by_rate) out->jitter_ms = 0;
  if (step_take_rate(w) != 0 || take_growth(w, &out->growth) != 0) return -1;
  return step_take_number(w, "after", 1, DEVICES_MAX, &out->growth_after);
}

static int take_rollout_jitter(const struct step_take *w)
{
  uint64_t jitter = JITTER_MS;
  if (step_take_text(w, "jitter") == NULL && jitter > w->out->within_ms / 2)
    jitter = w->out->within_ms / 2;
  if (step_take_duration(w, "jitter", 0, w->out->within_ms, &jitter) != 0) return -1;
  w->out->rollout.jitter_ms = (uint32_t) jitter;
  return 0;
}

static int take_ota_rollout(const struct step_take *w)
{
  struct scenario_rollout *out = &w->out->rollout;
  *out = (struct scenario_rollout){.growth = 1, .growth_after = 10};
  w->out->within_ms = WAVE_MS;
  if (step_take_ota(w) != 0 || step_take_image(w) != 0 || step_take_who(w, false) != 0 ||
      step_take_waves(w) != 0 || step_take_within(w) != 0 || take_rollout_jitter(w) != 0 ||
      take_pace(w) != 0 || step_take_flag(w, "background", &out->background) != 0)
    return -1;
  unsigned aborts = step_take_entries(w, "abort");
  for (unsigned i = 0; i < aborts; i++)
    if (take_abort(w, i) != 0) return -1;
  out->abort_count = aborts;
  return 0;
}

static int follow_ota_rollout(const struct step_follow *f)
{
  if (step_story_image(f) != 0) return -1;
  if (++f->story->rollouts > SCENARIO_ROLLOUTS_MAX)
    return step_story_fail(f, "", "a run has at most %d rollouts; make two scenarios of this one",
                           SCENARIO_ROLLOUTS_MAX);
  f->story->background = f->story->background || f->step->rollout.background;
  return step_story_online(f);
}

/* --- The timetable ---------------------------------------------------------------------------- */

static void print_abort(const struct scenario_abort *a, FILE *out)
{
  fprintf(out, "; stop at %.6g%% of %s %s, %u at least", a->share * 100,
          a->of_all ? "all" : "a wave", a->any ? "failed" : device_ota_status_name(a->status),
          (unsigned) a->minimum);
}

static void print_ota_rollout(const struct scenario *s, const struct scenario_step *step, FILE *out)
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

static uint64_t longest_ota_rollout(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  if (step->rollout.background) return 0;
  return (step->rollout.by_rate ? 1 : step->waves.count) * step->within_ms;
}

static bool is_about_ota_rollout(const struct scenario *s, const struct scenario_step *step,
                                 const char *name, const char *argument)
{
  bool of_image = strcmp(name, "updated") == 0 || strcmp(name, "touched") == 0;
  /* a rollout that all devices do ends so; other statuses are of those who did not */
  const char *end = of_image ? s->ota.images[step->image].name : "confirmed";
  return strcmp(end, argument) == 0;
}

static bool is_late_ota_rollout(const struct stage *stage, const struct shortfall *shortfall,
                                size_t device)
{
  const char *image = stage->scenario->ota.images[shortfall->step->image].name;
  return stage_ota_is_updated(stage, shortfall->device[device].index, image);
}

/* ota.rollout: {image: v2, waves: [1%, 10%, 100%] or rate: 1/s, growth: 2, after: 10, jitter:
 * 5s, within: 60s, abort: [{status: failed, share: 5%, of: wave|all, minimum: 3}], background:
 * no, WHO} */
const struct step_kind step_ota_rollout = {
    .name = "ota.rollout",
    .arguments = {STEP_ARG("image"),
                  STEP_WAVES,
                  STEP_ARG("rate"),
                  STEP_ARG("growth"),
                  STEP_ARG("after"),
                  STEP_ARG("jitter"),
                  STEP_ARG("within"),
                  STEP_ARG("background"),
                  STEP_WHO,
                  {.key = "abort",
                   .type = STEP_ENTRIES,
                   .least = 1,
                   .most = SCENARIO_ABORTS_MAX,
                   .fields = (const char *const[]){"status", "share", "of", "minimum", NULL}}},
    .take = take_ota_rollout,
    .follow = follow_ota_rollout,
    .print = print_ota_rollout,
    .longest_ms = longest_ota_rollout,
    .judged = {{"updated", STEP_DOERS, STEP_OTHERS},
               {"touched", STEP_REACHED},
               {"ota", STEP_DOERS, STEP_OTHERS},
               {"reported", STEP_DOERS, STEP_OTHERS},
               {"ota.offered", STEP_REACHED},
               {"ota.updated", STEP_ADDS},
               {"ota.refused", STEP_COUNTS},
               {"ota.rolled_back", STEP_COUNTS},
               {"ota.power_cuts", STEP_COUNTS}},
    .is_about = is_about_ota_rollout,
    .is_late = is_late_ota_rollout,
    .undo = undo_ota_rollout,
    .operated = true,
    .run = run_ota_rollout,
};

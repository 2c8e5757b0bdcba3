/* reissue: new device certificates under another root, for the keys that the devices have: issued here
 * from the requests that were kept, or by their owner, as a list or by a command that signs. No
 * private key is touched. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/foresight.h"
#include "stage/renewals.h"
#include "stage/shortfall.h"
#include "stage/targets.h"
#include "stage/wait.h"
#include "stage/waves.h"
#include "steps/internal.h"

/* The devices that are online go on living between the batches: a certificate takes half a
   millisecond. */
static int push_certificates(struct stage *stage, const uint32_t *devices, size_t count, void *ctx)
{
  struct stage_renewals *renewals = ctx;
  size_t batch = stage_renewals_batch(renewals);
  for (size_t begun = 0; begun < count; begun += batch) {
    size_t left = count - begun;
    if (stage_renew(stage, renewals, devices + begun, left < batch ? left : batch) != 0 ||
        !stage_yield(stage))
      return -1;
  }
  return stage_renewals_were_new(stage, renewals, devices, count);
}

static bool has_acknowledged(struct stage *stage, uint32_t device, void *ctx)
{
  (void) ctx;
  return stage->identity[device].acked;
}

/* Who has no line in the list keeps what he has; the step is short of him, unless an earlier one has
   given him a certificate. */
static void say_unlisted(struct stage *stage, const struct stage_renewals *renewals)
{
  char text[PKI_PATH_MAX + 100];
  if (renewals->unlisted == 0) return;
  snprintf(text, sizeof text, "%.500s has no certificate for %zu of the devices that are on",
           renewals->step->renewal.csv, renewals->unlisted);
  stage_say(stage, text);
}

static enum step_outcome renew_all(struct stage *stage, struct stage_renewals *renewals)
{
  size_t count;
  uint32_t *devices = targets_list(stage, TARGETS_AWAKE, &count);
  if (devices == NULL) return STEP_ABORTED;
  struct waves waves = {.shares = &renewals->step->waves,
                        .within_ms = renewals->step->within_ms,
                        .begin = push_certificates,
                        .done = has_acknowledged,
                        .ctx = renewals,
                        .what = "acknowledged their new certificate"};
  enum step_outcome outcome = waves_run(stage, &waves, devices, count);
  free(devices);
  say_unlisted(stage, renewals);
  stage_renewals_tell_shorter(stage, renewals);
  return outcome;
}

static enum step_outcome run_reissue(struct stage *stage, const struct scenario_step *step)
{
  struct stage_renewals renewals;
  if (stage_renewals_open(stage, step, &renewals) != 0) return stage_give_up(stage);
  enum step_outcome outcome = renew_all(stage, &renewals);
  stage_renewals_close(&renewals);
  return outcome;
}

static int need_reissue(struct stage *stage, const struct scenario_step *step,
                        struct stage_foresight *then)
{
  bool ours = step->renewal.csv[0] == '\0' && step->renewal.command[0] == '\0';
  then->reissued |= ours;
  then->renewed |= !ours;
  return stage_need_renewals(stage, step);
}

static int take_reissue(const struct step_take *w)
{
  struct scenario_renewal *out = &w->out->renewal;
  const char *csv = step_take_text(w, "csv"), *command = step_take_text(w, "command");
  if (csv != NULL && command != NULL)
    return step_take_fail(w, "command",
                          "certificates come from a list or from a command: remove 'csv' or this");
  if (take_text(w->t, w->at, "csv", csv, out->csv, sizeof out->csv) != 0 ||
      take_text(w->t, w->at, "command", command, out->command, sizeof out->command) != 0)
    return -1;
  return step_take_root(w) != 0 || step_take_waves(w) != 0 ? -1 : step_take_within(w);
}

static void print_reissue(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  char text[300];
  if (step->renewal.csv[0] != '\0')
    fprintf(out, "send the device certificates of %s, under root %s, ", step->renewal.csv,
            step->root);
  else
    fprintf(out, "%s new device certificates under root %s, ",
            step->renewal.command[0] != '\0' ? "have your command sign" : "issue", step->root);
  fputs(print_waves(&step->waves, text, sizeof text), out);
}

static uint64_t longest_reissue(const struct scenario *s, const struct scenario_step *step)
{
  return print_waves_ms(s, step) + (step->renewal.command[0] != '\0' ? STAGE_SIGNING_MS : 0);
}

static bool is_about_reissue(const struct scenario *s, const struct scenario_step *step,
                             const char *name, const char *argument)
{
  (void) s, (void) name;
  return strcmp(step->root, argument) == 0;
}

static bool is_late_reissue(const struct stage *stage, const struct shortfall *shortfall,
                            size_t device)
{
  const struct shortfall_device *of = &shortfall->device[device];
  const struct stage_identity *identity = &stage->identity[of->index];
  return identity->acked && identity->pushed == of->pushed;
}

/* reissue: {root: B, waves: [...], within: 30s}, with csv: FILE or command: COMMAND */
const struct step_kind step_reissue = {
    .name = "reissue",
    .arguments = {STEP_ARG("root"), STEP_WAVES, STEP_ARG("within"), STEP_ARG("csv"),
                  STEP_ARG("command")},
    .take = take_reissue,
    .follow = step_story_online,
    .print = print_reissue,
    .longest_ms = longest_reissue,
    .judged = {{"identified", STEP_DOERS},
               {"certificate.committed", STEP_ADDS},
               {"certificate.refused", STEP_COUNTS}},
    .is_about = is_about_reissue,
    .is_late = is_late_reissue,
    .issues = true,
    .needs = need_reissue,
    .certified = true,
    .operated = true,
    .run = run_reissue,
};

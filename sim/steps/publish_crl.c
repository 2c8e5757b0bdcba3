/* publish-crl: the brokers' list, made here or as somebody else's file has it. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/units.h"
#include "stage/crls.h"
#include "stage/foresight.h"
#include "stage/wait.h"
#include "steps/internal.h"

#define OFFSET_MAX_MS   (3650u * (uint64_t) 86400000u)
#define SHORTEST_LIFE_S 3600 /* of a CRL that is to have expired already */

static enum step_outcome run_publish_crl(struct stage *stage, const struct scenario_step *step)
{
  if (step->crl.file[0] != '\0') stage->crl_published = *step;
  return stage_publish_crl(stage, &step->crl, step->apply);
}

/* Of an imported fleet only a file that was published before can come back; the broker's very first
 * one is not known. */
static bool undo_publish_crl(const struct stage *stage, const struct scenario_step *step,
                             struct scenario_step *inverse)
{
  bool ours = stage_lacks_crl_key(stage, &stage->client_roots) == NULL;
  *inverse = ours ? *step : stage->crl_published;
  if (!ours) return inverse->crl.file[0] != '\0';
  inverse->crl = (struct scenario_crl){.next_update_s = SCENARIO_CRL_LIFE_S};
  inverse->apply = scenario_default_apply(stage->scenario, SCENARIO_FILES_LISTS);
  return true;
}

/* --- Files ------------------------------------------------------------------------------------ */

static void tell_warning(void *ctx, const char *sentence)
{
  const struct scenario_step *step = ctx;
  fprintf(stderr, "fleetsim: warning: line %d: %s\n", step->line, sentence);
}

/* What 'unchecked' lets through is said all the same, with what will come of it. */
static int check_file(struct stage *stage, const struct scenario_step *step,
                      struct pki_crl_history *history)
{
  struct error *error = &stage->error;
  /* what other makes of broker might think of it is of no interest to one of our own */
  bool ours = scenario_broker_is(stage->scenario, BROKER_OWNED); /* it is not opened yet */
  void (*warn)(void *, const char *) = ours ? NULL : tell_warning;
  stage_clear_terminal(stage); /* there may be something to say */
  if (pki_check_crl_secrets(step->crl.file, error) != 0)
    return error_wrap(error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
  if (pki_check_crls(stage->pki, step->crl.file, history, warn, (void *) (uintptr_t) step, error) ==
      0)
    return 0;
  if (step->crl.unchecked && error->code == EXIT_CODE_USAGE) {
    tell_warning((void *) (uintptr_t) step, error->text);
    return 0;
  }
  return error_wrap(error, "%s:%d:%d%s", stage->scenario->file, step->line, step->column,
                    error->code == EXIT_CODE_USAGE ? " ('unchecked: yes' publishes it all the same)"
                                                   : "");
}

/* Whose devices' certificates will be is seen when the step comes. */
static int check_later(struct stage *stage, const struct scenario_step *step)
{
  if (pki_check_crl_secrets(step->crl.file, &stage->error) == 0) return 0;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, step->line, step->column);
}

static int need_publish_crl(struct stage *stage, const struct scenario_step *step,
                            struct stage_foresight *then)
{
  if (step->crl.file[0] != '\0' && then->renewed) return check_later(stage, step);
  if (step->crl.file[0] != '\0') return check_file(stage, step, &then->history);
  if (stage_foresee_list(stage, step, then) != 0) return -1;
  pki_crl_history_ours(&then->history);
  return 0;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* A time from now: "now", "7d", or "-1h" for one that is past. */
static int take_offset(const struct step_take *w, const char *key, int64_t *out)
{
  char why[200];
  const char *text = step_take_text(w, key);
  uint64_t ms = 0;
  if (text == NULL) return 0;
  bool past = text[0] == '-', now = strcmp(text, "now") == 0;
  if (!now && units_duration_ms(text + past, &ms, why, sizeof why) != 0)
    return step_take_fail(w, key, "%s, 'now', or '-1h' for a time that is past", why);
  if (ms > OFFSET_MAX_MS)
    return step_take_fail(w, key, "'%.40s' is out of range: at most 3650d from now", text);
  *out = (past ? -1 : 1) * (int64_t) (ms / 1000);
  return 0;
}

static int take_crl_times(const struct step_take *w, struct scenario_crl *out)
{
  if (take_offset(w, "this-update", &out->this_update_s) != 0 ||
      take_offset(w, "next-update", &out->next_update_s) != 0)
    return -1;
  if (step_take_text(w, "this-update") == NULL && out->next_update_s <= 0)
    out->this_update_s = out->next_update_s - SHORTEST_LIFE_S;
  if (out->next_update_s > out->this_update_s) return 0;
  return step_take_fail(w, "next-update",
                        "the next update is not after this one: a CRL ends after it begins");
}

static int take_publish_crl(const struct step_take *w)
{
  struct scenario_crl *out = &w->out->crl;
  const char *file = step_take_text(w, "file");
  bool made = step_take_text(w, "this-update") != NULL ||
              step_take_text(w, "next-update") != NULL || step_take_text(w, "entries") != NULL;
  out->next_update_s = SCENARIO_CRL_LIFE_S;
  if (file != NULL && made)
    return step_take_fail(
        w, "file", "a file is published as it is: leave this-update, next-update and entries out");
  if (file == NULL && step_take_text(w, "unchecked") != NULL)
    return step_take_fail(w, "unchecked",
                          "only a file can be unchecked: add 'file: PATH', or remove this");
  if (take_text(w->t, w->at, "file", file, out->file, sizeof out->file) != 0 ||
      step_take_flag(w, "unchecked", &out->unchecked) != 0 ||
      step_take_number(w, "entries", 0, PKI_CRL_FILLER_MAX, &out->entries) != 0 ||
      take_crl_times(w, out) != 0)
    return -1;
  return step_take_apply(w, SCENARIO_FILES_LISTS);
}

static int follow_publish_crl(const struct step_follow *f)
{
  return step_story_hook(f, HOOK_PUBLISH_CRL) != 0 ? -1 : step_story_apply(f, f->step->apply);
}

static void print_publish_crl(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  (void) s;
  const struct scenario_crl *crl = &step->crl;
  char text[32];
  bool past = crl->next_update_s < 0;
  uint64_t ends_ms = (uint64_t) (past ? -crl->next_update_s : crl->next_update_s) * 1000;
  if (crl->file[0] != '\0')
    fprintf(out, "give the broker the CRLs of %s%s", crl->file,
            crl->unchecked ? ", whatever they hold" : "");
  else
    fprintf(out, "give the broker CRLs that end%s %s%s", past ? "ed" : " in",
            print_duration(ends_ms, text), past ? " ago" : "");
  if (crl->entries > 0) fprintf(out, ", with %u entries of nobody", (unsigned) crl->entries);
  fputs(print_apply(step->apply), out);
}

static uint64_t longest_publish_crl(const struct scenario *s, const struct scenario_step *step)
{
  return print_apply_ms(s, step) + print_list_ms(s);
}

/* publish-crl: {next-update: 7d, this-update: now, entries: 0, apply: reload} or {file: PATH} */
const struct step_kind step_publish_crl = {
    .name = "publish-crl",
    .arguments = {STEP_ARG("this-update"), STEP_ARG("next-update"), STEP_ARG("entries"),
                  STEP_ARG("apply"), STEP_ARG("file"), STEP_ARG("unchecked")},
    .take = take_publish_crl,
    .follow = follow_publish_crl,
    .print = print_publish_crl,
    .longest_ms = longest_publish_crl,
    .foretells = STEP_ENDS_BY_APPLY | STEP_PUBLISHES_LIST,
    .needs = need_publish_crl,
    .undo = undo_publish_crl,
    .certified = true,
    .run = run_publish_crl,
};

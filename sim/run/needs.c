/* What the steps will need of the fleet folder, asked at the start: a staging broker is not to be
 * changed by half. Each refusal says where the step is and what to do instead. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "run/parts.h"
#include "stage/device_names.h"
#include "stage/foresight.h"
#include "steps/steps.h"

/* Refuses a step whose certificates cannot be made in this folder, before anything is sent. */
static int check_step_roots(struct stage *stage, const struct scenario_step *step)
{
  bool given = step->chain.own[0] != '\0' || step->renewal.csv[0] != '\0' ||
               step->renewal.command[0] != '\0';
  if (!step->kind->issues || given || pki_can_issue(stage->pki, step->root)) return 0;
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s:%d:%d: '%s' needs a certificate under root '%s', and %s does not hold that "
      "root's key: import the fleet with it (pki import --ca-keys), or give the step files of "
      "yours ('present: {chain: ..}', 'reissue: {csv: ..}')",
      stage->scenario->file, step->line, step->column, scenario_step_name(step), step->root,
      stage->options->fleet);
}

/* A rollback goes back to the chain before, which is another one under its root, or the same file. */
static int check_rollback(struct stage *stage, const struct scenario_phase *phase,
                          const struct scenario_step *step, const struct scenario_step *before)
{
  const char *root = before != NULL ? before->chain.root : stage->scenario->broker_root;
  if (phase->on_fail != SCENARIO_ROLLBACK || (before != NULL && before->chain.own[0] != '\0') ||
      pki_can_issue(stage->pki, root))
    return 0;
  return error_set(
      &stage->error, EXIT_CODE_USAGE,
      "%s:%d:%d: 'on_fail: rollback' gives the broker a chain under root '%s' again, as before "
      "this step, and %s does not hold that root's key: import the fleet with it (pki import "
      "--ca-keys), put a 'present: {root: %s, chain: ..}' of the broker's present files before "
      "this step, or write 'on_fail: stop'",
      stage->scenario->file, step->line, step->column, root, stage->options->fleet, root);
}

int run_check_roots(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  const struct scenario_step *before = NULL; /* the latest that gave the broker a chain */
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *step = &scenario->phases[p].steps[s];
      if (check_step_roots(stage, step) != 0) return -1;
      if (step->kind != &step_present) continue;
      if (check_rollback(stage, &scenario->phases[p], step, before) != 0) return -1;
      before = step;
    }
  return 0;
}

static int check_step_ids(struct stage *stage, const struct names *names,
                          const struct scenario_step *step)
{
  size_t index;
  char first[NAMES_TEXT], last[NAMES_TEXT];
  for (size_t i = 0; i < step->who.id_count; i++) {
    if (names_find_name(names, step->who.ids[i], &index)) continue;
    snprintf(first, sizeof first, "%s", names_of(names, 0).name);
    snprintf(last, sizeof last, "%s", names_of(names, stage->scenario->devices - 1).name);
    return error_set(
        &stage->error, EXIT_CODE_USAGE,
        "%s:%d:%d: no device of this fleet is called %s; its devices are %s to %s%s",
        stage->scenario->file, step->line, step->column, step->who.ids[i], first, last,
        stage->names != NULL ? "" : ", as a run makes it; one of your own is named by --fleet");
  }
  return 0;
}

static int check_all_ids(struct stage *stage, const struct names *names)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_ids(stage, names, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* Of a fleet that the run will make the names are known before it is made. */
int run_check_ids(struct stage *stage)
{
  if (stage->names != NULL) return check_all_ids(stage, stage->names);
  struct names *names;
  if (stage_foretell_names(stage, &names) != 0) return -1;
  int result = check_all_ids(stage, names);
  names_free(names);
  return result;
}

/* Each kind in sim/steps knows what it needs. */
static int check_kinds(struct stage *stage, struct stage_foresight *then)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++) {
      const struct scenario_step *step = &scenario->phases[p].steps[s];
      if (step->kind->needs != NULL && step->kind->needs(stage, step, then) != 0) return -1;
    }
  return 0;
}

/* So that no single CA can strand them, devices take no bundle of one root. */
static void warn_of_one_root(const struct scenario *scenario)
{
  const char *root = scenario->trusted.name[0];
  if (scenario->trusted.count > 1) return;
  fprintf(
      stderr,
      "fleetsim: warning: the devices trust root %s alone: no other takes over where it is lost, "
      "and a rotation takes two more roots ('push-trust: {roots: [%s, B]}', then '[B, spare]'), "
      "for a bundle that they are sent needs two\n",
      root, root);
}

int run_check_needs(struct stage *stage)
{
  warn_of_one_root(stage->scenario);
  struct stage_foresight then = {.trusted = stage->scenario->client_roots};
  int result = check_kinds(stage, &then);
  pki_crl_history_free(&then.history);
  return result;
}

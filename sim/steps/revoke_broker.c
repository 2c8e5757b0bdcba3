/* revoke-broker: a certificate that the main listener presents counts no longer. The broker goes on
 * presenting it, as whoever stole its key would: devices learn of it from the next trust bundle
 * with crls: yes. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "steps/internal.h"

static enum step_outcome run_revoke_broker(struct stage *stage, const struct scenario_step *step)
{
  const struct pki_chain *chain = &stage->presented[BROKER_MAIN];
  struct broker_pair files = broker_chain_place(stage->broker, BROKER_MAIN);
  const char *path = files.certificate;
  int result = step->take_back
                   ? pki_unrevoke_part(stage->pki, chain, step->part, path, &stage->error)
                   : pki_revoke_part(stage->pki, chain, step->part, path, &stage->error);
  if (result != 0) return stage_give_up(stage);
  return STEP_DONE;
}

static bool undo_revoke_broker(const struct stage *stage, const struct scenario_step *step,
                               struct scenario_step *inverse)
{
  (void) stage;
  *inverse = *step;
  inverse->take_back = !step->take_back;
  return true;
}

static int take_revoke_broker(const struct step_take *w)
{
  static const char *const words[] = {[PKI_PART_LEAF] = "leaf",
                                      [PKI_PART_INTERMEDIATE] = "intermediate",
                                      [PKI_PART_CROSS] = "cross",
                                      NULL};
  int part = PKI_PART_LEAF;
  if (step_take_word(w, "what", words, &part) != 0) return -1;
  w->out->part = (enum pki_part) part;
  return 0;
}

static int follow_revoke_broker(const struct step_follow *f)
{
  const struct scenario_step *present = f->story->present;
  if (!scenario_broker_is(f->scenario, BROKER_FRESH) && present == NULL)
    return step_story_fail(f, "",
                           "'revoke-broker' does not know what a remote broker presents: put a "
                           "'present' step above it");
  if (present != NULL && present->chain.own[0] != '\0')
    return step_story_fail(f, "",
                           "'revoke-broker' is for a chain that fleetsim made, and the step "
                           "'present' above it has one of yours: have its CA revoke it");
  if (f->step->part == PKI_PART_CROSS && (present == NULL || present->chain.cross[0] == '\0'))
    return step_story_fail(f, "revoke-broker.what",
                           "the broker presents no cross-certificate here: put a 'present' step "
                           "with 'cross' above it");
  if (f->step->part == PKI_PART_INTERMEDIATE && present != NULL && present->chain.omit_intermediate)
    return step_story_fail(f, "revoke-broker.what", "the broker presents no intermediate here");
  return 0;
}

static void print_revoke_broker(const struct scenario *s, const struct scenario_step *step,
                                FILE *out)
{
  (void) s;
  static const char *const words[] = {"leaf", "intermediate", "cross-certificate"};
  fprintf(out, "revoke the %s that the broker presents", words[step->part]);
}

/* revoke-broker: {what: leaf|intermediate|cross} */
const struct step_kind step_revoke_broker = {
    .name = "revoke-broker",
    .arguments = {STEP_ARG("what")},
    .take = take_revoke_broker,
    .follow = follow_revoke_broker,
    .print = print_revoke_broker,
    .undo = undo_revoke_broker,
    .run = run_revoke_broker,
};

/* What has happened by the time of a step, and whether it makes sense then. */
#ifndef FLEETSIM_SCENARIO_STEP_STORY_H
#define FLEETSIM_SCENARIO_STEP_STORY_H

#include "scenario/take.h"

struct step_story {
  bool connected, shelved, faulted, compromised, disturbed; /* disturbed: the image server */
  bool background;  /* some rollout goes on beside the steps */
  size_t published; /* images; the factory's is not among them */
  /* the last one; NULL: what the broker presents from the start */
  const struct scenario_step *present;
  unsigned storms, rollouts;
  bool down[SCENARIO_NODES_MAX + 1], frozen[SCENARIO_NODES_MAX + 1]; /* brokers */
};

/* One step in its place; it notes in `story` what it brings about. */
struct step_follow {
  const struct take *t;
  const char *at; /* path of the step: "phases[0].do[1]" */
  const struct scenario *scenario;
  const struct scenario_step *step;
  struct step_story *story;
};

/* A refusal at the step, or at a key below it ("revoke-broker.what"). Always -1. */
int step_story_fail(const struct step_follow *f, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What steps need; each 0, or -1 with the error set. */
int step_story_online(const struct step_follow *f);       /* some device is */
int step_story_up(const struct step_follow *f, int node); /* that broker is; -1: any */
int step_story_image(const struct step_follow *f);        /* step->image is published */
/* Of a remote broker the hook, or that of `apply`; a local one has no need of it. */
int step_story_hook(const struct step_follow *f, enum hook_kind hook);
int step_story_apply(const struct step_follow *f, enum scenario_apply apply);

#endif

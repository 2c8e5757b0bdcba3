/* The devices that fell short of what a step says: who they are, and what is known of each. */
#ifndef FLEETSIM_STAGE_SHORTFALL_H
#define FLEETSIM_STAGE_SHORTFALL_H

#include "stage/stage.h"

/* What a step itself left undone, once others had failed. */
enum shortfall_spared {
  SHORTFALL_MEANT,
  SHORTFALL_UNTOLD,      /* it was not told to do it */
  SHORTFALL_CALLED_BACK, /* it was, and told not to */
};

/* As the step ended, but for `refused` and `late`. */
struct shortfall_device {
  uint32_t index;
  uint32_t connects; /* CONNACKs so far */
  uint64_t pushed;   /* mark of the chain that it was sent last */
  bool stayed;       /* online: its session may never have ended */
  enum shortfall_spared spared : 8;
  uint32_t refused; /* as phase_refusals: those of the step, and the latest one if it is older */
  struct failure_set failures; /* of fleet_facts, in the step, as `counted` */
  uint16_t counted;
  bool late; /* has done it since */
};

struct shortfall {
  const struct scenario_step *step;
  struct error why;
  uint32_t bundle_version; /* the newest one as the step ended */
  double counted;          /* what a count of how often it was done has of them all the same */
  bool outage;             /* the deepest one began while the step was under way */
  uint32_t *meant;         /* all that the step was for, those who have done it with them */
  size_t meant_count;
  bool over; /* what comes now is of a later step */
  struct scenario_judge judge;
  struct shortfall *earlier; /* of the same phase */
  size_t count;
  struct shortfall_device device[];
};

/* Before a step that may fall short: who is there, and what devices have been refused for so far in
 * the phase, which is not of this step. 0, or -1 with the run aborted. */
int shortfall_begin(struct stage *stage);

typedef bool shortfall_done(struct stage *stage, uint32_t device, void *ctx);

/* Names in stage->error those of `devices` that have not done it, eight at most, and tells an event
 * of them. Where there is nobody, neither. */
void shortfall_name(struct stage *stage, const uint32_t *devices, size_t count,
                    shortfall_done *done, void *ctx);

/* Ends a step whose error is set: those of `devices`, all that it was for, that have not done it
 * fell short: they are named as by shortfall_name, and kept as stage->fell_short. SHORT, or ABORTED for want of memory. */
enum step_outcome shortfall_of(struct stage *stage, const uint32_t *devices, size_t count,
                               shortfall_done *done, void *ctx);

/* Looks who has done it since, and who has been refused. */
void shortfall_look(struct stage *stage, struct shortfall *shortfall);

/* NULL: nothing to do. */
void shortfall_free(struct shortfall *shortfall);

/* Whom an expression about the step has to account for, and how many of them it counts. */
struct scenario_missed shortfall_missed(const struct stage *stage,
                                        const struct shortfall *shortfall,
                                        const struct scenario_judge_of *of);

#endif

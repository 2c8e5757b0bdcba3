/* A kind of step: all that the reader of a scenario, its timetable and a run know of it.
 *
 * Each stands at the foot of its own file in sim/steps, and kinds.c lists them. The reader is
 * handed that list: it knows steps by this alone. Where a member is NULL or 0, there is nothing of
 * the kind.
 */
#ifndef FLEETSIM_SCENARIO_STEP_KIND_H
#define FLEETSIM_SCENARIO_STEP_KIND_H

#include <stdio.h>

#include "scenario/scenario.h"
#include "scenario/step_story.h"
#include "scenario/step_take.h"

struct stage;
struct stage_foresight;
struct shortfall;

#define STEP_ARGUMENTS_MAX 20
#define STEP_JUDGED_MAX    12

/* A key that a step may have. */
enum step_argument_type {
  STEP_TEXT,    /* a single value */
  STEP_LIST,    /* `least` to `most` values */
  STEP_ENTRIES, /* `least` to `most` mappings, each with keys of `fields` */
};
struct step_argument {
  const char *key; /* NULL: the list ends here */
  enum step_argument_type type;
  unsigned least, most;
  const char *const *fields; /* ended by NULL */
};

#define STEP_ARG(name) \
  {                    \
    .key = (name)      \
  }
#define STEP_LIST_OF(name, min, max)                                \
  {                                                                 \
    .key = (name), .type = STEP_LIST, .least = (min), .most = (max) \
  }
#define STEP_WHO   STEP_ARG("share"), STEP_ARG("cohort"), STEP_LIST_OF("ids", 1, SCENARIO_IDS_MAX)
#define STEP_WAVES STEP_LIST_OF("waves", 1, SCENARIO_WAVES_MAX)
#define STEP_ROOTS STEP_LIST_OF("roots", 1, PKI_ROOTS_MAX)

/* What a quantity or metric that speaks of the outcome of a step counts. */
enum step_effect {
  STEP_SAYS_NOTHING,
  STEP_DOERS,   /* devices that have done it, however: those who fell short are taken out */
  STEP_PRESENT, /* the same of who is online, which he may have been all the time */
  STEP_MISSING, /* who is not: those who fell short are counted in, unless they came back */
  STEP_OTHERS,  /* devices that have not done it: it must count those who fell short */
  STEP_REACHED, /* devices that were told to: it must say that some were not */
  STEP_ADDS,    /* how often it was done */
  STEP_COUNTS,  /* what goes wrong: grown by as many as fell short, all of whom may be in it */
  STEP_TIMES,   /* of the deepest outage: that must have begun while the step was under way */
};

/* A quantity or metric that an expression must name to be about the outcome of a step. */
struct step_judged {
  const char *name; /* NULL: the list ends here */
  enum step_effect effect;
  enum step_effect otherwise; /* where its argument is not of what the step is about */
};

/* What a step brings about that shows as failures of devices, or takes the back office away:
   bits. */
enum step_foretold {
  STEP_ENDS_SESSIONS = 1 << 0,
  STEP_ENDS_BY_APPLY = 1 << 1, /* where its `apply` may restart the broker */
  STEP_CHANGES_LINES = 1 << 2, /* failures of every kind that a network has */
  STEP_STOPS_BROKER = 1 << 3,  /* a broker falls silent in some way, or has been */
  STEP_MOVES_NAME = 1 << 4,
  /* a broker that closes after the handshake may have judged by it: nobody foretold that */
  STEP_PUBLISHES_LIST = 1 << 5,
  /* brokers end, and the back office has none for a while; that only where they are our own */
  STEP_ENDS_BROKER = 1 << 6,
  STEP_ENDS_LOCAL = 1 << 7,
};

/* How a step ended. FAILED: the rehearsed world did not do what it should; stage->error says why.
 * SHORT: it was done, and some devices did not do what it says (stage->error says how many,
 * stage->fell_short who): a failure unless the phase's gate or an expectation accounts for them. */
enum step_outcome { STEP_DONE, STEP_FAILED, STEP_SHORT, STEP_ABORTED };

struct step_kind {
  const char *name; /* its key in a file */
  struct step_argument arguments[STEP_ARGUMENTS_MAX];

  /* --- Reading a file. Functions return 0, or -1 with the error set. */

  /* Before any phase is read: what the rest of the file may name (images). */
  int (*declare)(const struct step_take *take, struct scenario *scenario);
  /* From the arguments to take->out, which holds the defaults of all steps. */
  int (*take)(const struct step_take *take);
  /* Whether it makes sense after the steps before it. */
  int (*follow)(const struct step_follow *follow);

  /* --- The timetable. */

  void (*print)(const struct scenario *scenario, const struct scenario_step *step, FILE *out);
  uint64_t (*longest_ms)(const struct scenario *scenario, const struct scenario_step *step);

  /* --- Its outcome. */

  unsigned foretells; /* bits of enum step_foretold */
  struct step_judged judged[STEP_JUDGED_MAX];
  /* Whether a quantity's argument is of what this step is about: trusting(B) of root B. NULL: every
   * argument is. */
  bool (*is_about)(const struct scenario *scenario, const struct scenario_step *step,
                   const char *name, const char *argument);
  /* Whether a device that fell short has done it since. NULL: it cannot. */
  bool (*is_late)(const struct stage *stage, const struct shortfall *shortfall, size_t device);

  /* --- The run. */

  bool certified; /* rests on certificates of devices: nothing to do where they show none */
  bool operated;  /* the back office does it, or hears of it: refused with operator: none */
  bool lures;     /* has the back office send on topics of devices, and hear what they say there */
  bool issues;    /* certificates under step->root: the fleet folder must have its key */
  /* Refuses, before anything is sent, what cannot be done with the fleet folder; notes what will
   * have come about afterwards. 0, or -1 with stage->error. */
  int (*needs)(struct stage *stage, const struct scenario_step *step, struct stage_foresight *then);
  /* The step that takes it back, for on_fail: rollback, as things are before it. False: none. */
  bool (*undo)(const struct stage *stage, const struct scenario_step *step,
               struct scenario_step *inverse);
  /* Straight-line code that calls stage_wait for whatever takes time. */
  enum step_outcome (*run)(struct stage *stage, const struct scenario_step *step);
};

/* Whether it is a failure that devices meet as they connect: failures(connect.tls.not_trusted), and
 * every quantity but failures. */
bool step_kind_connects(const char *name, const char *argument);

#endif

/* The parts of run_scenario. Internal to sim/run. */
#ifndef FLEETSIM_RUN_PARTS_H
#define FLEETSIM_RUN_PARTS_H

#include "run/run.h"
#include "stage/stage.h"

/* loop.c */
void run_start_loop(struct stage *stage);
void run_end_loop(struct stage *stage);

/* setup.c, teardown.c, verdict.c. 0, or -1 with stage->error. */
int run_setup(struct stage *stage);
/* office and fleet: afterwards nothing observes any more; and keys of the brokers' owners */
void run_end_world(struct stage *stage);
void run_teardown(struct stage *stage);
void run_settle(struct stage *stage);
enum exit_code run_verdict(struct stage *stage);

/* plan.c: what was to be checked, into the results; 0, or -1 with stage->error. */
int run_tell_plan(struct stage *stage);
void run_free_plan(struct stage *stage);

/* phases.c */
void run_phases(struct stage *stage);

/* shortfalls.c. Steps of the phase under way that fell short (stage->shortfalls), until its gate and
 * expectations have accounted for them.
 *
 * begin: before each step; 0, or -1 with the run aborted. add: takes stage->fell_short; false: nothing
 * of the phase will account for it. open: somebody is missing whom nothing accounts for so far, and
 * who may yet do it. unjudged: the first one that nothing accounts for; NULL: none. */
int run_shortfalls_begin(struct stage *stage, const struct scenario_step *step);
bool run_shortfalls_add(struct stage *stage, const struct scenario_step *step,
                        struct scenario_judge *judge);
bool run_shortfalls_open(struct stage *stage);
const struct shortfall *run_shortfalls_unjudged(struct stage *stage);
void run_forget_shortfalls(struct stage *stage);

/* Whether an expression accounts for one, and if not, why. */
enum scenario_account run_shortfall_accounts(struct stage *stage, const struct shortfall *shortfall,
                                             const struct scenario_judge_of *of, char *why,
                                             size_t size);

/* onlook.c: at every beat; and once the results are written. */
void run_show(struct stage *stage);
void run_show_end(struct stage *stage);
/* At every beat: on this terminal, or in this log. */
void run_show_progress(struct stage *stage);

/* by_hand.c. Hear: at every beat, what its onlooker asks of the run. Pause: between two phases, where
 * that was asked. Held: for so long it has paused so far, which is not limits.run's. */
void run_hear(struct stage *stage);
void run_pause(struct stage *stage);
uint64_t run_held_ms(const struct stage *stage);

/* implied.c: goes through what everybody expects. */
#define RUN_IMPLIED_MAX 18u
void run_check_implied(struct stage *stage,
                       void (*check)(struct stage *stage, const struct expr *expr));

/* explain.c: adds to an expectation that does not hold what the run knows beyond its number; implied:
 * the scenario does not name it. */
void run_explain(struct stage *stage, const struct expr *expr, bool implied,
                 struct results_check *check);

/* budget.c: the timing profile, and what of it the results say. */
int run_load_timing(struct stage *stage);
/* once the fleet folder is open and the first chain is written */
int run_count_budget(struct stage *stage);

/* brake_watch.c: sets up the safety brake, if the scenario has one; looks once a second whether it
 * must act. */
int run_set_brake(struct stage *stage);
void run_look_at_brake(struct stage *stage);

/* needs.c. What the steps will need of the fleet folder: refuses, before anything is sent, those
 * whose certificates, bundles, revocations or lists cannot be made here, those that name devices
 * of another fleet, and files of lists that would do harm. Roots and ids are looked at before
 * anything is changed or written. 0, or -1 with stage->error. */
int run_check_roots(struct stage *stage);
int run_check_ids(struct stage *stage);
int run_check_needs(struct stage *stage);

/* given.c: opens what the run was given, the fleet folder of --fleet and files of images, and
 * changes nothing there. 0, or -1 with stage->error. */
int run_open_given(struct stage *stage);

#endif

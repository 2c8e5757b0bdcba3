/* From a file's texts to a checked scenario. The parts are apart by what they look at: check.c the
 * head of the file and the phases, broker_check.c the broker, steps_check.c one step, who_check.c
 * the devices it is for, crl_check.c its CRLs, ota_check.c firmware images and ota_steps_check.c
 * the steps about them, expr_check.c one expression, story.c the order of it all.
 */
#ifndef FLEETSIM_SCENARIO_CHECK_H
#define FLEETSIM_SCENARIO_CHECK_H

#include "scenario/raw.h"
#include "scenario/take.h"

/* Fills all of *out from `raw`. On failure *out may be half filled; scenario_free takes it. */
int check_scenario(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* broker and targets. */
int check_broker(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* names, and where a step lets one of them lead. The brokers are known by then. */
int check_names(const struct take *t, const struct raw_scenario *raw, struct scenario *out);
int check_lead(const struct take *t, const char *at, char *const *nodes, unsigned count,
               const struct scenario *scenario, struct scenario_name *out);

/* `at` is the step's path ("phases[0].do[1]"); fills in defaults. Roots and broker of `scenario`
   are known by then. */
int check_step(const struct take *t, const char *at, const struct raw_step *raw,
               const struct scenario *scenario, struct scenario_step *out);

/* every, bytes, qos; also of fleet.telemetry. `out` holds the defaults. */
int check_telemetry(const struct take *t, const char *at, const struct raw_args *raw,
                    struct scenario_telemetry *out);

/* fleet.cohorts. */
int check_cohorts(const struct take *t, const struct raw_fleet *raw, struct scenario *out);

/* reconnect, with its cohorts. */
int check_reconnect(const struct take *t, const struct raw_reconnect *raw, struct scenario *out);

/* policy, base, cap of the mapping at `at`; `out` holds the defaults. */
int check_policy(const struct take *t, const char *at, const char *policy, const char *base,
                 const char *cap, struct scenario_reconnect *out);

/* share, cohort, ids of a step; `needed`: one of them must be there. `out` holds the default. */
int check_who(const struct take *t, const char *at, const struct raw_args *raw,
              const struct scenario *scenario, bool needed, struct scenario_who *out);

/* fault_check.c: all of a fault step but WHO and for. */
int check_fault(const struct take *t, const char *at, const struct raw_args *raw,
                struct fault *out);
/* this-update, next-update, entries, file, unchecked of publish-crl; with nothing given, what the
 * other steps publish.
 */
int check_crl(const struct take *t, const char *at, const struct raw_args *raw,
              struct scenario_crl *out);
int check_reason(const struct take *t, const char *at, const struct raw_args *raw,
                 enum pki_reason *out);

/* ota, and every image that a step publishes. The roots, the brokers and the fleet are known by
   then. */
int check_ota(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* A step of firmware updates; `out` holds the defaults of all steps. */
int check_ota_step(const struct take *t, const char *at, const struct raw_args *raw,
                   const struct scenario *scenario, struct scenario_step *out);

/* `gate`: may wait ("within"), for 60 s unless it says otherwise. */
int check_expr(const struct take *t, const char *at, const char *text,
               const struct scenario *scenario, bool gate, struct expr *out);

/* What can only be seen over all phases: wake needs a shelf, push-trust a connect, a remote broker
   its hooks. */
int check_story(const struct take *t, const struct scenario *scenario);

#endif

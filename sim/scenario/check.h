/* From a file's texts to a checked scenario. The parts are apart by what they look at: check.c the
 * head of the file and the phases, broker_check.c the broker, product_check.c its kind,
 * steps_check.c one step by its kind, who_check.c the devices it is for, credentials_check.c who
 * clients say they are, payload_check.c what telemetry is made of, ota_check.c firmware images,
 * expr_check.c one expression, story.c the order of it all.
 */
#ifndef FLEETSIM_SCENARIO_CHECK_H
#define FLEETSIM_SCENARIO_CHECK_H

#include "scenario/raw.h"
#include "scenario/take.h"

/* Fills all of *out from `raw`. On failure *out may be half filled; scenario_free takes it. */
int check_scenario(struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* "mqtts://host:port" of the mapping at `at`: a host beyond loopback must be among the targets. */
int check_url(const struct take *t, const char *at, const char *key, const char *text,
              const struct scenario *scenario, char host[256], uint16_t *port);

/* broker and targets. */
int check_broker(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* broker.kind and what goes with it; then, when all of the file is known, what it asks that a
 * broker of this kind cannot do. */
int check_product(const struct take *t, const struct raw_broker *raw, struct scenario *out);
int check_product_skills(const struct take *t, const struct raw_scenario *raw,
                         const struct scenario *scenario);

/* names, and where a step lets one of them lead. The brokers are known by then. */
int check_names(const struct take *t, const struct raw_scenario *raw, struct scenario *out);
int check_lead(const struct take *t, const char *at, char *const *nodes, unsigned count,
               const struct scenario *scenario, struct scenario_name *out);

/* The step at a path ("phases[0].do[1]") of the document; fills in defaults. Roots and broker of
 * `scenario` are known by then. */
int check_step(const struct take *t, const char *at, const yaml_node_t *node,
               const struct scenario *scenario, struct scenario_step *out);

/* What steps declare to the rest of the file, in their order. */
int check_declared(const struct take *t, struct scenario *out);

/* The mapping at `at`, fleet.telemetry or a step; `out` holds the defaults. */
int check_telemetry(const struct take *t, const char *at, const struct raw_telemetry *raw,
                    struct scenario_telemetry *out);

/* payload, seq-at, time-at of it. */
int check_payload(const struct take *t, const char *at, const struct raw_telemetry *raw,
                  struct payload_text *out);

/* Over all of the file: not more payloads than a run has room for, and no expression on what nobody
   can know with these. */
int check_payloads(const struct take *t, const struct scenario *scenario);

/* fleet.names, fleet.client-id, topics. The number of devices is known by then. */
int check_naming(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* Refuses what needs topics.control where that is none. All of the head is known by then. */
int check_control(const struct take *t, const struct scenario *scenario);

/* fleet.credentials and operator. Broker and devices are known by then. */
int check_credentials(const struct take *t, const struct raw_credentials *raw,
                      struct scenario *out);
int check_operator(const struct take *t, struct scenario *out);

/* Refuses a step, or a word of an expression, that is about certificates of devices where they show
   none. */
int check_certified(const struct take *t, const char *at, const struct scenario *scenario,
                    const struct step_kind *kind);
int check_certified_word(const struct take *t, const char *at, const struct scenario *scenario,
                         const char *name);

/* The same of what only a back office does or hears, with operator: none. */
int check_operated(const struct take *t, const char *at, const struct scenario *scenario,
                   const struct step_kind *kind);
int check_operated_word(const struct take *t, const char *at, const struct scenario *scenario,
                        const char *name);

/* A word about tokens where devices have none. */
int check_token_word(const struct take *t, const char *at, const struct scenario *scenario,
                     const char *name);

/* fleet.cohorts. */
int check_cohorts(const struct take *t, const struct raw_fleet *raw, struct scenario *out);

/* reconnect, with its cohorts. */
int check_reconnect(const struct take *t, const struct raw_reconnect *raw, struct scenario *out);

/* policy, base, cap of the mapping at `at`; `out` holds the defaults. */
int check_policy(const struct take *t, const char *at, const char *policy, const char *base,
                 const char *cap, struct scenario_reconnect *out);

/* share, cohort, ids of a step. */
struct check_who {
  const char *share, *cohort;
  char *const *ids;
  size_t id_count;
  bool needed; /* one of them must be there */
};
/* `out` holds the default. */
int check_who(const struct take *t, const char *at, const struct check_who *who,
              const struct scenario *scenario, struct scenario_who *out);

/* ota, and every image that a step publishes. The roots, the brokers and the fleet are known by
   then. */
int check_ota(const struct take *t, const struct raw_scenario *raw, struct scenario *out);

/* When an expression is judged. A gate may wait ("within"), for 60 s unless it says otherwise; what
 * is counted when the run is over can be read at its end alone. */
enum check_when { CHECK_AS_GATE, CHECK_IN_RUN, CHECK_AT_END };
int check_expr(const struct take *t, const char *at, const char *text,
               const struct scenario *scenario, enum check_when when, struct expr *out);

/* What can only be seen over all phases: wake needs a shelf, push-trust a connect, a remote broker
   its hooks. */
int check_story(const struct take *t, const struct scenario *scenario);

#endif

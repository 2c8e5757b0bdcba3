/* A run under way: its parts, what the back office knows, and how code waits. Internal to sim/run.
 *
 * A run is straight-line code on one thread: set up, phases, settle, verdict, tear down. Whatever
 * takes time calls run_wait(), which turns the event loop until a condition holds, its deadline
 * passes, or the run is aborted (Ctrl-C, the run's time limit, a dead broker). So a step reads as
 * its story does.
 */
#ifndef FLEETSIM_RUN_STATE_H
#define FLEETSIM_RUN_STATE_H

#include <uv.h>

#include "broker/broker.h"
#include "fleet/fleet.h"
#include "net/backend_uv.h"
#include "net/loop_delay.h"
#include "office/office.h"
#include "pki/crl.h"
#include "pki/pki.h"
#include "report/events.h"
#include "report/metrics.h"
#include "report/progress.h"
#include "report/results.h"
#include "run/run.h"
#include "timing/profile.h"

#define RUN_TARGETS_MAX  16  /* --allow-target */
#define RUN_SIGNALS      8   /* that end a run in order: setup.c */
#define RUN_VERSIONS_MAX 256 /* trust bundle versions in one run */

/* One broker. Where all is told of "the broker", all of those are meant that are not down. */
struct run_node {
  struct broker *broker;
  uint8_t fingerprint[BROKER_LISTENERS][32]; /* of the leaf that was written last */
  bool waiting[BROKER_LISTENERS];            /* it was written and is not known to be served yet */
  char bridge_name[32];
  bool down, frozen; /* by a step */
};

/* What is known of one device's certificate. */
struct run_identity {
  uint64_t pushed; /* mark of the chain that was pushed last, 0: none .. */
  bool acked;      /* .. which is in force on the device, by its word and by its memory */
  uint64_t seen;   /* mark of the chain that `roots` are of */
  uint16_t roots;  /* bit r: it is under root r */
};

struct run {
  const struct scenario *scenario;
  const struct run_options *options;
  struct error error;   /* why the run is aborted, or the latest step failed */
  struct permit permit; /* where it may send beyond loopback (targets.c) */
  const char *permitted[RUN_TARGETS_MAX];
  bool aborted, interrupted;
  bool asking; /* a person is being asked: the live line keeps quiet */

  uv_loop_t loop;
  uv_timer_t tick;
  uv_signal_t signals[RUN_SIGNALS];
  uv_async_t wake;
  struct loop_delay delay;
  size_t signal_count;
  bool loop_open, ticked;
  bool clones_closed, fleet_closed;
  /* something did not close in time: nothing is freed any more, and the process ends as it is */
  bool stuck;
  uint64_t began_ms, flush_at_ms, interrupted_ms;

  struct timing_profile timing; /* of the devices' processor */
  int out_fd;                   /* the folder for results, locked; -1: not so far */
  /* it may be used; it holds an earlier run, which --overwrite lets go */
  bool out_taken, out_holds_earlier;
  struct metrics *metrics;
  struct events *events;
  struct progress *progress;
  struct results results;
  bool results_written;
  struct pki *pki;
  /* scenario->node_count of them, then the false broker */
  struct run_node nodes[SCENARIO_NODES_MAX + 1];
  struct scenario_name lead[SCENARIO_NAMES_MAX]; /* where the names lead at present */
  /* of nodes[0], which has the listener to prove chains at */
  struct broker *broker;
  /* this program, with broker.terminator; "" without */
  char terminator[FILES_PATH_MAX];
  struct office *office;
  struct backend *backend;
  struct fleet *fleet;
  struct run_clones *clones; /* clones.c; NULL: none */
  struct run_ota *ota;       /* ota.h; NULL: the devices take no updates */
  /* of this run, in its telemetry: what an earlier run has left counts for nothing */
  uint32_t mark;
  uint32_t *ids;
  char operator_ca[FILES_PATH_MAX], operator_certificate[FILES_PATH_MAX],
      operator_key[FILES_PATH_MAX];
  size_t source_addresses; /* of the fleet; 0: the system chooses */
  uint64_t rss_before;

  /* what the back office has done and knows */
  struct pki_chain presented[BROKER_LISTENERS];
  struct pki_roots client_roots;
  /* the last publish-crl with a file; without one its file is empty */
  struct scenario_step crl_published;
  struct pki_crl_history crl_history; /* of the lists that were published so far */
  bool rolling_back;
  uint32_t bundle_version;                   /* newest one pushed */
  struct pki_roots bundle[RUN_VERSIONS_MAX]; /* its anchors, by version */
  bool bundle_crls[RUN_VERSIONS_MAX];        /* whether it was made with revocation lists */
  /* of its bytes, by which an acknowledgement names it */
  uint32_t bundle_crc[RUN_VERSIONS_MAX];
  uint32_t *acked_version;       /* per device */
  struct run_identity *identity; /* per device */
  bool office_online;
  unsigned office_losses; /* how often its connection was lost */
  /* what keeps it from connecting will not go away by itself */
  bool office_gave_up;
  /* 1 + the device_failure that the events have of this absence; 0: none */
  int office_told;
  char office_said[DIAGNOSE_TEXT_MAX]; /* the latest reason why it is not online */
  /* messages that the plan's own steps may have lost: books.c */
  uint64_t at_risk;
  bool office_surprised; /* it lost its broker where no session was to end */
  /* that it was not, since it first was, but for the present absence */
  uint64_t office_away_ms;
  uint64_t office_lost_at_ms; /* the present absence; 0: there is none */

  uint64_t brake_look_ms; /* when it was looked at last; 0: not so far */
  bool braking;

  struct run_kept *kept; /* operation.h: what callbacks may still write to */

  /* the phase under way */
  size_t phase;
  uint64_t foretold; /* bit f: it foretells device_failure f */
  /* the step under way: the longest wait until the broker is seen to have changed */
  uint64_t broker_ms;
  struct scenario_step undo[64];
  size_t undo_count;
};

/* How a step ended. FAILED: the rehearsed world did not do what it should; run->error says why.
 * SHORT: it was done, and not every device did what it says (run->error says how many): a failure
 * unless the phase's gate or expectations are about that, and did not hold anyway
 * (scenario_judges). */
enum step_outcome { STEP_DONE, STEP_FAILED, STEP_SHORT, STEP_ABORTED };

enum run_waited { RUN_ABORTED = -1, RUN_TIMED_OUT = 0, RUN_REACHED = 1 };

/* Turns the loop until done(run, ctx) or `within_ms` has passed. */
enum run_waited run_wait(struct run *run, bool (*done)(struct run *run, void *ctx), void *ctx,
                         uint64_t within_ms);

/* Turns the loop for that long; false: the run was aborted. */
bool run_pause(struct run *run, uint64_t ms);

/* One turn of the loop, in the midst of work that takes longer; false: the run was aborted. */
bool run_yield(struct run *run);

/* Condition for run_wait: every device that the plan wants is online. */
bool run_is_complete(struct run *run, void *ctx);

uint64_t run_elapsed_ms(const struct run *run); /* as of this turn of the loop */
double run_event_s(const struct run *run);      /* as of now, by the clock of the devices' events */
void run_emit(struct run *run, struct event event); /* now, and of no device */

/* Aborts the run with run->error set. */
int run_abort(struct run *run, const struct error *error);

/* run.c: what the loop calls. */
void run_on_tick(uv_timer_t *timer);
void run_on_signal(uv_signal_t *handle, int number);

/* targets.c */
int run_check_targets(struct run *run);
int run_resolve(struct run *run, const char *host, uint16_t port, struct sockaddr_storage *out);

/* folder.c */
int run_open_folder(struct run *run);
/* What `crls: yes` of a push-trust stands for under the devices' policy. */
enum pki_lists run_lists(const struct scenario *scenario, bool crls);

/* setup.c, teardown.c, verdict.c: the parts of run_scenario. 0, or -1 with run->error. */
int run_setup(struct run *run);
void run_end_world(struct run *run); /* operator and fleet; afterwards nothing observes any more */
void run_teardown(struct run *run);
void run_settle(struct run *run);
void run_gauges(struct run *run);
enum exit_code run_verdict(struct run *run);

/* books.c. Telemetry of the devices in use of which it is still open whether it arrives: neither
 * acknowledged to them and delivered to the operator, nor refused. */
uint64_t run_unsettled(struct run *run);

/* Telemetry that was sent and has not reached the operator, and how much of it some broker has
 * acknowledged to the devices; and how much of it, of the devices in use, a broker has refused. */
uint64_t run_missing(struct run *run, uint64_t *acknowledged);
uint64_t run_refused(struct run *run);

/* The plan has taken a broker away: what that one acknowledged and the operator does not have may
   be lost with it. */
void run_book_risk(struct run *run, bool killed);

/* Puts what the operator counted into the metrics; at the end of the run what was lost, and whether
   all adds up. */
void run_count_tally(struct run *run);
void run_close_books(struct run *run);

/* implied.c: goes through what everybody expects. */
#define RUN_IMPLIED_MAX 10u
void run_check_implied(struct run *run, void (*check)(struct run *run, const struct expr *expr));
bool run_has_broker(const struct run *run); /* one is reachable */

/* timing.c: the timing profile, and what of it the results say. */
int run_load_timing(struct run *run);
/* once the fleet folder is open and the first chain is written */
int run_count_budget(struct run *run);

/* nodes.c: the brokers. */
int run_start_nodes(struct run *run); /* with their first chains */
void run_end_nodes(struct run *run, void (*turn)(struct run *run, const bool *flag));
int run_set_places(struct run *run, struct fleet_config *config);
int run_lead(struct run *run, const struct scenario_name *lead, struct fleet_place *place);
uint64_t run_timed_out(const struct run *run);
bool run_is_reachable(const struct run *run, size_t node); /* neither down nor frozen */

/* phases.c */

/* 0, or a USAGE error where the scenario has a step that the grammar knows and this build cannot
   do. */
int run_check_steps(const struct scenario *scenario, struct error *error);
void run_phases(struct run *run);

/* quantities.c: what expressions can name; `ctx` is the run. */
int run_lookup(void *ctx, const char *name, const char *argument, struct expr_quantity *out);
int run_root_index(const struct run *run, const char *root);
bool run_version_has(const struct run *run, uint32_t version, const char *root);

/* identity.c: a number by which a chain is told from others; and of the one in force on the device,
 * 0: there is none.
 */
uint64_t run_chain_mark(const uint8_t *chain, size_t size);
uint64_t run_chain_in_force(struct run *run, size_t index);
/* The fleet's hook roots_of; ctx is the run. */
uint16_t run_roots_of(void *ctx, size_t index, const uint8_t *chain, size_t size);

/* brake.c: sets up the safety brake, if the scenario has one; looks once a second whether it must
   act. */
int run_set_brake(struct run *run);
void run_look_at_brake(struct run *run);

/* office.c: collects what the operator heard; for how long it could hear nothing. */
void run_collect(struct run *run);
void run_office_gauges(struct run *run);

/* broker.c: what is done to the broker, and proven to have happened. */
/* `node`: one broker, -1: all that are reachable. */
enum step_outcome run_broker_apply(struct run *run, enum scenario_apply apply, int node);
int run_write_client_ca(struct run *run, const struct pki_roots *roots);
int run_write_chain(struct run *run, enum broker_listener listener, const struct pki_chain *chain);
/* Presents `chain` at a listener: files, hook, reload or restart, and a probe that sees the new
   leaf served. */
enum step_outcome run_present(struct run *run, enum broker_listener listener,
                              const struct pki_chain *chain, enum scenario_apply apply);
/* Looks at what brokers (`only` one, or -1: all that are reachable) serve where a chain was written
 * that waits to be in force: it must be that chain. The fleet's proofs are of it from then on. */
enum step_outcome run_confirm_served(struct run *run, int only);
/* Does it to one broker, or to all that are reachable; waits until it is done. */
typedef void broker_operation(struct broker *broker, broker_done done, void *ctx);
int run_wait_node(struct run *run, size_t node, broker_operation *operation, uint64_t within_ms);
int run_wait_broker(struct run *run, broker_operation *operation, uint64_t within_ms);

/* setup.c: how the fleet is made; a fleet of clones differs in who is in it, and in the mark of its
   telemetry. */
int run_fleet_config(struct run *run, struct fleet_config *out);
uint32_t run_clones_mark(const struct run *run);

/* clones.c: copies of these devices go online beside them. Their counters, and their end. */
int run_start_clones(struct run *run, const uint32_t *devices, size_t count, double rate);
void run_measure_clones(struct run *run);
void run_stop_clones(struct run *run);
struct fleet *run_clones_fleet(struct run *run);
void run_release_clones(struct run *run); /* when their fleet is closed */

/* steps/revoke.c. The CRLs' file of a broker: written before it starts. */
int run_write_crls(struct run *run, const struct scenario_crl *crl);
/* All roots whose devices the broker may come to trust; one of those `trusted` now must be able to
 * say whom it revoked.
 */
struct pki_roots run_crl_roots(const struct run *run, const struct pki_roots *trusted);

/* steps/revoke_check.c. Refuses, before anything is sent, the steps whose revocations or lists
 * cannot be made here, and files of lists that would do harm. */
int run_check_crls(struct run *run);

/* The name of a root among those whose list cannot be made for want of its key; NULL: none. */
const char *run_lacks_crl_key(const struct run *run, const struct pki_roots *trusted);

/* SIGKILL for the local broker, and started again on the same ports: what it had not saved is
   gone. */
enum step_outcome run_broker_crash(struct run *run);

/* What a step wants said about the phase under way, in the summary and the results. */
void run_say(struct run *run, const char *text);

/* Steps, one file per kind (steps/). */
typedef enum step_outcome step_function(struct run *run, const struct scenario_step *step);
step_function step_fault, step_mend;
step_function step_reconnect_policy, step_storm;
step_function step_connect, step_telemetry, step_drain, step_push_trust, step_prove, step_present,
    step_trust_clients, step_reload, step_restart, step_kill_node, step_stop_node, step_freeze_node,
    step_thaw_node, step_start_node, step_resolve, step_reconnect, step_reissue, step_shelf,
    step_wake, step_clock, step_trespass, step_revoke, step_unrevoke, step_publish_crl, step_kick,
    step_compromise, step_wait, step_prompt;
step_function step_revoke_broker;
step_function step_ota_publish, step_ota_rollout, step_ota_pause, step_ota_resume, step_ota_abort,
    step_corrupt, step_power_cut, step_cdn;

/* steps/policy.c: as the fleet takes it; and reconnect.cohorts, once the fleet is made. */
struct backoff_policy run_policy(const struct scenario_reconnect *reconnect);
int run_set_cohort_policies(struct run *run);
/* Sets the policy of the devices that `who` names. 0, or -1 with the run aborted. */
int run_set_policy(struct run *run, const struct scenario_who *who,
                   const struct scenario_reconnect *reconnect);

/* Remembers the step that takes back what is being done, for on_fail: rollback. */
void run_undo_with(struct run *run, const struct scenario_step *inverse);

/* steps/targets.c: which devices a step is for. The list is malloc'd; NULL aborts the run for want
   of memory. */
enum targets_kind {
  TARGETS_AWAKE,
  TARGETS_ONLINE,
  TARGETS_SHELVED,
  TARGETS_UNPLANNED,
  TARGETS_ALL
};
uint32_t *targets_list(struct run *run, enum targets_kind kind, size_t *count);

/* Those of a kind among the devices that a step names: at most targets_count() of them, in the
   shuffled order. */
uint32_t *targets_of(struct run *run, enum targets_kind kind, const struct scenario_who *who,
                     size_t *count);

/* How many devices the step names, whatever their state. */
size_t targets_count(const struct run *run, const struct scenario_who *who);

/* Number of the first devices that a share is: rounded up, so that a share above 0 reaches
   somebody. */
size_t targets_share(size_t count, double share);

/* Goes through the waves of a step: begin(run, devices, count, ctx) starts one slice; done(run,
 * index, ctx) tells whether a device of it is through. A slice that is not through in `within_ms`
 * stops the rollout: FAILED, or SHORT if it was the last one. Nobody to begin is SHORT as well.
 * Slices are not cumulative: each device is begun once. */
struct waves {
  const struct scenario_waves *shares;
  uint64_t within_ms;
  int (*begin)(struct run *run, const uint32_t *devices, size_t count, void *ctx);
  bool (*done)(struct run *run, uint32_t device, void *ctx);
  void *ctx;
  const char *what; /* "acknowledged the trust bundle": for the sentence of a failure */
};
enum step_outcome waves_run(struct run *run, const struct waves *waves, const uint32_t *devices,
                            size_t count);

#endif

/* What a scenario's steps do: one function per kind, each in the file that is named for it. */
#ifndef FLEETSIM_STEPS_STEPS_H
#define FLEETSIM_STEPS_STEPS_H

#include "stage/stage.h"

/* A step is straight-line code that calls stage_wait for whatever takes time. */
typedef enum step_outcome step_function(struct stage *stage, const struct scenario_step *step);
extern step_function *const step_functions[STEP_KINDS];

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

#endif

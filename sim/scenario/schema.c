/* One table a mapping; libcyaml fills the raw structs by them. All values are texts: units and
 * words are checked later, where a refusal can say what was meant. */
#define _POSIX_C_SOURCE 200809L
#include <cyaml/cyaml.h>
#include <stdio.h>
#include <string.h>

#include "scenario/raw.h"
#include "scenario/schema.h"

/* clang-format off */
#define TEXT(key, type, member)  CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define MUST(key, type, member)  CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_DEFAULT, type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, max) \
  CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &text_entry, 1, max)
#define GROUP(key, type, member, fields) CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_OPTIONAL, type, member, fields)
#define ARG(key, member)         TEXT(key, struct raw_args, member)
#define ARG_ROOTS                LIST("roots", struct raw_args, roots, PKI_ROOTS_MAX)
#define ARG_WHO \
  ARG("share", share), ARG("cohort", cohort), LIST("ids", struct raw_args, ids, SCENARIO_IDS_MAX)
#define ARG_WAVES                LIST("waves", struct raw_args, waves, SCENARIO_WAVES_MAX)

static const cyaml_schema_value_t text_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

static const cyaml_schema_field_t connect_args[] = {
  ARG("rate", rate), ARG("arrival", arrival), ARG_WHO, CYAML_FIELD_END};
static const cyaml_schema_field_t telemetry_args[] = {
  ARG("every", every), ARG("bytes", bytes), ARG("qos", qos), CYAML_FIELD_END};
static const cyaml_schema_field_t drain_args[] = {ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t push_trust_args[] = {
  ARG_ROOTS, ARG_WAVES, ARG("crls", crls), ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t revoke_broker_args[] = {ARG("what", what), CYAML_FIELD_END};
static const cyaml_schema_field_t prove_args[] = {
  ARG("root", root), ARG("cross", cross), ARG("intermediate", intermediate), ARG("cross-expired", cross_expired),
  ARG("leaf-expired", leaf_expired), ARG("rate", rate), ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t present_args[] = {
  ARG("root", root), ARG("cross", cross), ARG("intermediate", intermediate), ARG("cross-expired", cross_expired),
  ARG("leaf-expired", leaf_expired), ARG("apply", apply), ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t trust_clients_args[] = {
  ARG_ROOTS, ARG("apply", apply), ARG("within", within), ARG("probe", probe), CYAML_FIELD_END};
static const cyaml_schema_field_t resolve_args[] = {
  ARG("name", name), ARG("delay", delay),
  CYAML_FIELD_SEQUENCE("nodes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_args, nodes, &text_entry, 0,
                       SCENARIO_NODES_MAX), CYAML_FIELD_END};
static const cyaml_schema_field_t node_args[] = {ARG("node", node), CYAML_FIELD_END};
static const cyaml_schema_field_t reconnect_args[] = {
  ARG_WAVES, ARG("rate", rate), ARG("full-handshake", full_handshake), ARG("within", within),
  CYAML_FIELD_END};
static const cyaml_schema_field_t reissue_args[] = {
  ARG("root", root), ARG_WAVES, ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t who_args[] = {ARG_WHO, CYAML_FIELD_END};
static const cyaml_schema_field_t wake_args[] = {ARG("rate", rate), CYAML_FIELD_END};
static const cyaml_schema_field_t clock_args[] = {ARG_WHO, ARG("set", set), CYAML_FIELD_END};
static const cyaml_schema_field_t reconnect_policy_args[] = {
  ARG("policy", policy), ARG("base", base), ARG("cap", cap), ARG_WHO, CYAML_FIELD_END};
static const cyaml_schema_field_t fault_args[] = {
  ARG("latency", latency), ARG("jitter", jitter), ARG("bandwidth", bandwidth), ARG("cut", cut),
  ARG("cut-after", cut_after),
  ARG("reset", reset), ARG("slice", slice), ARG("black-hole", black_hole), ARG("slow-close", slow_close),
  ARG("refuse", refuse), ARG("for", time), ARG_WHO, CYAML_FIELD_END};
static const cyaml_schema_field_t revoke_args[] = {
  ARG_WHO, ARG("reason", reason), ARG("publish", publish), CYAML_FIELD_END};
static const cyaml_schema_field_t unrevoke_args[] = {ARG_WHO, ARG("publish", publish), CYAML_FIELD_END};
static const cyaml_schema_field_t publish_crl_args[] = {
  ARG("this-update", this_update), ARG("next-update", next_update), ARG("entries", entries), ARG("apply", apply),
  ARG("file", file), ARG("unchecked", unchecked), CYAML_FIELD_END};
static const cyaml_schema_field_t compromise_args[] = {ARG_WHO, ARG("rate", rate), CYAML_FIELD_END};
static const cyaml_schema_field_t kick_args[] = {ARG_WHO, ARG("within", within), CYAML_FIELD_END};
static const cyaml_schema_field_t storm_args[] = {
  ARG("policy", policy), ARG("base", base), ARG("cap", cap), ARG("within", within), ARG("rate", rate),
  CYAML_FIELD_END};
static const cyaml_schema_field_t publish_args[] = {
  ARG("image", image), ARG("version", version), ARG("counter", counter), ARG("size", size), ARG("class", device_class),
  ARG("via", via), ARG("file", file), ARG("self-test", self_test), ARG("failing", failing),
  LIST("trust", struct raw_args, trust, PKI_ROOTS_MAX), ARG("rescue", rescue), CYAML_FIELD_END};
static const cyaml_schema_field_t abort_fields[] = {
  TEXT("status", struct raw_abort, status), TEXT("share", struct raw_abort, share), TEXT("of", struct raw_abort, of),
  TEXT("minimum", struct raw_abort, minimum), CYAML_FIELD_END};
static const cyaml_schema_value_t abort_entry = {
  CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_abort, abort_fields)};
static const cyaml_schema_field_t rollout_args[] = {
  ARG("image", image), ARG_WAVES, ARG("rate", rate), ARG("growth", growth), ARG("after", after),
  ARG("jitter", jitter), ARG("within", within), ARG("background", background), ARG_WHO,
  CYAML_FIELD_SEQUENCE("abort", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_args, abort, &abort_entry, 1,
                       SCENARIO_ABORTS_MAX), CYAML_FIELD_END};
static const cyaml_schema_field_t no_args[] = {CYAML_FIELD_END};
static const cyaml_schema_field_t power_cut_args[] = {
  ARG_WHO, ARG("at", at), ARG("every", every), ARG("times", times), CYAML_FIELD_END};
static const cyaml_schema_field_t corrupt_args[] = {ARG("image", image), ARG("how", how), CYAML_FIELD_END};
static const cyaml_schema_field_t cdn_args[] = {
  ARG("cut", cut), ARG("after", after), ARG("latency", latency), ARG("bandwidth", bandwidth), ARG("refuse", refuse),
  ARG("stall", stall), ARG("for", time), ARG("mend", mend), CYAML_FIELD_END};
static const cyaml_schema_field_t wait_args[] = {ARG("for", time), CYAML_FIELD_END};
static const cyaml_schema_field_t prompt_args[] = {ARG("say", say), CYAML_FIELD_END};

#define STEP(kind, key, fields) [kind] = GROUP(key, struct raw_step, args[kind], fields)
static const cyaml_schema_field_t step_fields[] = {
  STEP(STEP_CONNECT, "connect", connect_args),
  STEP(STEP_TELEMETRY, "telemetry", telemetry_args),
  STEP(STEP_DRAIN, "drain", drain_args),
  STEP(STEP_PUSH_TRUST, "push-trust", push_trust_args),
  STEP(STEP_PROVE, "prove", prove_args),
  STEP(STEP_PRESENT, "present", present_args),
  STEP(STEP_REVOKE_BROKER, "revoke-broker", revoke_broker_args),
  STEP(STEP_TRUST_CLIENTS, "trust-clients", trust_clients_args),
  STEP(STEP_RELOAD, "reload-broker", node_args),
  STEP(STEP_RESTART, "restart-broker", node_args),
  STEP(STEP_KILL_NODE, "kill-broker", node_args),
  STEP(STEP_STOP_NODE, "stop-broker", node_args),
  STEP(STEP_FREEZE_NODE, "freeze-broker", node_args),
  STEP(STEP_THAW_NODE, "thaw-broker", node_args),
  STEP(STEP_START_NODE, "start-broker", node_args),
  STEP(STEP_RESOLVE, "resolve", resolve_args),
  STEP(STEP_RECONNECT, "reconnect", reconnect_args),
  STEP(STEP_REISSUE, "reissue", reissue_args),
  STEP(STEP_SHELF, "shelf", who_args),
  STEP(STEP_WAKE, "wake", wake_args),
  STEP(STEP_CLOCK, "clock", clock_args),
  STEP(STEP_TRESPASS, "trespass", who_args),
  STEP(STEP_POLICY, "reconnect-policy", reconnect_policy_args),
  STEP(STEP_FAULT, "fault", fault_args),
  STEP(STEP_MEND, "mend", who_args),
  STEP(STEP_REVOKE, "revoke", revoke_args),
  STEP(STEP_UNREVOKE, "unrevoke", unrevoke_args),
  STEP(STEP_PUBLISH_CRL, "publish-crl", publish_crl_args),
  STEP(STEP_KICK, "kick", kick_args),
  STEP(STEP_COMPROMISE, "compromise", compromise_args),
  STEP(STEP_STORM, "storm", storm_args),
  STEP(STEP_OTA_PUBLISH, "ota.publish", publish_args),
  STEP(STEP_OTA_ROLLOUT, "ota.rollout", rollout_args),
  STEP(STEP_OTA_PAUSE, "ota.pause", no_args),
  STEP(STEP_OTA_RESUME, "ota.resume", no_args),
  STEP(STEP_OTA_ABORT, "ota.abort", no_args),
  STEP(STEP_POWER_CUT, "power-cut", power_cut_args),
  STEP(STEP_CORRUPT, "corrupt", corrupt_args),
  STEP(STEP_CDN, "cdn", cdn_args),
  STEP(STEP_WAIT, "wait", wait_args),
  STEP(STEP_PROMPT, "prompt", prompt_args),
  [STEP_KINDS] = CYAML_FIELD_END};
static const cyaml_schema_value_t step_entry = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_step, step_fields)};

static const cyaml_schema_field_t phase_fields[] = {
  MUST("name", struct raw_phase, name),
  CYAML_FIELD_SEQUENCE("do", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_phase, steps, &step_entry, 0,
                       RAW_STEPS_MAX),
  TEXT("until", struct raw_phase, until),
  LIST("expect", struct raw_phase, expect, RAW_EXPECT_MAX),
  TEXT("on_fail", struct raw_phase, on_fail),
  CYAML_FIELD_END};
static const cyaml_schema_value_t phase_entry = {
  CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_phase, phase_fields)};

static const cyaml_schema_field_t cohort_fields[] = {
  MUST("name", struct raw_cohort, name), MUST("share", struct raw_cohort, share), CYAML_FIELD_END};
static const cyaml_schema_value_t cohort_entry = {
  CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_cohort, cohort_fields)};
static const cyaml_schema_field_t fleet_fields[] = {
  MUST("devices", struct raw_fleet, devices), TEXT("profile", struct raw_fleet, profile),
  GROUP("telemetry", struct raw_fleet, telemetry, telemetry_args),
  CYAML_FIELD_SEQUENCE("cohorts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_fleet, cohorts, &cohort_entry,
                       1, SCENARIO_COHORTS_MAX),
  TEXT("source-addresses", struct raw_fleet, source_addresses), CYAML_FIELD_END};
static const cyaml_schema_field_t timeouts_fields[] = {
  TEXT("tcp", struct raw_timeouts, tcp), TEXT("handshake", struct raw_timeouts, handshake),
  TEXT("connack", struct raw_timeouts, connack), TEXT("ack", struct raw_timeouts, ack), CYAML_FIELD_END};
static const cyaml_schema_field_t device_fields[] = {
  TEXT("tls", struct raw_device, tls), TEXT("mqtt", struct raw_device, mqtt),
  TEXT("keep-alive", struct raw_device, keep_alive), TEXT("session", struct raw_device, session),
  TEXT("resume", struct raw_device, resume),
  TEXT("resume-anywhere", struct raw_device, resume_anywhere), TEXT("will", struct raw_device, will),
  GROUP("timeouts", struct raw_device, timeouts, timeouts_fields),
  TEXT("byte-budget", struct raw_device, byte_budget), TEXT("crypto", struct raw_device, crypto),
  TEXT("revocation", struct raw_device, revocation), TEXT("record", struct raw_device, record), CYAML_FIELD_END};
static const cyaml_schema_field_t pki_fields[] = {
  LIST("roots", struct raw_pki, roots, PKI_ROOTS_MAX), LIST("trusted", struct raw_pki, trusted, PKI_ROOTS_MAX),
  LIST("clients", struct raw_pki, clients, PKI_ROOTS_MAX), TEXT("broker", struct raw_pki, broker),
  TEXT("devices", struct raw_pki, devices), CYAML_FIELD_END};
static const cyaml_schema_field_t timing_fields[] = {
  TEXT("profile", struct raw_timing, profile), TEXT("pace", struct raw_timing, pace), CYAML_FIELD_END};
static const cyaml_schema_field_t hooks_fields[] = {
#define X(symbol, name, key) TEXT(key, struct raw_hooks, name),
  HOOKS(X)
#undef X
  CYAML_FIELD_END};
static const cyaml_schema_field_t terminator_fields[] = {
  TEXT("crl", struct raw_terminator, crl), TEXT("tickets", struct raw_terminator, tickets), CYAML_FIELD_END};
static const cyaml_schema_field_t false_fields[] = {
  MUST("root", struct raw_false, root), TEXT("host", struct raw_false, host), CYAML_FIELD_END};
static const cyaml_schema_field_t name_fields[] = {
  MUST("name", struct raw_name, name), LIST("nodes", struct raw_name, nodes, SCENARIO_NODES_MAX), CYAML_FIELD_END};
static const cyaml_schema_value_t name_entry = {
  CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_name, name_fields)};
static const cyaml_schema_field_t broker_fields[] = {
  GROUP("terminator", struct raw_broker, terminator, terminator_fields),
  TEXT("local", struct raw_broker, local), TEXT("url", struct raw_broker, url),
  TEXT("prove-url", struct raw_broker, prove_url), TEXT("port", struct raw_broker, port),
  TEXT("prove-port", struct raw_broker, prove_port), GROUP("hooks", struct raw_broker, hooks, hooks_fields),
  TEXT("handshake-timeout", struct raw_broker, handshake_timeout), TEXT("handshakes", struct raw_broker, handshakes),
  TEXT("bridge", struct raw_broker, bridge),
  GROUP("false", struct raw_broker, not_true, false_fields),
  LIST("nodes", struct raw_broker, nodes, SCENARIO_NODES_MAX), LIST("urls", struct raw_broker, urls, SCENARIO_NODES_MAX),
  CYAML_FIELD_END};
static const cyaml_schema_field_t flash_fields[] = {
  TEXT("erase", struct raw_flash, erase), TEXT("program", struct raw_flash, program), CYAML_FIELD_END};
static const cyaml_schema_field_t factory_fields[] = {
  TEXT("version", struct raw_factory, version), TEXT("counter", struct raw_factory, counter),
  TEXT("size", struct raw_factory, size), CYAML_FIELD_END};
static const cyaml_schema_field_t rescue_fields[] = {TEXT("after", struct raw_rescue, after), CYAML_FIELD_END};
static const cyaml_schema_field_t ota_fields[] = {
  TEXT("slots", struct raw_ota, slots), TEXT("block", struct raw_ota, block), TEXT("window", struct raw_ota, window),
  TEXT("attempts", struct raw_ota, attempts), TEXT("block-timeout", struct raw_ota, block_timeout),
  TEXT("trial", struct raw_ota, trial), TEXT("class", struct raw_ota, device_class),
  TEXT("padded-signatures", struct raw_ota, padded_signatures),
  GROUP("flash", struct raw_ota, flash, flash_fields), GROUP("factory", struct raw_ota, factory, factory_fields),
  TEXT("server", struct raw_ota, server), GROUP("rescue", struct raw_ota, rescue, rescue_fields), CYAML_FIELD_END};
static const cyaml_schema_field_t cohort_policy_fields[] = {
  MUST("cohort", struct raw_policy, cohort), TEXT("policy", struct raw_policy, policy),
  TEXT("base", struct raw_policy, base), TEXT("cap", struct raw_policy, cap), CYAML_FIELD_END};
static const cyaml_schema_value_t cohort_policy_entry = {
  CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_policy, cohort_policy_fields)};
static const cyaml_schema_field_t policy_fields[] = {
  TEXT("policy", struct raw_reconnect, policy), TEXT("base", struct raw_reconnect, base),
  TEXT("cap", struct raw_reconnect, cap), TEXT("endpoints", struct raw_reconnect, endpoints),
  CYAML_FIELD_SEQUENCE("cohorts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_reconnect, cohorts,
                       &cohort_policy_entry, 1, SCENARIO_COHORTS_MAX), CYAML_FIELD_END};
static const cyaml_schema_field_t brake_fields[] = {
  MUST("when", struct raw_brake, when), MUST("rate", struct raw_brake, rate), CYAML_FIELD_END};
static const cyaml_schema_field_t limits_fields[] = {TEXT("run", struct raw_limits, run), CYAML_FIELD_END};

static const cyaml_schema_field_t scenario_fields[] = {
  MUST("name", struct raw_scenario, name),
  TEXT("seed", struct raw_scenario, seed),
  CYAML_FIELD_MAPPING_PTR("fleet", CYAML_FLAG_DEFAULT, struct raw_scenario, fleet, fleet_fields),
  GROUP("device", struct raw_scenario, device, device_fields),
  GROUP("timing", struct raw_scenario, timing, timing_fields),
  GROUP("pki", struct raw_scenario, pki, pki_fields),
  GROUP("broker", struct raw_scenario, broker, broker_fields),
  GROUP("ota", struct raw_scenario, ota, ota_fields),
  CYAML_FIELD_SEQUENCE("names", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_scenario, names, &name_entry, 1,
                       SCENARIO_NAMES_MAX),
  GROUP("reconnect", struct raw_scenario, reconnect, policy_fields),
  GROUP("brake", struct raw_scenario, brake, brake_fields),
  GROUP("limits", struct raw_scenario, limits, limits_fields),
  CYAML_FIELD_SEQUENCE("phases", CYAML_FLAG_POINTER, struct raw_scenario, phases, &phase_entry, 1, RAW_PHASES_MAX),
  LIST("targets", struct raw_scenario, targets, RAW_TARGETS_MAX),
  LIST("expect", struct raw_scenario, expect, RAW_EXPECT_MAX),
  CYAML_FIELD_END};
/* clang-format on */

const cyaml_schema_value_t schema_scenario = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_scenario, scenario_fields)};

const char *scenario_step_name(enum scenario_step_kind kind)
{
  return kind >= 0 && kind < STEP_KINDS ? step_fields[kind].key : "unknown";
}

/* The last error line of libcyaml is the outermost of its backtrace; the first says what was
   wrong. */
static void keep_first_error(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
  char *kept = ctx;
  if (level < CYAML_LOG_ERROR || kept[0] != '\0') return;
  vsnprintf(kept, 200, format, args);
  kept[strcspn(kept, "\n")] = '\0';
}

static cyaml_config_t config_for(char kept[200])
{
  kept[0] = '\0';
  return (cyaml_config_t){.log_fn = keep_first_error,
                          .log_ctx = kept,
                          .log_level = CYAML_LOG_ERROR,
                          .mem_fn = cyaml_mem,
                          .flags = CYAML_CFG_NO_ALIAS};
}

int raw_load(const struct doc *doc, struct raw_scenario **out, struct error *error)
{
  char kept[200];
  cyaml_config_t config = config_for(kept);
  cyaml_err_t result = cyaml_load_data((const uint8_t *) doc->text, doc->size, &config,
                                       &schema_scenario, (cyaml_data_t **) out, NULL);
  if (result == CYAML_OK) return 0;
  /* libyaml has read this very text before (doc.c): what it cannot do now is take memory */
  if (result == CYAML_ERR_OOM || result == CYAML_ERR_LIBYAML_PARSER_INIT ||
      result == CYAML_ERR_LIBYAML_PARSER)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", doc->file);
  char sentence[300];
  snprintf(sentence, sizeof sentence, "this does not fit the grammar of scenarios/README.md: %s",
           kept[0] != '\0' ? kept : cyaml_strerror(result));
  return doc_fail(doc, "", 0, error, sentence);
}

void raw_free(struct raw_scenario *raw)
{
  char kept[200];
  cyaml_config_t config = config_for(kept);
  cyaml_free(&config, &schema_scenario, raw, 0);
}

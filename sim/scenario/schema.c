/* One table a mapping; libcyaml fills the raw structs by them. All values are texts: units and
 * words are checked later, where a refusal can say what was meant. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/raw.h"
#include "scenario/schema.h"

/* clang-format off */
#define TEXT(key, type, member)  CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define MUST(key, type, member)  CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_DEFAULT, type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, max) \
  CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &text_entry, 1, max)
#define GROUP(key, type, member, fields) CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_OPTIONAL, type, member, fields)
static const cyaml_schema_value_t text_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};

static const cyaml_schema_field_t telemetry_fields[] = {
  TEXT("every", struct raw_telemetry, every), TEXT("bytes", struct raw_telemetry, bytes),
  TEXT("qos", struct raw_telemetry, qos), TEXT("payload", struct raw_telemetry, payload),
  TEXT("seq-at", struct raw_telemetry, seq_at), TEXT("time-at", struct raw_telemetry, time_at), CYAML_FIELD_END};

static const cyaml_schema_field_t phase_fields[] = {
  MUST("name", struct raw_phase, name),
  CYAML_FIELD_IGNORE(SCHEMA_STEPS, CYAML_FLAG_OPTIONAL),
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
static const cyaml_schema_field_t credentials_fields[] = {
  TEXT("user", struct raw_credentials, user), TEXT("password", struct raw_credentials, password),
  TEXT("password-file", struct raw_credentials, password_file),
  TEXT("password-column", struct raw_credentials, password_column),
  TEXT("token-file", struct raw_credentials, token_file),
  TEXT("renew-before", struct raw_credentials, renew_before), CYAML_FIELD_END};
static const cyaml_schema_field_t fleet_fields[] = {
  MUST("devices", struct raw_fleet, devices), TEXT("profile", struct raw_fleet, profile),
  GROUP("telemetry", struct raw_fleet, telemetry, telemetry_fields),
  GROUP("credentials", struct raw_fleet, credentials, credentials_fields),
  CYAML_FIELD_SEQUENCE("cohorts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_fleet, cohorts, &cohort_entry,
                       1, SCENARIO_COHORTS_MAX),
  TEXT("names", struct raw_fleet, names), TEXT("client-id", struct raw_fleet, client_id),
  TEXT("source-addresses", struct raw_fleet, source_addresses), CYAML_FIELD_END};
static const cyaml_schema_field_t topics_fields[] = {
  TEXT("telemetry", struct raw_topics, telemetry), TEXT("control", struct raw_topics, control), CYAML_FIELD_END};
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
  TEXT("revocation", struct raw_device, revocation), TEXT("record", struct raw_device, record),
  TEXT("certificate", struct raw_device, certificate), TEXT("alpn", struct raw_device, alpn), CYAML_FIELD_END};
static const cyaml_schema_field_t pki_fields[] = {
  LIST("roots", struct raw_pki, roots, PKI_ROOTS_MAX), LIST("trusted", struct raw_pki, trusted, PKI_ROOTS_MAX),
  LIST("clients", struct raw_pki, clients, PKI_ROOTS_MAX), TEXT("broker", struct raw_pki, broker),
  TEXT("devices", struct raw_pki, devices), CYAML_FIELD_END};
static const cyaml_schema_field_t timing_fields[] = {
  TEXT("profile", struct raw_timing, profile), TEXT("pace", struct raw_timing, pace), CYAML_FIELD_END};
static const cyaml_schema_field_t hooks_fields[] = {
#define X(symbol, name, key, line) TEXT(key, struct raw_hooks, name),
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
  TEXT("kind", struct raw_broker, kind), TEXT("version", struct raw_broker, version),
  TEXT("node", struct raw_broker, node), TEXT("pid-file", struct raw_broker, pid_file),
  TEXT("server-name", struct raw_broker, server_name),
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
  GROUP("topics", struct raw_scenario, topics, topics_fields),
  GROUP("device", struct raw_scenario, device, device_fields),
  GROUP("timing", struct raw_scenario, timing, timing_fields),
  GROUP("pki", struct raw_scenario, pki, pki_fields),
  GROUP("broker", struct raw_scenario, broker, broker_fields),
  CYAML_FIELD_IGNORE(SCHEMA_OPERATOR, CYAML_FLAG_OPTIONAL),
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

/* --- What is read from the document itself, so that no member is mapped ------------------------ */

static const cyaml_schema_value_t text_value = {.type = CYAML_STRING};

/* clang-format off */
#define WORD(name) {.key = (name), .value = {.type = CYAML_STRING, .flags = CYAML_FLAG_OPTIONAL}}
static const cyaml_schema_field_t operator_fields[] = {
  WORD("url"), WORD("ca"), WORD("cert"), WORD("key"), WORD("user"), WORD("password-file"),
  WORD("client-id"), CYAML_FIELD_END};
/* clang-format on */

const cyaml_schema_value_t schema_operator = {.type = CYAML_MAPPING,
                                              .mapping = {.fields = operator_fields}};

/* Steps, as their kinds list them. */

static void make_text(const char *key, cyaml_schema_field_t *out)
{
  *out = (cyaml_schema_field_t){.key = key,
                                .value = {.type = CYAML_STRING, .flags = CYAML_FLAG_OPTIONAL}};
}

static void make_list(const struct step_argument *from, const cyaml_schema_value_t *entry,
                      cyaml_schema_field_t *out)
{
  make_text(from->key, out);
  out->value.type = CYAML_SEQUENCE;
  out->value.sequence.entry = entry;
  out->value.sequence.min = from->least;
  out->value.sequence.max = from->most;
}

/* Mappings with these keys. */
static void make_entries(const struct step_argument *from, struct schema_entries *entries,
                         cyaml_schema_field_t *out)
{
  size_t n = 0;
  for (; from->fields[n] != NULL; n++) {
    assert(n < SCHEMA_ENTRY_MAX);
    make_text(from->fields[n], &entries->fields[n]);
  }
  entries->value =
      (cyaml_schema_value_t){.type = CYAML_MAPPING, .mapping = {.fields = entries->fields}};
  make_list(from, &entries->value, out);
}

static void make_kind(const struct step_kind *kind, struct schema_kind *out)
{
  for (size_t a = 0; kind->arguments[a].key != NULL; a++) {
    const struct step_argument *argument = &kind->arguments[a];
    assert(a + 1 < STEP_ARGUMENTS_MAX); /* the last one ends the list */
    switch (argument->type) {
    case STEP_TEXT: make_text(argument->key, &out->fields[a]); break;
    case STEP_LIST: make_list(argument, &text_value, &out->fields[a]); break;
    case STEP_ENTRIES: make_entries(argument, &out->entries, &out->fields[a]); break;
    }
  }
}

struct schema_steps *schema_steps_new(const struct step_kind *const *kinds)
{
  size_t count = 0;
  while (kinds[count] != NULL) count++;
  struct schema_steps *steps = calloc(1, sizeof *steps);
  if (steps == NULL) return NULL;
  steps->kinds = calloc(count + 1, sizeof *steps->kinds);
  steps->fields = calloc(count + 1, sizeof *steps->fields);
  if (steps->kinds == NULL || steps->fields == NULL) {
    schema_steps_free(steps);
    return NULL;
  }
  for (size_t k = 0; k < count; k++) {
    make_kind(kinds[k], &steps->kinds[k]);
    make_text(kinds[k]->name, &steps->fields[k]);
    steps->fields[k].value.type = CYAML_MAPPING;
    steps->fields[k].value.mapping.fields = steps->kinds[k].fields;
  }
  steps->entry =
      (cyaml_schema_value_t){.type = CYAML_MAPPING, .mapping = {.fields = steps->fields}};
  steps->list = (cyaml_schema_value_t){
      .type = CYAML_SEQUENCE, .sequence = {.entry = &steps->entry, .min = 0, .max = RAW_STEPS_MAX}};
  return steps;
}

void schema_steps_free(struct schema_steps *steps)
{
  if (steps == NULL) return;
  free(steps->kinds);
  free(steps->fields);
  free(steps);
}

/* --- Loading ---------------------------------------------------------------------------------- */

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
    return error_set(error, EXIT_CODE_INTERNAL, "no memory to read it");
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

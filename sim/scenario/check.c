/* Text by text into the struct, with the defaults where a text is missing. The first refusal ends
 * it, with the place in the file; nothing here looks at the world, so that a file means the same
 * everywhere. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/records.h"
#include "scenario/step_kind.h"
#include "scenario/units.h"
#include "timing/profile.h"

#define MINUTE_MS      60000u
#define HOUR_MS        3600000u
#define DAY_MS         86400000u
#define DEVICES_MAX    1000000u
#define ADDRESSES_MAX  250u
#define BUDGET_MIN     4096u
#define BUDGET_MAX     (16u * 1024u * 1024u)
#define EXPIRY_NEVER_S 0xffffffffu

static int check_fleet(const struct take *t, const struct raw_fleet *raw, struct scenario *out)
{
  uint64_t devices = 0, addresses = 0;
  if (take_number(t, "fleet", "devices", raw->devices, 1, DEVICES_MAX, &devices) != 0 ||
      take_text(t, "fleet", "profile", raw->profile, out->profile_name, sizeof out->profile_name) !=
          0 ||
      take_number(t, "fleet", "source-addresses", raw->source_addresses, 1, ADDRESSES_MAX,
                  &addresses) != 0)
    return -1;
  out->devices = devices;
  out->source_addresses = addresses;
  out->telemetry = (struct scenario_telemetry){.every_ms = 2000, .bytes = 64, .qos = 1};
  if (check_cohorts(t, raw, out) != 0) return -1;
  return raw->telemetry == NULL
             ? 0
             : check_telemetry(t, "fleet.telemetry", raw->telemetry, &out->telemetry);
}

static int check_timeouts(const struct take *t, const struct raw_timeouts *raw,
                          struct device_profile *out)
{
  const struct {
    const char *key, *text;
    uint32_t *out;
  } all[] = {{"tcp", raw->tcp, &out->tcp_timeout_ms},
             {"handshake", raw->handshake, &out->handshake_timeout_ms},
             {"connack", raw->connack, &out->connack_timeout_ms},
             {"ack", raw->ack, &out->ack_timeout_ms}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    uint64_t ms = *all[i].out;
    if (take_duration(t, "device.timeouts", all[i].key, all[i].text, 100, HOUR_MS, &ms) != 0)
      return -1;
    *all[i].out = (uint32_t) ms;
  }
  return 0;
}

static int check_versions(const struct take *t, const struct raw_device *raw,
                          struct device_profile *out)
{
  static const char *const tls[] = {"1.2", "1.3", "1.2-1.3", NULL};
  static const char *const mqtt[] = {"3.1.1", "5", NULL};
  static const char *const session[] = {"persistent", "clean", NULL};
  int t_index = 1, m_index = 1, s_index = 0;
  if (take_word(t, "device", "tls", raw->tls, tls, &t_index) != 0 ||
      take_word(t, "device", "mqtt", raw->mqtt, mqtt, &m_index) != 0 ||
      take_word(t, "device", "session", raw->session, session, &s_index) != 0)
    return -1;
  out->tls_min = t_index == 1 ? 13 : 12;
  out->tls_max = t_index == 0 ? 12 : 13;
  out->mqtt_version = m_index == 0 ? 4 : 5;
  out->clean_start = s_index == 1;
  out->session_expiry_s = out->clean_start ? 0 : EXPIRY_NEVER_S;
  return 0;
}

static int check_resume(const struct take *t, const struct raw_device *raw,
                        struct device_profile *out)
{
  static const char *const words[] = {"no", "ram", "nvm", "yes", NULL};
  static const enum device_resume policies[] = {DEVICE_RESUME_NO, DEVICE_RESUME_RAM,
                                                DEVICE_RESUME_NVM, DEVICE_RESUME_RAM};
  int word = 0;
  if (take_word(t, "device", "resume", raw->resume, words, &word) != 0 ||
      take_flag(t, "device", "resume-anywhere", raw->resume_anywhere, &out->resume_anywhere) != 0)
    return -1;
  out->resume = policies[word];
  if (out->resume_anywhere && out->resume == DEVICE_RESUME_NO)
    return take_fail(t, "device", "resume-anywhere",
                     "there is no ticket to offer: add 'resume: ram' or 'resume: nvm'");
  return 0;
}

static const char *const crypto_words[] = {
    [SCENARIO_ACCELERATED] = "accelerated", [SCENARIO_NATIVE] = "native", NULL};

const char *scenario_crypto_name(enum scenario_crypto crypto)
{
  return crypto_words[crypto];
}

static int check_revocation(const struct take *t, const struct raw_device *raw,
                            struct device_profile *out)
{
  static const char *const words[] = {[DEVICE_REVOCATION_OFF] = "off",
                                      [DEVICE_REVOCATION_HELD] = "held",
                                      [DEVICE_REVOCATION_REQUIRED] = "required",
                                      NULL};
  int policy = out->revocation;
  if (take_word(t, "device", "revocation", raw->revocation, words, &policy) != 0) return -1;
  out->revocation = (uint8_t) policy;
  return 0;
}

static int check_crypto(const struct take *t, const struct raw_device *raw,
                        enum scenario_crypto *out)
{
  int crypto = (int) *out;
  if (take_word(t, "device", "crypto", raw->crypto, crypto_words, &crypto) != 0) return -1;
  *out = (enum scenario_crypto) crypto;
  return 0;
}

static int check_record(const struct take *t, const struct raw_device *raw, uint32_t *out)
{
  uint64_t bytes = CRYPTO_RECORD_MIN;
  char why[200];
  if (raw->record != NULL && units_bytes(raw->record, &bytes, why, sizeof why) != 0)
    return take_fail(t, "device", "record", "%s", why);
  if (bytes < CRYPTO_RECORD_MIN || bytes > CRYPTO_RECORD_MAX)
    return take_fail(t, "device", "record",
                     "'%.40s' is out of range: a device's buffer for a record is from 4KiB to "
                     "16KiB, the most that TLS allows",
                     raw->record);
  *out = (uint32_t) bytes;
  return 0;
}

static int check_device(const struct take *t, const struct raw_device *raw,
                        struct device_profile *out)
{
  uint64_t keep_alive_ms = 60000, budget = out->byte_budget;
  bool certificate = true;
  char why[200];
  if (check_versions(t, raw, out) != 0 || check_revocation(t, raw, out) != 0 ||
      take_flag(t, "device", "certificate", raw->certificate, &certificate) != 0 ||
      take_duration(t, "device", "keep-alive", raw->keep_alive, 0, 65535000, &keep_alive_ms) != 0 ||
      check_resume(t, raw, out) != 0 || take_flag(t, "device", "will", raw->will, &out->will) != 0)
    return -1;
  if (keep_alive_ms % 1000 != 0)
    return take_fail(t, "device", "keep-alive", "'%.40s' is no whole number of seconds: write 60s",
                     raw->keep_alive);
  if (raw->byte_budget != NULL && units_bytes(raw->byte_budget, &budget, why, sizeof why) != 0)
    return take_fail(t, "device", "byte-budget", "%s", why);
  if (budget < BUDGET_MIN || budget > BUDGET_MAX)
    return take_fail(t, "device", "byte-budget",
                     "'%.40s' is out of range: the budget is from 4KiB to 16MiB", raw->byte_budget);
  out->keep_alive_s = (uint16_t) (keep_alive_ms / 1000);
  out->byte_budget = (uint32_t) budget;
  out->no_certificate = !certificate;
  return raw->timeouts == NULL ? 0 : check_timeouts(t, raw->timeouts, out);
}

static int check_alpn(const struct take *t, const struct raw_device *raw, struct scenario *out)
{
  if (raw->alpn == NULL) return 0;
  if (take_text(t, "device", "alpn", raw->alpn, out->alpn, sizeof out->alpn) != 0) return -1;
  out->alpn_offered[0] = out->alpn;
  out->device.alpn = out->alpn_offered;
  return 0;
}

/* The default is not looked at here: a file that names no profile may be checked where there are
   none. */
static int check_timing(const struct take *t, const struct raw_timing *raw, struct scenario *out)
{
  struct timing_profile profile;
  struct error error;
  if (take_text(t, "timing", "profile", raw->profile, out->timing_profile,
                sizeof out->timing_profile) != 0 ||
      take_flag(t, "timing", "pace", raw->pace, &out->pace) != 0)
    return -1;
  if (raw->profile == NULL || timing_load(raw->profile, &profile, &error) == 0) return 0;
  return take_fail(t, "timing", "profile", "%s", error.text);
}

/* The broker's root and one more: what a fleet trusts where the file does not say. */
static void default_trusted(struct scenario *out)
{
  struct pki_roots *trusted = &out->trusted;
  strcpy(trusted->name[trusted->count++], out->broker_root);
  for (size_t i = out->roots.count; i > 0 && trusted->count < 2; i--)
    if (strcmp(out->roots.name[i - 1], out->broker_root) != 0)
      strcpy(trusted->name[trusted->count++], out->roots.name[i - 1]);
}

static int check_pki(const struct take *t, const struct raw_pki *raw, struct scenario *out)
{
  out->roots = (struct pki_roots){.count = 2, .name = {"A", "spare"}};
  if (take_roots(t, "pki", "roots", raw->roots, raw->roots_count, NULL, &out->roots) != 0)
    return -1;
  strcpy(out->broker_root, out->roots.name[0]);
  if (take_root(t, "pki", "broker", raw->broker, &out->roots, out->broker_root) != 0) return -1;
  strcpy(out->device_root, out->broker_root);
  if (take_root(t, "pki", "devices", raw->devices, &out->roots, out->device_root) != 0) return -1;
  default_trusted(out);
  out->client_roots.count = 1;
  strcpy(out->client_roots.name[0], out->device_root);
  if (take_roots(t, "pki", "trusted", raw->trusted, raw->trusted_count, &out->roots,
                 &out->trusted) != 0 ||
      take_roots(t, "pki", "clients", raw->clients, raw->clients_count, &out->roots,
                 &out->client_roots) != 0)
    return -1;
  return 0;
}

static int check_exprs(const struct take *t, const char *at, char *const *texts, size_t count,
                       const struct scenario *scenario, enum check_when when, struct expr **out,
                       size_t *out_count)
{
  if (count == 0) return 0;
  *out = calloc(count, sizeof **out);
  if (*out == NULL)
    return error_set(t->error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
  *out_count = count;
  for (size_t i = 0; i < count; i++) {
    char path[DOC_PATH_MAX];
    snprintf(path, sizeof path, "%s[%zu]", at, i);
    if (check_expr(t, path, texts[i], scenario, when, &(*out)[i]) != 0) return -1;
  }
  return 0;
}

static int check_phase_steps(const struct take *t, const char *at, const struct scenario *scenario,
                             struct scenario_phase *out)
{
  char path[DOC_PATH_MAX];
  snprintf(path, sizeof path, "%.100s.do", at);
  const yaml_node_t *list = doc_find(t->doc, path, NULL, NULL);
  size_t count = 0;
  if (list != NULL)
    count = (size_t) (list->data.sequence.items.top - list->data.sequence.items.start);
  if (count == 0) return 0;
  out->steps = calloc(count, sizeof *out->steps);
  if (out->steps == NULL)
    return error_set(t->error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
  out->step_count = count;
  for (size_t i = 0; i < count; i++) {
    const yaml_node_t *node = doc_node(t->doc, list->data.sequence.items.start[i]);
    snprintf(path, sizeof path, "%.100s.do[%zu]", at, i);
    if (check_step(t, path, node, scenario, &out->steps[i]) != 0) return -1;
  }
  return 0;
}

static int check_phase(const struct take *t, const char *at, const struct raw_phase *raw,
                       const struct scenario *scenario, struct scenario_phase *out)
{
  static const char *const words[] = {"stop", "rollback", "continue", NULL};
  char path[DOC_PATH_MAX];
  int on_fail = SCENARIO_STOP;
  if (take_text(t, at, "name", raw->name, out->name, sizeof out->name) != 0 ||
      take_word(t, at, "on_fail", raw->on_fail, words, &on_fail) != 0 ||
      check_phase_steps(t, at, scenario, out) != 0)
    return -1;
  out->on_fail = (enum scenario_on_fail) on_fail;
  if (raw->until != NULL) {
    snprintf(path, sizeof path, "%.100s.until", at);
    if (check_expr(t, path, raw->until, scenario, CHECK_AS_GATE, &out->until) != 0) return -1;
    out->has_until = true;
  }
  snprintf(path, sizeof path, "%.100s.expect", at);
  if (check_exprs(t, path, raw->expect, raw->expect_count, scenario, CHECK_IN_RUN, &out->expect,
                  &out->expect_count) != 0)
    return -1;
  if (out->step_count == 0 && !out->has_until && out->expect_count == 0)
    return take_fail(t, at, "", "this phase does nothing: give it 'do', 'until' or 'expect'");
  return 0;
}

static int check_phases(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  out->phases = calloc(raw->phases_count, sizeof *out->phases);
  if (out->phases == NULL)
    return error_set(t->error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
  out->phase_count = raw->phases_count;
  for (size_t i = 0; i < out->phase_count; i++) {
    char at[DOC_PATH_MAX];
    snprintf(at, sizeof at, "phases[%zu]", i);
    if (check_phase(t, at, &raw->phases[i], out, &out->phases[i]) != 0) return -1;
    for (size_t j = 0; j < i; j++)
      if (strcmp(out->phases[j].name, out->phases[i].name) == 0)
        return take_fail(t, at, "name", "two phases are called '%s': give each its own name",
                         out->phases[i].name);
  }
  return 0;
}

static const struct device_profile default_profile = {.tls_min = 13,
                                                      .tls_max = 13,
                                                      .mqtt_version = 5,
                                                      /* what an earlier run left behind */
                                                      .forget_first = true,
                                                      .revocation = DEVICE_REVOCATION_HELD,
                                                      .keep_alive_s = 60,
                                                      .session_expiry_s = EXPIRY_NEVER_S,
                                                      .tcp_timeout_ms = 5000,
                                                      .handshake_timeout_ms = 10000,
                                                      .connack_timeout_ms = 10000,
                                                      .ack_timeout_ms = 20000,
                                                      .byte_budget = 65536,
                                                      .borrows = true}; /* most are idle */

static int check_head(struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  static const struct raw_pki no_pki = {0};
  out->seed = 1;
  out->run_limit_ms = 10 * MINUTE_MS;
  strcpy(out->profile_name, "none");
  strcpy(out->timing_profile, SCENARIO_TIMING_DEFAULT);
  out->device = default_profile;
  out->record_bytes = CRYPTO_RECORD_MIN;
  out->device.name = out->profile_name;
  out->reconnect =
      (struct scenario_reconnect){.policy = SCENARIO_FULL_JITTER, .base_ms = 1000, .cap_ms = 30000};
  if (take_text(t, "", "name", raw->name, out->name, sizeof out->name) != 0 ||
      take_number(t, "", "seed", raw->seed, 0, UINT64_MAX, &out->seed) != 0 ||
      check_fleet(t, raw->fleet, out) != 0 || check_naming(t, raw, out) != 0)
    return -1;
  t->devices = out->devices;
  if (check_pki(t, raw->pki != NULL ? raw->pki : &no_pki, out) != 0 ||
      check_broker(t, raw, out) != 0)
    return -1;
  if (raw->device != NULL &&
      (check_device(t, raw->device, &out->device) != 0 || check_alpn(t, raw->device, out) != 0 ||
       check_crypto(t, raw->device, &out->crypto) != 0 ||
       check_record(t, raw->device, &out->record_bytes) != 0))
    return -1;
  if (check_credentials(t, raw->fleet->credentials, out) != 0 || check_operator(t, out) != 0)
    return -1;
  if (raw->timing != NULL && check_timing(t, raw->timing, out) != 0) return -1;
  if (raw->reconnect != NULL && check_reconnect(t, raw->reconnect, out) != 0) return -1;
  if (check_ota(t, raw, out) != 0 || check_control(t, out) != 0) return -1;
  if (raw->limits == NULL) return 0;
  return take_duration(t, "limits", "run", raw->limits->run, 1000, 30u * (uint64_t) DAY_MS,
                       &out->run_limit_ms);
}

static bool uses_crls(const struct scenario *scenario)
{
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t i = 0; i < scenario->phases[p].step_count; i++)
      if ((scenario->phases[p].steps[i].kind->foretells & STEP_PUBLISHES_LIST) != 0) return true;
  return false;
}

static int check_brake(const struct take *t, const struct raw_brake *raw, struct scenario *out)
{
  if (raw == NULL) return 0;
  if (check_expr(t, "brake.when", raw->when, out, CHECK_IN_RUN, &out->brake_when) != 0 ||
      take_share(t, "brake", "rate", raw->rate, &out->brake_rate) != 0)
    return -1;
  out->has_brake = true;
  if (out->brake_rate < 1) return 0;
  return take_fail(t, "brake", "rate",
                   "a brake that lets everybody start is none: write a share below 100%%");
}

int check_scenario(struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  if (check_head(t, raw, out) != 0 || check_brake(t, raw->brake, out) != 0 ||
      check_phases(t, raw, out) != 0)
    return -1;
  if (check_exprs(t, "expect", raw->expect, raw->expect_count, out, CHECK_AT_END, &out->expect,
                  &out->expect_count) != 0)
    return -1;
  out->crl = uses_crls(out);
  if (check_story(t, out) != 0 || check_payloads(t, out) != 0) return -1;
  return check_product_skills(t, raw, out);
}

/* One step's texts into its struct: a function for each kind that has more than who it is for.
 * What depends on the steps before is the matter of story.c. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

#define RATE_PER_S    200.0
#define BROKER_MS     10000u /* until a broker is seen to have changed */
#define WITHIN_MS     30000u
#define TRESPASS_MS   3000u /* how long to look for what should not come through */
#define STORM_MS      60000u
#define REST_RATE     0.8 /* of what the broker takes up */
#define WITHIN_MAX_MS (7u * 86400000u)
#define EVERY_MIN_MS  10u
#define EVERY_MAX_MS  86400000u
#define PAYLOAD_MIN   16u
#define PAYLOAD_MAX   1024u

/* One step on its way from text to struct. */
struct work {
  const struct take *t;
  const char *at; /* path of its arguments: "phases[0].do[1].connect" */
  const struct raw_args *raw;
  const struct scenario *scenario;
  struct scenario_step *out;
};

int check_telemetry(const struct take *t, const char *at, const struct raw_args *raw,
                    struct scenario_telemetry *out)
{
  uint64_t bytes = out->bytes, qos = out->qos;
  char why[200];
  if (take_duration(t, at, "every", raw->every, EVERY_MIN_MS, EVERY_MAX_MS, &out->every_ms) != 0)
    return -1;
  if (raw->bytes != NULL && units_bytes(raw->bytes, &bytes, why, sizeof why) != 0)
    return take_fail(t, at, "bytes", "%s", why);
  if (bytes < PAYLOAD_MIN || bytes > PAYLOAD_MAX)
    return take_fail(t, at, "bytes",
                     "'%.40s' is out of range: a telemetry message has %u to %u bytes", raw->bytes,
                     PAYLOAD_MIN, PAYLOAD_MAX);
  if (take_number(t, at, "qos", raw->qos, 0, 2, &qos) != 0) return -1;
  out->on = true;
  out->bytes = (uint32_t) bytes;
  out->qos = (uint8_t) qos;
  return 0;
}

static int take_within(const struct work *w)
{
  return take_duration(w->t, w->at, "within", w->raw->within, 100, WITHIN_MAX_MS,
                       &w->out->within_ms);
}

static int take_step_root(const struct work *w, bool needed)
{
  if (needed && w->raw->root == NULL)
    return take_fail(w->t, w->at, "", "this step needs a root: write 'root: %s'",
                     w->scenario->roots.name[0]);
  return take_root(w->t, w->at, "root", w->raw->root, &w->scenario->roots, w->out->root);
}

static int take_step_roots(const struct work *w, size_t least)
{
  const char *first = w->scenario->roots.name[0];
  if (w->raw->roots == NULL)
    return take_fail(w->t, w->at, "", "this step needs roots: write 'roots: [%s]'", first);
  if (take_roots(w->t, w->at, "roots", w->raw->roots, w->raw->roots_count, &w->scenario->roots,
                 &w->out->roots) != 0)
    return -1;
  if (w->out->roots.count >= least) return 0;
  return take_fail(w->t, w->at, "roots",
                   "a trust bundle needs at least two roots, so that no single CA can strand a "
                   "device; this one has %zu",
                   w->out->roots.count);
}

static int take_step_waves(const struct work *w)
{
  return take_waves(w->t, w->at, "waves", w->raw->waves, w->raw->waves_count, &w->out->waves);
}

enum scenario_apply scenario_default_apply(const struct scenario *scenario,
                                           enum scenario_apply local)
{
  const char *hook = scenario->hook[local == SCENARIO_APPLY_RESTART ? HOOK_RESTART : HOOK_RELOAD];
  return scenario->remote && hook[0] == '\0' ? SCENARIO_APPLY_HOOK : local;
}

static int take_apply(const struct work *w, enum scenario_apply local_default)
{
  static const char *const words[] = {"reload", "restart", "none", NULL};
  int apply = (int) scenario_default_apply(w->scenario, local_default);
  if (take_word(w->t, w->at, "apply", w->raw->apply, words, &apply) != 0) return -1;
  w->out->apply = (enum scenario_apply) apply;
  return 0;
}

/* The wait for the broker. A proof that says how long it may take has it for its second listener,
   too. */
static int take_broker_within(const struct work *w)
{
  return take_duration(w->t, w->at, "within", w->raw->within, 100, WITHIN_MAX_MS,
                       &w->out->broker_ms);
}

static int take_trust_clients(const struct work *w)
{
  bool probe = true;
  if (take_step_roots(w, 1) != 0 || take_apply(w, SCENARIO_APPLY_RESTART) != 0 ||
      take_broker_within(w) != 0 || take_flag(w->t, w->at, "probe", w->raw->probe, &probe) != 0)
    return -1;
  w->out->unprobed = !probe;
  return 0;
}

static int take_chain(const struct work *w)
{
  struct pki_chain *chain = &w->out->chain;
  const struct pki_roots *roots = &w->scenario->roots;
  bool intermediate = true;
  if (take_step_root(w, true) != 0 ||
      take_root(w->t, w->at, "cross", w->raw->cross, roots, chain->cross) != 0 ||
      take_flag(w->t, w->at, "intermediate", w->raw->intermediate, &intermediate) != 0 ||
      take_flag(w->t, w->at, "cross-expired", w->raw->cross_expired, &chain->cross_expired) != 0 ||
      take_flag(w->t, w->at, "leaf-expired", w->raw->leaf_expired, &chain->leaf_expired) != 0)
    return -1;
  strcpy(chain->root, w->out->root);
  chain->omit_intermediate = !intermediate;
  if (strcmp(chain->cross, chain->root) == 0)
    return take_fail(
        w->t, w->at, "cross",
        "'cross' and 'root' are both '%s': a cross-certificate lets holders of another root follow",
        chain->root);
  if (chain->cross_expired && chain->cross[0] == '\0')
    return take_fail(w->t, w->at, "cross-expired",
                     "there is no cross-certificate to expire: add 'cross: ROOT'");
  return 0;
}

static int take_who(const struct work *w, bool needed)
{
  return check_who(w->t, w->at, w->raw, w->scenario, needed, &w->out->who);
}

static int take_part(const struct work *w)
{
  static const char *const words[] = {[PKI_PART_LEAF] = "leaf",
                                      [PKI_PART_INTERMEDIATE] = "intermediate",
                                      [PKI_PART_CROSS] = "cross",
                                      NULL};
  int part = PKI_PART_LEAF;
  if (take_word(w->t, w->at, "what", w->raw->what, words, &part) != 0) return -1;
  w->out->part = (enum pki_part) part;
  return 0;
}

static int take_push_trust(const struct work *w)
{
  if (take_step_roots(w, 2) != 0 ||
      take_flag(w->t, w->at, "crls", w->raw->crls, &w->out->crls) != 0)
    return -1;
  return take_step_waves(w) != 0 ? -1 : take_within(w);
}

static int take_connect(const struct work *w)
{
  static const char *const words[] = {"linear", "poisson", NULL};
  int arrival = SCENARIO_LINEAR;
  if (take_rate(w->t, w->at, "rate", w->raw->rate, &w->out->rate) != 0 ||
      take_word(w->t, w->at, "arrival", w->raw->arrival, words, &arrival) != 0 ||
      take_who(w, false) != 0)
    return -1;
  w->out->arrival = (enum scenario_arrival) arrival;
  return 0;
}

static int take_clock(const struct work *w)
{
  char why[200];
  if (take_who(w, false) != 0) return -1;
  if (w->raw->set == NULL)
    return take_fail(w->t, w->at, "",
                     "this step needs a time: write 'set: 1970-01-01T00:00:00Z', or 'set: true' "
                     "for the right one");
  w->out->clock_right = strcmp(w->raw->set, "true") == 0;
  if (w->out->clock_right ||
      units_instant(w->raw->set, &w->out->clock_unix_s, why, sizeof why) == 0)
    return 0;
  return take_fail(w->t, w->at, "set", "%s, or 'true' for the right time", why);
}

static int take_revoke(const struct work *w)
{
  struct scenario_step *out = w->out;
  out->reason = PKI_REASON_KEY_COMPROMISE;
  out->publish = true;
  out->apply = scenario_default_apply(w->scenario, SCENARIO_APPLY_RELOAD);
  if (take_who(w, true) != 0 || check_reason(w->t, w->at, w->raw, &out->reason) != 0 ||
      check_crl(w->t, w->at, w->raw, &out->crl) != 0)
    return -1;
  return take_flag(w->t, w->at, "publish", w->raw->publish, &out->publish);
}

/* Which of the brokers; `all`: the step may be for all of them. */
static int take_step_node(const struct work *w, bool all)
{
  const struct scenario *s = w->scenario;
  if (w->raw->node != NULL && all && s->remote)
    return take_fail(
        w->t, w->at, "node",
        "the hooks of a remote broker are for all of its addresses at once: remove 'node'");
  if (w->raw->node == NULL && (all || s->node_count == 1)) {
    w->out->node = all ? -1 : 0;
    return 0;
  }
  if (w->raw->node == NULL)
    return take_fail(w->t, w->at, "", "this step needs one of the brokers: write 'node: %s'",
                     s->nodes[0].name);
  w->out->node = scenario_find_node(s, w->raw->node);
  if (w->out->node >= 0) return 0;
  return take_fail(w->t, w->at, "node",
                   "there is no broker '%.40s': name it in broker.nodes, or write 'node: %s'",
                   w->raw->node, s->nodes[0].name);
}

static int take_resolve(const struct work *w)
{
  const struct scenario *s = w->scenario;
  if (s->name_count == 0)
    return take_fail(
        w->t, w->at, "",
        "there is no name to resolve: add 'names: [{name: mqtt.example}]' to the file");
  if (w->raw->name == NULL && s->name_count > 1)
    return take_fail(w->t, w->at, "", "this step needs one of the names: write 'name: %s'",
                     s->names[0].name);
  size_t found = 0;
  while (w->raw->name != NULL && found < s->name_count &&
         strcmp(s->names[found].name, w->raw->name) != 0)
    found++;
  if (found == s->name_count)
    return take_fail(w->t, w->at, "name", "'%.80s' is not among the names: write 'name: %s'",
                     w->raw->name, s->names[0].name);
  w->out->name = found;
  if (take_duration(w->t, w->at, "delay", w->raw->delay, 0, 3600000, &w->out->lead.delay_ms) != 0)
    return -1;
  return check_lead(w->t, w->at, w->raw->nodes, w->raw->nodes_count, s, &w->out->lead);
}

static int take_wait(const struct work *w)
{
  if (w->raw->time == NULL)
    return take_fail(w->t, w->at, "", "this step needs a time: write 'for: 5s'");
  return take_duration(w->t, w->at, "for", w->raw->time, 1, WITHIN_MAX_MS, &w->out->within_ms);
}

static int take_policy(const struct work *w)
{
  w->out->reconnect = w->scenario->reconnect;
  return check_policy(w->t, w->at, w->raw->policy, w->raw->base, w->raw->cap, &w->out->reconnect);
}

static int take_fault(const struct work *w)
{
  w->out->within_ms = 0;
  if (check_fault(w->t, w->at, w->raw, &w->out->fault) != 0 || take_who(w, false) != 0) return -1;
  return take_duration(w->t, w->at, "for", w->raw->time, 1, WITHIN_MAX_MS, &w->out->within_ms);
}

/* Who is left over is brought back at a rate that the broker surely has. */
static int take_storm(const struct work *w)
{
  double most = w->scenario->broker_handshake_rate;
  w->out->within_ms = STORM_MS;
  w->out->rate = most > 0 ? most * REST_RATE : RATE_PER_S;
  if (take_policy(w) != 0 || take_within(w) != 0) return -1;
  return take_rate(w->t, w->at, "rate", w->raw->rate, &w->out->rate);
}

static int take_prompt(const struct work *w)
{
  if (w->raw->say == NULL)
    return take_fail(w->t, w->at, "", "this step needs a text: write 'say: Swap the certificate'");
  return take_text(w->t, w->at, "say", w->raw->say, w->out->say, sizeof w->out->say);
}

static int take_step(const struct work *w)
{
  const struct take *t = w->t;
  switch (w->out->kind) {
  case STEP_CONNECT: return take_connect(w);
  case STEP_TELEMETRY:
    w->out->telemetry = w->scenario->telemetry;
    return check_telemetry(t, w->at, w->raw, &w->out->telemetry);
  case STEP_DRAIN: return take_within(w);
  case STEP_PUSH_TRUST: return take_push_trust(w);
  case STEP_REVOKE_BROKER: return take_part(w);
  case STEP_PROVE:
    w->out->within_ms = 60000;
    w->out->apply = scenario_default_apply(w->scenario, SCENARIO_APPLY_RELOAD);
    return take_chain(w) != 0 || take_rate(t, w->at, "rate", w->raw->rate, &w->out->rate) != 0 ||
                   take_within(w) != 0 || take_broker_within(w) != 0
               ? -1
               : 0;
  case STEP_PRESENT:
    return take_chain(w) != 0 || take_apply(w, SCENARIO_APPLY_RELOAD) != 0 ||
                   take_broker_within(w) != 0
               ? -1
               : 0;
  case STEP_TRUST_CLIENTS: return take_trust_clients(w);
  case STEP_RECONNECT:
    w->out->full_handshake = true;
    return take_step_waves(w) != 0 ||
                   take_rate(t, w->at, "rate", w->raw->rate, &w->out->rate) != 0 ||
                   take_flag(t, w->at, "full-handshake", w->raw->full_handshake,
                             &w->out->full_handshake) != 0 ||
                   take_within(w) != 0
               ? -1
               : 0;
  case STEP_REISSUE:
    return take_step_root(w, true) != 0 || take_step_waves(w) != 0 || take_within(w) != 0 ? -1 : 0;
  case STEP_SHELF: return take_who(w, true);
  case STEP_TRESPASS: w->out->within_ms = TRESPASS_MS; return take_who(w, true);
  case STEP_WAKE: return take_rate(t, w->at, "rate", w->raw->rate, &w->out->rate);
  case STEP_CLOCK: return take_clock(w);
  case STEP_POLICY: return take_policy(w) != 0 ? -1 : take_who(w, false);
  case STEP_FAULT: return take_fault(w);
  case STEP_MEND: return take_who(w, false);
  case STEP_REVOKE:
  case STEP_UNREVOKE: return take_revoke(w);
  case STEP_PUBLISH_CRL:
    return check_crl(t, w->at, w->raw, &w->out->crl) != 0 ? -1
                                                          : take_apply(w, SCENARIO_APPLY_RELOAD);
  case STEP_COMPROMISE:
    return take_who(w, true) != 0 ? -1 : take_rate(t, w->at, "rate", w->raw->rate, &w->out->rate);
  case STEP_KICK: return take_who(w, true) != 0 ? -1 : take_within(w);
  case STEP_STORM: return take_storm(w);
  case STEP_WAIT: return take_wait(w);
  case STEP_PROMPT: return take_prompt(w);
  case STEP_RELOAD:
  case STEP_RESTART: return take_step_node(w, true);
  case STEP_KILL_NODE:
  case STEP_STOP_NODE:
  case STEP_FREEZE_NODE:
  case STEP_THAW_NODE:
  case STEP_START_NODE: return take_step_node(w, false);
  case STEP_RESOLVE: return take_resolve(w);
  case STEP_OTA_PUBLISH:
  case STEP_OTA_ROLLOUT:
  case STEP_OTA_PAUSE:
  case STEP_OTA_RESUME:
  case STEP_OTA_ABORT:
  case STEP_POWER_CUT:
  case STEP_CORRUPT:
  case STEP_CDN: return check_ota_step(t, w->at, w->raw, w->scenario, w->out);
  case STEP_KINDS: break;
  }
  return 0;
}

/* The kind of a step is the one key it has. */
static int find_kind(const struct take *t, const char *at, const struct raw_step *raw,
                     enum scenario_step_kind *kind)
{
  size_t found = 0;
  for (int k = STEP_KINDS - 1; k >= 0; k--)
    if (raw->args[k] != NULL) *kind = (enum scenario_step_kind) k, found++;
  if (found == 1) return 0;
  return take_fail(
      t, at, "",
      "a step has exactly one key, this one has %zu: write each step as its own '- ' entry", found);
}

int check_step(const struct take *t, const char *at, const struct raw_step *raw,
               const struct scenario *scenario, struct scenario_step *out)
{
  *out = (struct scenario_step){
      .rate = RATE_PER_S, .who = {.share = 1}, .within_ms = WITHIN_MS, .broker_ms = BROKER_MS};
  out->waves = (struct scenario_waves){.count = 1, .share = {1.0}};
  if (find_kind(t, at, raw, &out->kind) != 0) return -1;
  char below[DOC_PATH_MAX];
  snprintf(below, sizeof below, "%.100s.%s", at, scenario_step_name(out->kind));
  out->line = doc_line(t->doc, at);
  out->column = doc_column(t->doc, at);
  struct work work = {
      .t = t, .at = below, .raw = raw->args[out->kind], .scenario = scenario, .out = out};
  return take_step(&work);
}

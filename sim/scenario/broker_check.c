/* The file's `broker:` and `targets:`: mosquittos of our own, or brokers elsewhere with their
 * hooks. Each host beyond loopback that a URL or a hook names must be in the file's list; what
 * only one of the two kinds has is refused for the other. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mask.h"
#include "net/permit.h"
#include "scenario/check.h"
#include "scenario/url.h"

#define HANDSHAKE_TIMEOUT_MAX_MS 3600000u
/* of TERMINATOR_CLIENTS_MAX; the operator and probes come beside them */
#define TERMINATED_DEVICES_MAX 8000u

uint64_t scenario_look_ms(const struct scenario *scenario)
{
  const struct device_profile *profile = &scenario->device;
  uint64_t ms = (uint64_t) profile->tcp_timeout_ms + profile->handshake_timeout_ms +
                profile->connack_timeout_ms;
  if (ms < SCENARIO_LOOK_MIN_MS) return SCENARIO_LOOK_MIN_MS;
  return ms < SCENARIO_LOOK_MAX_MS ? ms : SCENARIO_LOOK_MAX_MS;
}

bool scenario_broker_is(const struct scenario *scenario, enum broker_trait trait)
{
  return broker_kind_is(scenario->broker_kind, trait);
}

bool scenario_is_loopback(const char *host)
{
  return permit_is_loopback(host);
}

static int take_target(const struct take *t, const char *at, const char *text, char host[256])
{
  if (take_text(t, "", at, text, host, 256) != 0) return -1;
  char why[200];
  if (url_check_host(host, why, sizeof why) == 0) return 0;
  return take_fail(t, "", at,
                   "'%.80s' %s; write a name or an address, such as 'staging.example.com'", text,
                   why);
}

static int check_targets(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  if (raw->targets_count == 0) return 0;
  out->targets = calloc(raw->targets_count, sizeof *out->targets);
  if (out->targets == NULL)
    return error_set(t->error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
  out->target_count = raw->targets_count;
  for (size_t i = 0; i < out->target_count; i++) {
    char at[32];
    snprintf(at, sizeof at, "targets[%zu]", i);
    if (take_target(t, at, raw->targets[i], out->targets[i].host) != 0) return -1;
  }
  return 0;
}

static int need_target(const struct take *t, const char *at, const char *key,
                       const struct scenario *scenario, const char *host)
{
  if (scenario_is_loopback(host)) return 0;
  for (size_t i = 0; i < scenario->target_count; i++)
    if (permit_same_host(scenario->targets[i].host, host)) return 0;
  const char *quote = strchr(host, ':') != NULL ? "\"" : "";
  take_fail(
      t, at, key,
      "nothing was sent: '%s' is beyond this machine and not among the targets: add 'targets: "
      "[%s%s%s]' to the file and '--allow-target %s' to the command line if you may send it load",
      host, quote, host, quote, host);
  /* the file is well formed; it is the permission that is missing */
  t->error->code = EXIT_CODE_SETUP;
  return -1;
}

int check_url(const struct take *t, const char *at, const char *key, const char *text,
              const struct scenario *scenario, char host[256], uint16_t *port)
{
  char why[200], shown[200];
  if (text == NULL) return 0;
  if (url_split(text, host, port, why, sizeof why) == 0)
    return need_target(t, at, key, scenario, host);
  return take_fail(t, at, key, "'%.120s' is no address of a broker: it %s",
                   mask_url(text, shown, sizeof shown), why);
}

/* "ftp://..", which no shell knows as a command. */
static bool has_scheme(const char *text)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
  size_t size = strspn(text, letters);
  return size > 0 && strncmp(text + size, "://", 3) == 0;
}

/* What a command does is its author's affair; a URL is called by us. */
static int take_hook(const struct take *t, const char *at, const char *key, const char *text,
                     const struct scenario *scenario, char out[512])
{
  char host[PERMIT_HOST_MAX];
  if (take_text(t, at, key, text, out, 512) != 0) return -1;
  if (text == NULL) return 0;
  if (!hook_is_url(out) && has_scheme(out))
    return take_fail(
        t, at, key,
        "the hook '%s' is a URL that is neither http:// nor https://: write one, or a command",
        key);
  if (!hook_is_url(out)) return 0;
  if (permit_url_host(out, host) == 0) return need_target(t, at, key, scenario, host);
  return take_fail(t, at, key,
                   "the hook '%s' is no URL that can be called: write http://host:8080/path", key);
}

static int check_hooks(const struct take *t, const struct raw_hooks *raw, struct scenario *out)
{
  static const char at[] = "broker.hooks";
  const char *const texts[HOOK_COUNT] = {
#define X(symbol, name, key, line) raw->name,
      HOOKS(X)
#undef X
  };
  for (int h = 0; h < HOOK_COUNT; h++)
    if (take_hook(t, at, hook_key((enum hook_kind) h), texts[h], out, out->hook[h]) != 0) return -1;
  return 0;
}

/* One broker as `url`, or several as `urls`, which are called a, b, c, d. */
static int check_urls(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  if (raw->url != NULL && raw->urls_count > 0)
    return take_fail(t, "broker", "urls",
                     "a broker has a 'url' or several 'urls', not both: remove one");
  if (raw->url != NULL)
    return check_url(t, "broker", "url", raw->url, out, out->nodes[0].host, &out->nodes[0].port);
  for (unsigned n = 0; n < raw->urls_count; n++) {
    char key[24];
    struct scenario_node *node = &out->nodes[n];
    snprintf(key, sizeof key, "urls[%u]", n);
    snprintf(node->name, sizeof node->name, "%c", 'a' + (int) n);
    if (check_url(t, "broker", key, raw->urls[n], out, node->host, &node->port) != 0) return -1;
    for (unsigned m = 0; m < n; m++)
      if (permit_same_host(node->host, out->nodes[m].host) && node->port == out->nodes[m].port)
        return take_fail(t, "broker", key, "'%.120s' is listed twice: remove one", raw->urls[n]);
  }
  out->node_count = raw->urls_count;
  return 0;
}

static int take_server_name(const struct take *t, const char *text, char out[256])
{
  char why[200];
  if (text == NULL) return 0;
  if (take_text(t, "broker", "server-name", text, out, 256) != 0) return -1;
  if (url_check_host(out, why, sizeof why) == 0) return 0;
  return take_fail(t, "broker", "server-name",
                   "'%.80s' %s; write the name that the broker's certificate carries", text, why);
}

static int check_remote(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  if (raw->local != NULL)
    return take_fail(t, "broker", "local",
                     "a broker is either 'local' or has a 'url', not both: remove one");
  if (raw->port != NULL || raw->prove_port != NULL)
    return take_fail(t, "broker", raw->port != NULL ? "port" : "prove-port",
                     "the ports of a remote broker stand in its url and prove-url: remove this");
  if (raw->handshake_timeout != NULL)
    return take_fail(
        t, "broker", "handshake-timeout",
        "a remote broker keeps its own handshake time-out: set it there and remove this");
  if (raw->handshakes != NULL)
    return take_fail(t, "broker", "handshakes", "a remote broker is as fast as it is: remove this");
  if (raw->bridge != NULL || raw->nodes_count > 0 || raw->not_true != NULL)
    return take_fail(
        t, "broker",
        raw->bridge != NULL    ? "bridge"
        : raw->nodes_count > 0 ? "nodes"
                               : "false",
        "only local brokers are made by the run: list remote ones as 'urls', and remove this");
  if (raw->terminator != NULL)
    return take_fail(t, "broker", "terminator",
                     "a terminator stands before a local broker only: remove this");
  out->broker_kind = BROKER_KIND_REMOTE;
  if (take_server_name(t, raw->server_name, out->server_name) != 0) return -1;
  if (check_urls(t, raw, out) != 0 || check_url(t, "broker", "prove-url", raw->prove_url, out,
                                                out->prove_host, &out->prove_port) != 0)
    return -1;
  if (raw->hooks != NULL && check_hooks(t, raw->hooks, out) != 0) return -1;
  return check_product(t, raw, out);
}

/* Both are kept by a gate before the broker (broker/front.h), which listens where it can. */
static int check_gate(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  uint64_t ms = 0;
  if (take_duration(t, "broker", "handshake-timeout", raw->handshake_timeout, 100,
                    HANDSHAKE_TIMEOUT_MAX_MS, &ms) != 0 ||
      take_rate(t, "broker", "handshakes", raw->handshakes, &out->broker_handshake_rate) != 0)
    return -1;
  out->broker_handshake_timeout_ms = (uint32_t) ms;
  if ((ms == 0 && raw->handshakes == NULL) || (out->port == 0 && out->prove_port == 0)) return 0;
  return take_fail(
      t, "broker", ms > 0 ? "handshake-timeout" : "handshakes",
      "with a handshake time-out or rate the run chooses the ports: remove port and prove-port");
}

/* The name becomes part of a folder's name. */
static int take_node(const struct take *t, const char *key, const char *text,
                     struct scenario_node *out)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (strlen(text) < sizeof out->name && text[0] != '-' && strspn(text, letters) == strlen(text)) {
    strcpy(out->name, text);
    return 0;
  }
  return take_fail(t, "broker", key,
                   "'%.40s' is no name for a broker: use up to %zu of a-z, 0-9 and -, such as 'a'",
                   text, sizeof out->name - 1);
}

static int check_false(const struct take *t, const struct raw_false *raw, struct scenario *out)
{
  if (take_root(t, "broker.false", "root", raw->root, &out->roots, out->false_root) != 0 ||
      take_text(t, "broker.false", "host", raw->host, out->false_host, sizeof out->false_host) != 0)
    return -1;
  char why[200];
  if (raw->host != NULL && url_check_host(raw->host, why, sizeof why) != 0)
    return take_fail(t, "broker.false", "host",
                     "'%.80s' %s; write a name, such as 'elsewhere.example'", raw->host, why);
  out->has_false = true;
  out->nodes[out->node_count] = out->nodes[0];
  strcpy(out->nodes[out->node_count].name, "false-broker");
  return 0;
}

static int check_nodes(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  if (take_flag(t, "broker", "bridge", raw->bridge, &out->bridge) != 0) return -1;
  for (unsigned n = 0; n < raw->nodes_count; n++) {
    char key[24];
    snprintf(key, sizeof key, "nodes[%u]", n);
    out->nodes[n] = out->nodes[0];
    if (take_node(t, key, raw->nodes[n], &out->nodes[n]) != 0) return -1;
    for (unsigned m = 0; m < n; m++)
      if (strcmp(out->nodes[m].name, out->nodes[n].name) == 0)
        return take_fail(t, "broker", key, "two brokers are called '%s': give each its own name",
                         out->nodes[n].name);
  }
  if (raw->nodes_count > 0) out->node_count = raw->nodes_count;
  if (raw->not_true != NULL && check_false(t, raw->not_true, out) != 0) return -1;
  if (out->bridge && out->node_count < 2)
    return take_fail(t, "broker", "bridge", "a bridge needs two brokers: add 'nodes: [a, b]'");
  return 0;
}

/* {crl: live} is the only kind there is: it says in the file what the rehearsal is about. */
static int check_terminator(const struct take *t, const struct raw_terminator *raw,
                            struct scenario *out)
{
  static const char *const words[] = {"live", NULL}, *const tickets[] = {"own", "shared", NULL};
  int kind = 0, shared = 0;
  if (raw == NULL) return 0;
  if (take_word(t, "broker.terminator", "crl", raw->crl, words, &kind) != 0 ||
      take_word(t, "broker.terminator", "tickets", raw->tickets, tickets, &shared) != 0)
    return -1;
  out->tickets_shared = shared == 1;
  if (out->devices > TERMINATED_DEVICES_MAX)
    return take_fail(t, "broker", "terminator",
                     "the terminator takes up to %u devices, and the fleet has %zu",
                     TERMINATED_DEVICES_MAX, out->devices);
  out->terminator = true;
  return 0;
}

/* Which of those that the run makes. */
static int take_kind(const struct take *t, const char *word, enum broker_kind *out)
{
  const char *words[BROKER_KINDS_COUNT + 1] = {NULL};
  enum broker_kind kinds[BROKER_KINDS_COUNT];
  int count = 0, chosen = 0;
  for (int k = 0; k < BROKER_KINDS_COUNT; k++) {
    if (broker_kind_word((enum broker_kind) k) == NULL) continue;
    words[count] = broker_kind_word((enum broker_kind) k);
    kinds[count++] = (enum broker_kind) k;
  }
  if (take_word(t, "broker", "local", word, words, &chosen) != 0) return -1;
  *out = kinds[chosen];
  return 0;
}

static int refuse_kind_of_local(const struct take *t, const struct raw_broker *raw)
{
  const char *key = raw->kind != NULL      ? "kind"
                    : raw->version != NULL ? "version"
                    : raw->node != NULL    ? "node"
                                           : "pid-file";
  return take_fail(
      t, "broker", key,
      "what kind of broker it is, is said of one that stands elsewhere: add its 'url', "
      "or remove this");
}

static int check_local(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  uint64_t port = 0, prove_port = 0;
  if (raw->prove_url != NULL)
    return take_fail(t, "broker", "prove-url",
                     "only a remote broker has a prove-url: add its 'url', or remove this");
  if (raw->kind != NULL || raw->version != NULL || raw->node != NULL || raw->pid_file != NULL)
    return refuse_kind_of_local(t, raw);
  if (raw->server_name != NULL)
    return take_fail(
        t, "broker", "server-name",
        "a local broker has its name from the run: write 'names: [{name: mqtt.example}]' "
        "for others, or remove this");
  if (raw->hooks != NULL)
    return take_fail(t, "broker", "hooks",
                     "a local broker needs no hooks: add its 'url', or remove them");
  if (take_kind(t, raw->local, &out->broker_kind) != 0 ||
      take_number(t, "broker", "port", raw->port, 1, 65535, &port) != 0 ||
      take_number(t, "broker", "prove-port", raw->prove_port, 1, 65535, &prove_port) != 0)
    return -1;
  if (port != 0 && port == prove_port)
    return take_fail(t, "broker", "prove-port",
                     "'port' and 'prove-port' are the same: the second listener needs its own");
  if (raw->nodes_count > 1 && (port != 0 || prove_port != 0))
    return take_fail(t, "broker", port != 0 ? "port" : "prove-port",
                     "with several nodes the run chooses the ports: remove port and prove-port");
  out->port = (uint16_t) port;
  out->prove_port = (uint16_t) prove_port;
  if (check_nodes(t, raw, out) != 0 || check_terminator(t, raw->terminator, out) != 0) return -1;
  return check_gate(t, raw, out);
}

int check_broker(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  static const struct raw_broker no_broker = {0};
  const struct raw_broker *broker = raw->broker != NULL ? raw->broker : &no_broker;
  out->node_count = 1;
  out->product = &product_generic;
  strcpy(out->nodes[0].name, "a");
  strcpy(out->nodes[0].host, "localhost");
  if (check_targets(t, raw, out) != 0) return -1;
  bool remote = broker->url != NULL || broker->urls_count > 0;
  if ((remote ? check_remote(t, broker, out) : check_local(t, broker, out)) != 0) return -1;
  if (!remote) out->nodes[0].port = out->port;
  strcpy(out->host, out->nodes[0].host);
  out->port = out->nodes[0].port;
  return check_names(t, raw, out);
}

/* fleet.credentials and operator: names and where secrets lie. No secret is looked at here: a file that
 * holds some is read by the run, which alone knows whose they must be. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "base/template.h"
#include "report/metrics.h"
#include "scenario/check.h"
#include "scenario/schema.h"
#include "scenario/step_kind.h"

#define OPERATOR        SCHEMA_OPERATOR
#define RENEW_BEFORE_MS 60000u
#define RENEW_MOST_MS   (7u * 86400000u)

#define PLACES                                                                            \
  (TEMPLATE_BIT(TEMPLATE_ID) | TEMPLATE_BIT(TEMPLATE_INDEX) | TEMPLATE_BIT(TEMPLATE_CN) | \
   TEMPLATE_BIT(TEMPLATE_COHORT) | TEMPLATE_BIT(TEMPLATE_COLUMN))

static int take_template(const struct take *t, const char *at, const char *key, const char *text,
                         char *out, size_t capacity)
{
  unsigned has;
  struct error error;
  if (take_text(t, at, key, text, out, capacity) != 0) return -1;
  if (text == NULL || template_check(text, PLACES, &has, &error) == 0) return 0;
  return take_fail(t, at, key, "%s", error.text);
}

/* One of them at most. */
static int take_password(const struct take *t, const char *at, const struct raw_credentials *raw,
                         struct scenario_credentials *out)
{
  const struct {
    const char *key, *text;
    enum scenario_secret secret;
  } all[] = {{"password", raw->password, SCENARIO_SECRET_TEMPLATE},
             {"password-file", raw->password_file, SCENARIO_SECRET_FILE},
             {"password-column", raw->password_column, SCENARIO_SECRET_COLUMN},
             {"token-file", raw->token_file, SCENARIO_SECRET_TOKEN}};
  const char *first = NULL;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i].text == NULL) continue;
    if (first != NULL)
      return take_fail(t, at, all[i].key,
                       "a device has one password, by '%s' or by '%s': remove one", first,
                       all[i].key);
    first = all[i].key;
    out->secret = all[i].secret;
  }
  if (take_template(t, at, "password", raw->password, out->password, sizeof out->password) != 0 ||
      take_text(t, at, "password-file", raw->password_file, out->password, sizeof out->password) !=
          0 ||
      take_text(t, at, "password-column", raw->password_column, out->password,
                sizeof out->password) != 0)
    return -1;
  return take_template(t, at, "token-file", raw->token_file, out->password, sizeof out->password);
}

/* When they are renewed, and by whom. */
static int take_renewal(const struct take *t, const char *at, const struct raw_credentials *raw,
                        struct scenario *out)
{
  struct scenario_credentials *credentials = &out->credentials;
  bool tokens = credentials->secret == SCENARIO_SECRET_TOKEN;
  credentials->renew_before_ms = RENEW_BEFORE_MS;
  if (!tokens && raw != NULL && raw->renew_before != NULL)
    return take_fail(t, at, "renew-before",
                     "a token alone is renewed: add 'token-file', or remove this");
  if (!tokens && out->hook[HOOK_RENEW_TOKEN][0] != '\0')
    return take_fail(t, "broker.hooks", "renew-token",
                     "no device has a token that could be renewed: add 'credentials: {token-file: "
                     "tokens/{id}}' to 'fleet', or remove this");
  if (raw == NULL) return 0;
  return take_duration(t, at, "renew-before", raw->renew_before, 1000, RENEW_MOST_MS,
                       &credentials->renew_before_ms);
}

/* A broker of ours is given everybody's name and password, and its rights go by the name. */
static int check_own_broker(const struct take *t, const char *at, const struct scenario *out)
{
  if (!scenario_broker_is(out, BROKER_OWNED)) return 0;
  if (out->credentials.secret == SCENARIO_SECRET_NONE)
    return take_fail(t, at, "",
                     "a local broker lets nobody in by a user name alone: add 'password', "
                     "'password-file', 'password-column' or 'token-file'");
  if (out->terminator || out->bridge)
    return take_fail(t, at, "",
                     "%s know clients by their certificates only: remove 'broker.%s', or these "
                     "credentials",
                     out->terminator ? "a terminator and the broker behind it" : "bridged brokers",
                     out->terminator ? "terminator" : "bridge");
  return 0;
}

int check_credentials(const struct take *t, const struct raw_credentials *raw, struct scenario *out)
{
  static const char at[] = "fleet.credentials";
  struct scenario_credentials *credentials = &out->credentials;
  bool certificate = !out->device.no_certificate;
  if (raw == NULL && !certificate && scenario_broker_is(out, BROKER_OWNED))
    return take_fail(t, "device", "certificate",
                     "devices without a certificate need a name and a password for a local broker: "
                     "add 'credentials: {password: ...}' to 'fleet'");
  if (raw == NULL) return take_renewal(t, at, raw, out);
  credentials->line = doc_line(t->doc, at);
  credentials->column = doc_column(t->doc, at);
  strcpy(credentials->user, "{id}");
  if (take_template(t, at, "user", raw->user, credentials->user, sizeof credentials->user) != 0 ||
      take_password(t, at, raw, credentials) != 0 || take_renewal(t, at, raw, out) != 0)
    return -1;
  return check_own_broker(t, at, out);
}

/* One of the mapping's values; NULL: absent. */
static const char *operator_text(const struct take *t, const char *key)
{
  const yaml_node_t *node = doc_value(t->doc, doc_find(t->doc, OPERATOR, NULL, NULL), key, NULL);
  return node != NULL ? (const char *) node->data.scalar.value : NULL;
}

static int take_operator_text(const struct take *t, const char *key, char *out, size_t capacity)
{
  return take_text(t, OPERATOR, key, operator_text(t, key), out, capacity);
}

/* Both, or `cert: none`. */
static int take_certificate(const struct take *t, struct scenario_operator *out)
{
  if (take_operator_text(t, "cert", out->certificate, sizeof out->certificate) != 0 ||
      take_operator_text(t, "key", out->key, sizeof out->key) != 0)
    return -1;
  bool cert = operator_text(t, "cert") != NULL, key = operator_text(t, "key") != NULL;
  out->bare = strcmp(out->certificate, "none") == 0;
  if (out->bare && key)
    return take_fail(t, OPERATOR, "key",
                     "'cert: none' shows no certificate, so there is no key: remove this");
  if (out->bare || cert == key) return 0;
  return take_fail(t, OPERATOR, cert ? "cert" : "key",
                   "a certificate and its key come together: add '%s' beside '%s'",
                   cert ? "key" : "cert", cert ? "cert" : "key");
}

static int take_operator(const struct take *t, struct scenario *out)
{
  struct scenario_operator *op = &out->operator;
  if (check_url(t, OPERATOR, "url", operator_text(t, "url"), out, op->host, &op->port) != 0 ||
      take_operator_text(t, "ca", op->ca, sizeof op->ca) != 0 || take_certificate(t, op) != 0 ||
      take_operator_text(t, "client-id", op->client_id, sizeof op->client_id) != 0 ||
      take_operator_text(t, "user", op->user, sizeof op->user) != 0 ||
      take_operator_text(t, "password-file", op->password_file, sizeof op->password_file) != 0)
    return -1;
  if (op->password_file[0] == '\0' || op->user[0] != '\0') return 0;
  return take_fail(t, OPERATOR, "password-file",
                   "a password needs a user name: add 'user' beside 'password-file'");
}

/* A word or a mapping, so it is read from the document itself; of words keys.c has let `none` pass
   alone. */
int check_operator(const struct take *t, struct scenario *out)
{
  const yaml_node_t *node = doc_find(t->doc, OPERATOR, NULL, NULL);
  if (node == NULL) return 0;
  out->operator.line = doc_line(t->doc, OPERATOR);
  out->operator.column = doc_column(t->doc, OPERATOR);
  out->operator.none = node->type == YAML_SCALAR_NODE;
  if (out->operator.none) return 0;
  if (scenario_broker_is(out, BROKER_OWNED))
    return take_fail(t, OPERATOR, "",
                     "a local broker is the run's own, and so is its operator: remove this, or "
                     "write 'operator: none'");
  return take_operator(t, out);
}

/* --- What needs certificates of devices ------------------------------------------------------- */

int check_certified(const struct take *t, const char *at, const struct scenario *scenario,
                    const struct step_kind *kind)
{
  if (!kind->certified || !scenario->device.no_certificate) return 0;
  return take_fail(t, at, "",
                   "'%s' is about certificates of devices, and they show none: remove it, or "
                   "'certificate: no' of 'device'",
                   kind->name);
}

int check_certified_word(const struct take *t, const char *at, const struct scenario *scenario,
                         const char *name)
{
  if (!scenario->device.no_certificate) return 0;
  if (strcmp(name, "identified") != 0 && strcmp(name, "revoked") != 0 &&
      strncmp(name, "revoke.", 7) != 0 && strncmp(name, "certificate.", 12) != 0)
    return 0;
  return take_fail(t, at, "",
                   "'%s' is about certificates of devices, and they show none: remove it, or "
                   "'certificate: no' of 'device'",
                   name);
}

/* --- What needs tokens ------------------------------------------------------------------------ */

int check_token_word(const struct take *t, const char *at, const struct scenario *scenario,
                     const char *name)
{
  if (scenario->credentials.secret == SCENARIO_SECRET_TOKEN || strncmp(name, "token.", 6) != 0)
    return 0;
  return doc_fail(t->doc, at, 0, t->error,
                  "no device of this scenario has a token: add 'credentials: {token-file: "
                  "tokens/{id}}' to 'fleet', or remove this");
}

/* --- What needs a back office ----------------------------------------------------------------- */

int check_operated(const struct take *t, const char *at, const struct scenario *scenario,
                   const struct step_kind *kind)
{
  if (!kind->operated || !scenario->operator.none) return 0;
  return take_fail(t, at, "",
                   "'%s' is done by the back office, and this run has none: remove it, or "
                   "'operator: none'",
                   kind->name);
}

/* Of quantities those that the back office alone knows. */
static bool is_operated(const char *name)
{
  static const char *const quantities[] = {"trusting", "touched", "reported"};
  for (size_t i = 0; i < sizeof quantities / sizeof *quantities; i++)
    if (strcmp(name, quantities[i]) == 0) return true;
  return metrics_need_operator(name);
}

int check_operated_word(const struct take *t, const char *at, const struct scenario *scenario,
                        const char *name)
{
  char sentence[300];
  if (!scenario->operator.none || !is_operated(name)) return 0;
  bool telemetry = strncmp(name, "telemetry.", 10) == 0;
  snprintf(sentence, sizeof sentence,
           "'%s' is not known in this run: nobody but the back office could, and it has none. "
           "Remove %s, or 'operator: none'",
           name, telemetry ? "this or write of telemetry.acked or telemetry.unacked" : "this");
  return doc_fail(t->doc, at, 0, t->error, sentence);
}

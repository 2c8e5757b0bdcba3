/* A scenario file as libcyaml maps it: every scalar still the text that its author wrote, NULL
 * where absent.
 *
 * Units are parsed later (check.c), where a refusal can name line and column.
 */
#ifndef FLEETSIM_SCENARIO_RAW_H
#define FLEETSIM_SCENARIO_RAW_H

#include "scenario/doc.h"
#include "scenario/scenario.h"

#define RAW_PHASES_MAX  200
#define RAW_STEPS_MAX   100
#define RAW_EXPECT_MAX  100
#define RAW_TARGETS_MAX 32

struct raw_abort {
  char *status, *share, *of, *minimum;
};

struct raw_phase {
  char *name, *until, *on_fail; /* its steps stay in the document: check_step */
  char **expect;
  unsigned expect_count;
};

struct raw_cohort {
  char *name, *share;
};

struct raw_telemetry {
  char *every, *bytes, *qos, *payload, *seq_at, *time_at;
};

struct raw_credentials {
  char *user, *password, *password_file, *password_column, *token_file, *renew_before;
};

struct raw_fleet {
  char *devices, *profile, *source_addresses, *names, *client_id;
  struct raw_telemetry *telemetry;
  struct raw_credentials *credentials;
  struct raw_cohort **cohorts;
  unsigned cohorts_count;
};

struct raw_topics {
  char *telemetry, *control;
};

struct raw_timeouts {
  char *tcp, *handshake, *connack, *ack;
};

struct raw_device {
  char *tls, *mqtt, *keep_alive, *session, *resume, *resume_anywhere, *will, *byte_budget, *crypto,
      *revocation, *record, *certificate, *alpn;
  struct raw_timeouts *timeouts;
};

struct raw_pki {
  char **roots;
  unsigned roots_count;
  char **trusted;
  unsigned trusted_count;
  char **clients;
  unsigned clients_count;
  char *broker, *devices;
};

struct raw_timing {
  char *profile, *pace;
};

struct raw_hooks {
#define X(symbol, name, key, line) char *name;
  HOOKS(X)
#undef X
};

struct raw_terminator {
  char *crl, *tickets;
};

struct raw_name {
  char *name;
  char **nodes;
  unsigned nodes_count;
};

struct raw_false {
  char *root, *host;
};

struct raw_broker {
  char *local, *url, *kind, *version, *node, *pid_file, *server_name, *prove_url, *port,
      *prove_port, *handshake_timeout, *handshakes, *bridge;
  char **nodes;
  unsigned nodes_count;
  char **urls;
  unsigned urls_count;
  struct raw_hooks *hooks;
  struct raw_false *not_true;
  struct raw_terminator *terminator;
};

struct raw_flash {
  char *erase, *program;
};

struct raw_factory {
  char *version, *counter, *size;
};

struct raw_rescue {
  char *after;
};

struct raw_ota {
  char *slots, *block, *window, *attempts, *block_timeout, *trial, *device_class,
      *padded_signatures, *server;
  struct raw_flash *flash;
  struct raw_factory *factory;
  struct raw_rescue *rescue;
};

struct raw_policy {
  char *cohort, *policy, *base, *cap;
};

struct raw_reconnect {
  char *policy, *base, *cap, *endpoints;
  struct raw_policy **cohorts;
  unsigned cohorts_count;
};

struct raw_brake {
  char *when, *rate;
};

struct raw_limits {
  char *run;
};

struct raw_scenario {
  char *name, *seed;
  struct raw_fleet *fleet;
  struct raw_topics *topics;
  struct raw_device *device;
  struct raw_timing *timing;
  struct raw_pki *pki;
  struct raw_broker *broker;
  struct raw_ota *ota;
  struct raw_name **names;
  unsigned names_count;
  struct raw_reconnect *reconnect;
  struct raw_brake *brake;
  struct raw_limits *limits;
  struct raw_phase *phases;
  unsigned phases_count;
  char **targets;
  unsigned targets_count;
  char **expect;
  unsigned expect_count;
};

/* Refuses unknown, repeated and missing keys, wrong types and lists that are too long, each at its
 * place; those of steps too, which their kinds list (ended by NULL). */
int raw_check_keys(const struct doc *doc, const struct step_kind *const *kinds,
                   struct error *error);

/* Maps the text, which raw_check_keys has passed. */
int raw_load(const struct doc *doc, struct raw_scenario **out, struct error *error);
void raw_free(struct raw_scenario *raw);

#endif

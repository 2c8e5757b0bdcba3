/* The kind `mosquitto`: what it is started with, alone or behind the terminator, and which of the
 * room's operations it takes as they are. What fails at the start is a sentence of the set-up;
 * while it runs it is hosted.c's.
 */
#define _POSIX_C_SOURCE 200809L
#include "broker/mosquitto.h"

#include <stdio.h>
#include <string.h>

#include "broker/internal.h"

struct mosquitto *mosquitto_of(const struct broker *broker)
{
  return broker->own;
}

/* mosquitto, or the terminator that starts it and ends with it: signals are the same to both. Its
 * options are those of cli/terminator.c. */
static void write_command(const struct broker *broker)
{
  struct mosquitto *m = mosquitto_of(broker);
  const struct broker_config *config = &broker->config;
  char *plain[MOSQUITTO_ARGUMENTS] = {m->path, "-c", m->conf};
  for (int l = 0; l < BROKER_LISTENERS; l++)
    snprintf(m->port[l], sizeof m->port[l], "%u", broker->port[l]);
  char *fronted[MOSQUITTO_ARGUMENTS] = {(char *) config->terminator,
                                        "terminator",
                                        (char *) broker->folder,
                                        "--keys",
                                        (char *) broker->keys,
                                        "--mosquitto",
                                        m->path,
                                        "--main-port",
                                        m->port[BROKER_MAIN],
                                        "--prove-port",
                                        m->port[BROKER_PROVE],
                                        "--tls-min",
                                        config->tls_min == 12 ? "12" : "13"};
  char **more = &fronted[13]; /* the first NULL of five */
  if (config->crl) *more++ = "--crl";
  if (mosquitto_has_ids(broker)) *more++ = "--ids";
  if (config->operator_name != NULL) {
    *more++ = "--operator";
    *more = (char *) config->operator_name;
  }
  memcpy(m->argument, config->terminator != NULL ? fronted : plain, sizeof m->argument);
}

static char *const *prepare_mosquitto(struct broker *broker, struct error *error)
{
  struct mosquitto *m = mosquitto_of(broker);
  if (mosquitto_write_files(broker, error) != 0) return NULL;
  broker_file(broker, MOSQUITTO_CONF, m->conf);
  write_command(broker);
  return m->argument;
}

static const struct hosted_program program = {
    .name = "mosquitto",
    .prepare = prepare_mosquitto,
    .log_words = mosquitto_log_tail,
    .reload_log = mosquitto_reload_log,
    .says_reloaded = mosquitto_says_reloaded,
};

static int open_mosquitto(struct broker *broker, struct error *error)
{
  if (mosquitto_find(broker, error) != 0) return -1;
  return hosted_open(broker, &program, error);
}

/* 2.0 was measured so, unless it has CRLs; the terminator reads it at a reload. */
static bool reads_ca_at_start_only(const struct broker *broker)
{
  return !broker->config.crl && broker->config.terminator == NULL;
}

const struct broker_ops broker_mosquitto = {
    .own_size = sizeof(struct mosquitto),
    .names = &broker_names_usual,
    .log = MOSQUITTO_LOG,
    .open = open_mosquitto,
    .close = hosted_close,
    .running = hosted_running,
    .start = hosted_start,
    .stop = hosted_stop,
    .restart = hosted_restart,
    .reload = hosted_reload,
    .kill = hosted_kill,
    .freeze = hosted_freeze,
    .thaw = hosted_thaw,
    .kick = broker_take_over, /* 2.0 has no command for it */
    .trusts_at_start_only = reads_ca_at_start_only,
};

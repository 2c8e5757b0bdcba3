/* The kind `remote`: a broker of the user's that stands elsewhere. What is asked of it is a hook of
 * the scenario's; it is started when its ports can be reached, and left alone in the end. A hook
 * that is missing, fails or takes too long is the operation's error.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>

#include "base/host_port.h"
#include "broker/internal.h"

static int open_remote(struct broker *broker, struct error *error)
{
  const struct broker_config *config = &broker->config;
  if (broker->port[BROKER_MAIN] == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the remote broker %s has no port: write mqtts://host:8883", config->host);
  for (int l = 0; l < BROKER_LISTENERS; l++)
    broker->address[l] = config->address[l] != NULL ? config->address[l] : config->host;
  char place[HOST_PORT_MAX];
  snprintf(broker->version, sizeof broker->version, "remote %s",
           host_port(config->host, broker->port[BROKER_MAIN], place));
  return 0;
}

/* As far as is known. */
static bool always_running(const struct broker *broker)
{
  (void) broker;
  return true;
}

static void leave_alone(struct broker *broker, broker_done done, void *ctx)
{
  broker_later(broker, done, ctx, NULL);
}

static void call_reload(struct broker *broker, broker_done done, void *ctx)
{
  hook_run(broker, HOOK_RELOAD, BROKER_MAIN, done, ctx);
}

static void call_restart(struct broker *broker, broker_done done, void *ctx)
{
  hook_run(broker, HOOK_RESTART, BROKER_MAIN, done, ctx);
}

static void call_present(struct broker *broker, enum broker_listener listener, broker_done done,
                         void *ctx)
{
  hook_run(broker, HOOK_PRESENT, listener, done, ctx);
}

static void call_trust_clients(struct broker *broker, broker_done done, void *ctx)
{
  hook_run(broker, HOOK_TRUST_CLIENTS, BROKER_MAIN, done, ctx);
}

static void call_publish_crl(struct broker *broker, broker_done done, void *ctx)
{
  hook_run(broker, HOOK_PUBLISH_CRL, BROKER_MAIN, done, ctx);
}

static void call_kick(struct broker *broker, const struct broker_kick *kick, broker_done done,
                      void *ctx)
{
  hook_run_on(broker, HOOK_KICK, BROKER_MAIN, kick->client_id, "", done, ctx);
}

static void call_renew_token(struct broker *broker, const char *device, const char *path,
                             broker_done done, void *ctx)
{
  hook_run_on(broker, HOOK_RENEW_TOKEN, BROKER_MAIN, device, path, done, ctx);
}

const struct broker_ops broker_remote = {
    .names = &broker_names_usual,
    .log = "hooks.log",
    .open = open_remote,
    .running = always_running,
    .start = reach_run,
    .stop = leave_alone,
    .restart = call_restart,
    .reload = call_reload,
    .presented = call_present,
    .clients_trusted = call_trust_clients,
    .crl_published = call_publish_crl,
    .kick = call_kick,
    .renew_token = call_renew_token,
};

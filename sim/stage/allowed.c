/* Where a run may send: nothing beyond loopback without the file's and the command line's word,
   hooks included. */
#define _POSIX_C_SOURCE 200809L
#include "stage/allowed.h"

#include <string.h>

#define ADDRESSES_MAX 64

/* Both words have been given. */
static void gather(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t a = 0; a < stage->options->allowed_count; a++)
    for (size_t t = 0; t < scenario->target_count && stage->permit.count < STAGE_ALLOWED_MAX; t++)
      if (permit_same_host(scenario->targets[t].host, stage->options->allowed_targets[a]))
        stage->permitted[stage->permit.count++] = scenario->targets[t].host;
  stage->permit.hosts = stage->permitted;
}

static bool is_a_target(const struct scenario *scenario, const char *host)
{
  for (size_t t = 0; t < scenario->target_count; t++)
    if (permit_same_host(scenario->targets[t].host, host)) return true;
  return false;
}

/* By its spelling. */
static int check_name(struct stage *stage, const char *host)
{
  if (permit_host(&stage->permit, host)) return 0;
  return error_set(&stage->error, EXIT_CODE_SETUP,
                   "nothing was sent: %s is not this machine; to load it, name it in the "
                   "scenario's targets: list%s and pass --allow-target %s",
                   host, is_a_target(stage->scenario, host) ? " (done)" : "", host);
}

static bool is_local(const char *host)
{
  return permit_same_host(host, "localhost");
}

static int no_address(struct stage *stage, const char *host, const char *why)
{
  return error_set(&stage->error, EXIT_CODE_SETUP, "cannot find the address of %s: %s%s", host, why,
                   is_local(host) ? "; add the line '127.0.0.1 localhost' to /etc/hosts" : "");
}

/* A name elsewhere may lead nowhere, as devices will find out; without this one nobody gets far. */
static int check_addresses(struct stage *stage, const char *host)
{
  char beyond[PERMIT_ADDRESS_MAX];
  struct sockaddr_storage found[ADDRESSES_MAX];
  const char *why;
  if (permit_is_listed(&stage->permit, host)) return 0;
  size_t count = world_resolve(stage->world, host, 0, found, ADDRESSES_MAX, &why);
  if (count == 0 && is_local(host)) return no_address(stage, host, why);
  if (permit_addresses(&stage->permit, host, found, count, beyond)) return 0;
  return error_set(
      &stage->error, EXIT_CODE_SETUP,
      "nothing was sent: %s leads to %s, which is not this machine: mend the name, write "
      "127.0.0.1, or name it in the scenario's targets: list and pass --allow-target %s",
      host, beyond, host);
}

typedef int check_host(struct stage *stage, const char *host);

/* A hook may be a URL: it is asked for as well. */
static int check_hook(struct stage *stage, enum hook_kind kind, check_host *check)
{
  const char *hook = stage->scenario->hook[kind];
  char host[PERMIT_HOST_MAX];
  if (!hook_is_url(hook)) return 0;
  if (permit_url_host(hook, host) == 0) return check(stage, host);
  return error_set(&stage->error, EXIT_CODE_USAGE, "the hook '%s' is no URL that can be called",
                   hook_key(kind));
}

/* check_name or check_addresses, of every host that the scenario names. */
static int check_each(struct stage *stage, check_host *check)
{
  const struct scenario *s = stage->scenario;
  for (size_t n = 0; n < s->node_count; n++)
    if (check(stage, s->nodes[n].host) != 0) return -1;
  if (s->prove_host[0] != '\0' && check(stage, s->prove_host) != 0) return -1;
  if (s->operator.host[0] != '\0' && check(stage, s->operator.host) != 0) return -1;
  for (int h = 0; h < HOOK_COUNT; h++)
    if (check_hook(stage, (enum hook_kind) h, check) != 0) return -1;
  return 0;
}

/* No name is looked up before each has been found to be permitted. */
int stage_check_allowed(struct stage *stage)
{
  gather(stage);
  return check_each(stage, check_name) != 0 ? -1 : check_each(stage, check_addresses);
}

/* "localhost" leads to IPv4, where brokers of ours listen. */
int stage_resolve(struct stage *stage, const char *host, uint16_t port,
                  struct sockaddr_storage *out)
{
  struct sockaddr_storage found[ADDRESSES_MAX];
  const char *why;
  size_t count = world_resolve(stage->world, host, port, found, ADDRESSES_MAX, &why), at = 0;
  while (is_local(host) && at < count && found[at].ss_family != AF_INET) at++;
  if (count > 0 && at == count) why = "it has no address of IPv4";
  if (at == count) return no_address(stage, host, why);
  *out = found[at];
  if (permit_address(&stage->permit, host, (const struct sockaddr *) out)) return 0;
  return error_set(&stage->error, EXIT_CODE_SETUP, "nothing was sent: %s leads beyond this machine",
                   host);
}

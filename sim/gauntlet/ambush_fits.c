/* Which cases a run can show to its own devices: those that need no other device, clock, name or
 * trust store than they have. Each refusal says where the case can be tried. */
#include "gauntlet/ambush.h"

#include <stdio.h>
#include <string.h>

#include "gauntlet/cases.h"

/* A name, with the certificate that it stands for. */
static bool is_inherited(const struct cases *cases, const struct gauntlet_case *c, const char *name)
{
  int own = case_find(c, name), kept = case_find(&cases->defaults, name);
  return own >= 0 && kept >= 0 &&
         memcmp(&c->certificate[own], &cases->defaults.certificate[kept],
                sizeof c->certificate[own]) == 0;
}

static bool has_other_anchors(const struct cases *cases, const struct gauntlet_case *c)
{
  const struct case_names *trusts = &cases->defaults.trusts;
  bool other = c->trusts.count != trusts->count;
  for (size_t i = 0; i < c->trusts.count && !other; i++)
    other = strcmp(c->trusts.name[i], trusts->name[i]) != 0 ||
            !is_inherited(cases, c, c->trusts.name[i]);
  return other;
}

static const char *why_not(const struct cases *cases, const struct gauntlet_case *c)
{
  if (c->layer == CASE_HTTPS) return "it is about downloads";
  if (c->layer == CASE_MQTT) return "it is told by a broker whose certificate is sound";
  if (c->clients == CASE_ACCEPT)
    return "its chain is a good one, which devices accept as they should";
  if (c->clock_unix_s != cases->defaults.clock_unix_s) return "it wants devices with another clock";
  if (strcmp(c->host, cases->defaults.host) != 0)
    return "it wants devices that ask for another name";
  if (has_other_anchors(cases, c)) return "it wants devices that trust other roots";
  return NULL;
}

uint8_t ambush_fits(const struct cases *cases, const struct gauntlet_case *c, uint8_t tls_min,
                    uint8_t tls_max, char *why, size_t why_size)
{
  const char *reason = why_not(cases, c);
  if (reason == NULL && c->tls13 && tls_max >= 13) return 13;
  if (reason == NULL && c->tls12 && tls_min <= 12) return 12;
  if (reason == NULL) reason = "it is told in versions of TLS that 'device.tls' does not offer";
  snprintf(why, why_size,
           "a run cannot show '%s' to its devices: %s; 'fleetsim gauntlet' tries it, and lists all "
           "cases with --list",
           c->name, reason);
  return 0;
}

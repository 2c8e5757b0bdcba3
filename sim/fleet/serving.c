/* Whether a broker serves, as far as the fleet can see. While a session is open there, and from the
 * first CONNACK on, it does; when the last session has ended of itself, it may be down or starting,
 * and what it says nothing to until somebody gets in again is no word of its about a certificate. */
#include "fleet/serving.h"

#include "fleet/population.h"
#include "net/fault.h"

#define OFFICE_LAGS_US UINT64_C(1000000) /* its own stack tells of a lost session somewhat later */

static struct fleet_server *server_of(const struct member *m)
{
  return m->facts.node < 0 ? NULL : &m->fleet->servers[m->facts.node];
}

/* A line that swallows or cuts says nothing of the broker. */
static bool tells_of_ends(const struct member *m)
{
  const struct fault *fault = m->faults == NULL ? NULL : fault_get(m->faults);
  return fault == NULL || (!fault->black_hole && !fault->reset && fault->cut_after == 0);
}

void serving_witness(struct member *m)
{
  bool witness = m->facts.online && m->facts.node >= 0 && tells_of_ends(m);
  if (witness == m->witness) return;
  m->witness = witness;
  server_of(m)->sessions += witness ? 1u : (size_t) -1;
}

void serving_let_in(const struct member *m)
{
  struct fleet_server *server = server_of(m);
  if (server != NULL && server->since_us == DEVICE_NEVER)
    server->since_us = population_clock_us(m->fleet);
}

/* A kick ends one of many; a restart ends the last one too. */
void serving_ended(const struct member *m, enum device_failure failure)
{
  struct fleet_server *server = server_of(m);
  bool by_plan = failure < DEVICE_FAIL_SESSION_FIRST || failure >= DEVICE_FAIL_SESSION_STOPPED;
  if (server == NULL || by_plan || server->sessions > 0 || !tells_of_ends(m)) return;
  server->since_us = DEVICE_NEVER;
  server->doubt_us = population_clock_us(m->fleet);
}

bool fleet_would_tell(const struct fleet *fleet, size_t index)
{
  const struct member *m = &fleet->members[index];
  return m->witness && m->held == NULL;
}

bool serving_did(const struct member *m)
{
  const struct fleet_server *server = server_of(m);
  return server == NULL || (server->since_us != DEVICE_NEVER && server->since_us <= m->opened_us);
}

void fleet_hears_office(struct fleet *fleet, int node, bool anew)
{
  struct fleet_server *server = &fleet->servers[node];
  uint64_t now_us = population_clock_us(fleet);
  if (server->since_us != DEVICE_NEVER) return;
  if (anew || now_us - server->doubt_us >= OFFICE_LAGS_US) server->since_us = now_us;
}

/* Remembers who has come of late, and who was kicked. */
#include "bouncer.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

#define MINUTE_S 60u

static unsigned visits_of(const struct bouncer *bouncer, const char *name)
{
  unsigned count = 0, per_s = bouncer->per_s > 0 ? bouncer->per_s : MINUTE_S;
  for (unsigned i = 0; i < BOUNCER_CAME && i < bouncer->came; i++)
    count += strcmp(bouncer->visit[i].name, name) == 0 &&
             clock_now_us() - bouncer->visit[i].at_us < 1000000ull * per_s;
  return count;
}

bool bouncer_admits(struct bouncer *bouncer, const char *name)
{
  for (unsigned i = 0; i < bouncer->banned; i++)
    if (strcmp(bouncer->ban[i], name) == 0) return false;
  if (bouncer->limit == 0) return true;
  unsigned at = bouncer->came++ % BOUNCER_CAME;
  snprintf(bouncer->visit[at].name, sizeof bouncer->visit[at].name, "%s", name);
  bouncer->visit[at].at_us = clock_now_us();
  return visits_of(bouncer, name) <= bouncer->limit;
}

void bouncer_kicked(struct bouncer *bouncer, const char *name)
{
  if (!bouncer->bans || bouncer->banned == BOUNCER_BANNED) return;
  snprintf(bouncer->ban[bouncer->banned], sizeof bouncer->ban[0], "%s", name);
  bouncer->banned++;
}

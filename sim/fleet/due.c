/* When a member's next turn comes: one deadline for all that may be due. */
#include "fleet/due.h"

#include "fleet/pace.h"
#include "fleet/population.h"
#include "fleet/trespass.h"

static uint64_t earliest(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

void due_arm(struct member *m)
{
  if (m->held != NULL || m->boot_at_ms != DEVICE_NEVER) {
    backend_deadline(m->conn, earliest(pace_held_until_ms(m), m->boot_at_ms));
    return;
  }
  if (m->unfetched) {
    backend_deadline(m->conn, population_now_ms(m->fleet));
    return;
  }
  uint64_t at = earliest(m->start_at_ms,
                         earliest(m->device_at_ms, earliest(m->telemetry_at_ms, m->shelve_by_ms)));
  backend_deadline(m->conn, earliest(at, earliest(m->name_at_ms, trespass_due_ms(m))));
}

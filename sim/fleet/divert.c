/* A row per member, made when the first of them is led away. An attempt keeps in mind where it went:
 * it may end after the diversion has. */
#include "fleet/divert.h"

#include <assert.h>
#include <stdlib.h>

#include "fleet/population.h"

struct divert_row {
  struct fleet_diversion as;
  bool on;
  bool led; /* the latest attempt went there */
};

static struct divert_row *led_row(const struct member *m)
{
  return m->fleet->diverts == NULL ? NULL : &m->fleet->diverts[population_index(m)];
}

int divert_begin(struct member *m, const struct fleet_diversion *diversion)
{
  struct fleet *fleet = m->fleet;
  if (fleet->diverts == NULL)
    fleet->diverts = calloc(fleet->config.device_count, sizeof *fleet->diverts);
  if (fleet->diverts == NULL) return -1;
  struct divert_row *row = led_row(m);
  *row = (struct divert_row){.as = *diversion, .on = true, .led = row->led};
  return 0;
}

void divert_end(struct member *m)
{
  struct divert_row *row = led_row(m);
  if (row != NULL) row->on = false;
}

const struct sockaddr_storage *divert_to(struct member *m)
{
  struct divert_row *row = led_row(m);
  if (row == NULL) return NULL;
  row->led = row->on;
  return row->on ? &row->as.to : NULL;
}

const struct sockaddr_storage *divert_from(const struct member *m)
{
  const struct divert_row *row = led_row(m);
  return row != NULL && row->led ? &row->as.from : NULL;
}

bool divert_has_led(const struct member *m)
{
  const struct divert_row *row = led_row(m);
  return row != NULL && row->led;
}

bool divert_foretells(const struct member *m, enum device_failure failure)
{
  const struct divert_row *row = led_row(m);
  return row != NULL && (row->on || row->led) && failure_set_has(&row->as.foretold, failure);
}

void divert_free(struct fleet *fleet)
{
  free(fleet->diverts);
}

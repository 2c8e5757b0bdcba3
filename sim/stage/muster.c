/* A bit of each device for each column says that it counts there; what has changed of the bits is
 * what the sums change by. */
#define _POSIX_C_SOURCE 200809L
#include "stage/muster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "scenario/quantity.h"
#include "stage/quantities.h"
#include "stage/wait.h"

struct column {
  enum quantity of;
  const char *argument; /* the scenario's */
  int gauge;            /* of the series */
  size_t devices;
};

struct stage_muster {
  struct column columns[SERIES_GAUGES_MAX];
  size_t count;
  uint64_t counted[]; /* per device, bit c: it counts in columns[c] */
};
_Static_assert(SERIES_GAUGES_MAX <= 64, "a column has a bit");

static void add_column(struct stage *stage, enum quantity of, const char *called,
                       const char *argument)
{
  char name[SERIES_NAME_MAX];
  struct stage_muster *muster = stage->muster;
  snprintf(name, sizeof name, "%s.%s", called, argument);
  int gauge = series_gauge(stage->series, name);
  if (gauge < 0) return; /* what there is no room for is not drawn */
  muster->columns[muster->count++] =
      (struct column){.of = of, .argument = argument, .gauge = gauge};
  series_set(stage->series, gauge, 0);
}

static void add_columns(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  const struct pki_roots *roots = pki_roots(stage->pki);
  for (size_t r = 0; r < roots->count; r++)
    add_column(stage, QUANTITY_TRUSTING, "trusting", roots->name[r]);
  for (size_t r = 0; r < roots->count && scenario_names(scenario, "identified"); r++)
    add_column(stage, QUANTITY_IDENTIFIED, "identified", roots->name[r]);
  for (size_t i = 0; i < scenario->ota.image_count && scenario->ota.on; i++)
    add_column(stage, QUANTITY_UPDATED, "ota.updated", scenario->ota.images[i].name);
}

static uint64_t bits_of(const struct stage *stage, size_t index)
{
  const struct stage_muster *muster = stage->muster;
  uint64_t bits = 0;
  for (size_t c = 0; c < muster->count; c++)
    if (stage_is(stage, muster->columns[c].of, index, muster->columns[c].argument))
      bits |= UINT64_C(1) << c;
  return bits;
}

int stage_muster_begin(struct stage *stage)
{
  size_t devices = fleet_size(stage->fleet);
  stage->muster = calloc(1, sizeof *stage->muster + devices * sizeof stage->muster->counted[0]);
  if (stage->muster == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for %zu devices", devices);
  add_columns(stage);
  for (size_t i = 0; i < devices; i++) stage_muster_changed(stage, i);
  return 0;
}

void stage_muster_changed(void *of, size_t index)
{
  struct stage *stage = of;
  struct stage_muster *muster = stage->muster;
  if (muster == NULL || stage->fleet == NULL) return;
  uint64_t now = bits_of(stage, index), changed = now ^ muster->counted[index];
  muster->counted[index] = now;
  for (size_t c = 0; changed >> c != 0; c++) {
    if ((changed >> c & 1) == 0) continue;
    muster->columns[c].devices += (now >> c & 1) != 0 ? 1 : (size_t) -1;
    series_set(stage->series, muster->columns[c].gauge, muster->columns[c].devices);
  }
}

void stage_muster_look(struct stage *stage)
{
  struct fleet_census census = {.online = 0};
  if (stage->series == NULL) return;
  if (stage->fleet != NULL) {
    fleet_census(stage->fleet, &census);
    series_set_online(stage->series, census.online);
  }
  series_look(stage->series, stage->metrics, stage_elapsed_ms(stage));
}

bool stage_muster_is_right(const struct stage *stage)
{
  if (stage->muster == NULL || stage->fleet == NULL) return true;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++)
    if (bits_of(stage, i) != stage->muster->counted[i]) return false;
  return true;
}

void stage_muster_free(struct stage *stage)
{
  free(stage->muster);
  stage->muster = NULL;
}

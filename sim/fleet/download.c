/* Downloads over HTTPS that devices ask for, one at a time: they need power, and no session with
 * the broker. One that cannot begin ends like every other one, never from inside
 * the device's step.
 */
#include "fleet/download.h"

#include <stdlib.h>

#include "fleet/places.h"
#include "fleet/population.h"

struct download_row {
  struct fetch_transfer *transfer; /* under way; NULL: nothing is */
};

/* NULL: nobody has fetched so far. */
static struct download_row *row_of(const struct member *m)
{
  struct download_row *all = m->fleet->downloads;
  return all == NULL ? NULL : &all[population_index(m)];
}

/* False: there is nobody to fetch from, or no memory. */
static bool try_begin(struct member *m, const struct device_fetch *fetch,
                      const struct fetch_handler *handler)
{
  struct fleet *fleet = m->fleet;
  struct fetch_request request = {.url = fetch->url,
                                  .offset = fetch->offset,
                                  .size_max = fetch->size_max,
                                  .unix_s = population_unix_s(m),
                                  .from = places_source(m)};
  if (fleet->config.ota.fetch == NULL) return false;
  if (fleet->downloads == NULL)
    fleet->downloads = calloc(fleet->config.device_count, sizeof *fleet->downloads);
  if (fleet->downloads == NULL) return false;
  row_of(m)->transfer = fetch_begin(fleet->config.ota.fetch, &request, handler, m);
  return row_of(m)->transfer != NULL;
}

void download_begin(struct member *m, const struct device_fetch *fetch,
                    const struct fetch_handler *handler)
{
  download_abort(m);
  m->unfetched = !try_begin(m, fetch, handler);
}

void download_is_over(struct member *m)
{
  row_of(m)->transfer = NULL;
}

void download_abort(struct member *m)
{
  struct download_row *row = row_of(m);
  m->unfetched = false;
  if (row == NULL || row->transfer == NULL) return;
  fetch_abort(row->transfer);
  row->transfer = NULL;
}

void download_pause(struct member *m, bool paused)
{
  struct download_row *row = row_of(m);
  if (row != NULL && row->transfer != NULL) fetch_pause(row->transfer, paused);
}

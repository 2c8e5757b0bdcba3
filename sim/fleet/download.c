/* Downloads over HTTPS that devices ask for, one at a time: they need power, and no session with
 * the broker. One that cannot begin ends like every other one, never from inside the device's step.
 */
#include <stdlib.h>

#include "fleet/member.h"
#include "net/fetch.h"

static struct fetch_transfer **place_of(const struct member *m)
{
  struct fetch_transfer **all = m->fleet->downloads;
  return all == NULL ? NULL : &all[m - m->fleet->members];
}

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  member_ota_came(user, size);
  member_feed(
      user, &(struct device_event){.kind = DEVICE_FETCHED, .bytes = {.data = data, .size = size}});
}

static void tell_ended(struct member *m, enum device_ota_status cause)
{
  member_feed(m, &(struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = cause});
}

static void on_ended(void *user, enum device_ota_status cause)
{
  *place_of(user) = NULL;
  tell_ended(user, cause);
}

static const struct fetch_handler handler = {.bytes = on_bytes, .ended = on_ended};

/* False: there is nobody to fetch from, or no memory. */
static bool begin(struct member *m, const struct device_fetch *fetch)
{
  struct fleet *fleet = m->fleet;
  struct fetch_request request = {.url = fetch->url,
                                  .offset = fetch->offset,
                                  .size_max = fetch->size_max,
                                  .unix_s = member_unix_s(m),
                                  .from = member_source(m)};
  if (fleet->config.ota.fetch == NULL) return false;
  if (fleet->downloads == NULL)
    fleet->downloads = calloc(fleet->config.device_count, sizeof *fleet->downloads);
  if (fleet->downloads == NULL) return false;
  *place_of(m) = fetch_begin(fleet->config.ota.fetch, &request, &handler, m);
  return *place_of(m) != NULL;
}

void member_fetch(struct member *m, const struct device_fetch *fetch)
{
  member_fetch_abort(m);
  m->unfetched = !begin(m, fetch);
  member_ota_forget_came(m);
}

void member_fetch_abort(struct member *m)
{
  struct fetch_transfer **place = place_of(m);
  m->unfetched = false;
  if (place == NULL || *place == NULL) return;
  fetch_abort(*place);
  *place = NULL;
}

void member_fetch_pause(struct member *m, bool paused)
{
  struct fetch_transfer **place = place_of(m);
  if (place != NULL && *place != NULL) fetch_pause(*place, paused);
}

bool member_is_unfetched(const struct member *m)
{
  return m->unfetched;
}

void member_tell_unfetched(struct member *m)
{
  m->unfetched = false;
  tell_ended(m, DEVICE_OTA_SERVER_UNREACHABLE);
}

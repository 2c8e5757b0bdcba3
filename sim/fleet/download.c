/* Downloads over HTTPS that devices ask for, one at a time: they need power, and no session with
   the broker. */
#include "fleet/member.h"
#include "net/fetch.h"

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  member_ota_came(user, size);
  member_feed(
      user, &(struct device_event){.kind = DEVICE_FETCHED, .bytes = {.data = data, .size = size}});
}

static void on_ended(void *user, enum device_ota_status cause)
{
  struct member *m = user;
  member_ota(m)->fetch = NULL;
  member_feed(m, &(struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = cause});
}

static const struct fetch_handler handler = {.bytes = on_bytes, .ended = on_ended};

/* A download that cannot even begin ends like every other one, never from inside the device's
   step. */
void member_fetch(struct member *m, const struct device_fetch *fetch)
{
  struct member_ota *ota = member_ota(m);
  struct fetch *layer = m->fleet->config.ota.fetch;
  struct fetch_request request = {.url = fetch->url,
                                  .offset = fetch->offset,
                                  .size_max = fetch->size_max,
                                  .unix_s = member_unix_s(m),
                                  .from = member_source(m)};
  member_fetch_abort(m);
  if (layer != NULL) ota->fetch = fetch_begin(layer, &request, &handler, m);
  ota->unfetched = ota->fetch == NULL;
  ota->untold = 0;
}

void member_fetch_abort(struct member *m)
{
  struct member_ota *ota = member_ota(m);
  if (ota == NULL) return;
  if (ota->fetch != NULL) fetch_abort(ota->fetch);
  ota->fetch = NULL;
  ota->unfetched = false;
}

void member_fetch_pause(struct member *m, bool paused)
{
  struct member_ota *ota = member_ota(m);
  if (ota != NULL && ota->fetch != NULL) fetch_pause(ota->fetch, paused);
}

bool member_is_unfetched(const struct member *m)
{
  const struct member_ota *ota = member_ota(m);
  return ota != NULL && ota->unfetched;
}

void member_tell_unfetched(struct member *m)
{
  member_ota(m)->unfetched = false;
  on_ended(m, DEVICE_OTA_SERVER_UNREACHABLE);
}

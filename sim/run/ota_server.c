/* Images over HTTPS: the way to the update server. */
#define _POSIX_C_SOURCE 200809L
#include "run/ota.h"

static int no_server(struct run *run)
{
  return error_set(&run->error, EXIT_CODE_USAGE, "this build of fleetsim cannot serve images over HTTPS");
}

int run_ota_start_server(struct run *run)
{
  return run->scenario->ota.server ? no_server(run) : 0;
}

void run_ota_end_server(struct run *run, void (*turn)(struct run *run, const bool *flag))
{
  (void) run, (void) turn;
}

struct fetch *run_ota_fetch(const struct run *run)
{
  (void) run;
  return NULL;
}

int run_ota_url(struct run *run, const char *name, char out[DEVICE_OTA_URL_MAX])
{
  (void) name, (void) out;
  return no_server(run);
}

int run_ota_put(struct run *run, const char *name, const void *data, size_t size)
{
  (void) name, (void) data, (void) size;
  return no_server(run);
}

void run_ota_look_at_server(struct run *run)
{
  (void) run;
}

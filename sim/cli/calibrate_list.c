/* fleetsim calibrate list: the checked-in profiles, a line each. The first that cannot be read ends
 * the list with its sentence. */
#include <stdio.h>

#include "cli/profile.h"
#include "cli/verbs.h"

struct listing {
  int result;
  struct error *error;
};

static void list_one(void *ctx, const char *name)
{
  struct listing *listing = ctx;
  struct profile profile;
  char handshake[64];
  if (listing->result != 0) return;
  listing->result = profile_open(name, &profile, listing->error);
  if (listing->result != 0) return;
  printf("%-26s %7.0f MHz  %-26s", name, profile.timing.clock_hz / 1e6,
         profile_band(&profile, profile_handshake_cycles(&profile, &profile_chains[1]), handshake));
  const struct timing_profile *t = &profile.timing;
  if (t->rom_bytes > 0)
    printf(" %8.1f %8.1f\n", t->rom_bytes / 1024.0,
           ((double) t->ram_static_bytes + t->heap_peak_bytes + t->stack_peak_bytes) / 1024.0);
  else
    printf(" %8s %8s\n", "-", "-");
  profile_close(&profile);
}

static int list_profiles(const struct args *args, struct error *error)
{
  (void) args;
  struct listing listing = {.error = error};
  printf("%-26s %11s  %-26s %8s %8s\n", "profile", "clock", "handshake, ms modelled", "ROM, KiB",
         "RAM, KiB");
  if (timing_each(list_one, &listing, error) != 0 || listing.result != 0) return -1;
  printf("\nTimes are modelled: TLS 1.3 with both sides' certificates and one intermediate, "
         "nominal (low-high).\n");
  return 0;
}

const struct args_verb cli_calibrate_list = {
    .name = "list",
    .usage = "usage: fleetsim calibrate list\n",
    .line = "the timing profiles that there are",
    .example = "fleetsim calibrate list",
    .operands = "say 'fleetsim calibrate list'",
    .run = list_profiles,
};

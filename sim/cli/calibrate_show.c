/* fleetsim calibrate show: one timing profile, what it was made from and what every operation of it
 * takes. */
#include <math.h>
#include <stdio.h>

#include "cli/profile.h"
#include "cli/verbs.h"

static void print_cycles(const struct profile *profile, const char *name, double cycles)
{
  char ms[64];
  if (isnan(cycles))
    printf("  %-28s %13s  -\n", name, "-");
  else
    printf("  %-28s %13.0f  %s\n", name, cycles, profile_band(profile, cycles, ms));
}

static void print_validation(const struct profile *profile)
{
  size_t i;
  json_t *row;
  const json_t *rows = json_object_get(profile->file, "validation");
  if (json_array_size(rows) == 0) return;
  printf("\n  %-58s %-14s %s\n", "the model against the same source on a real board", "",
         "modelled / measured");
  json_array_foreach(rows, i, row)
  {
    const char *anchor = json_string_value(json_object_get(row, "anchor"));
    const char *operation = json_string_value(json_object_get(row, "operation"));
    printf("  %-58s %-14s %.3f\n", anchor != NULL ? anchor : "-",
           operation != NULL ? operation : "-", json_number_value(json_object_get(row, "ratio")));
  }
}

static void print_origin(const struct profile *profile)
{
  const char *note = json_string_value(profile_find(profile, "provenance.note"));
  printf("%s: %.0f MHz, k_mem %.2f (%.2f-%.2f)\n", profile->timing.name,
         profile->timing.clock_hz / 1e6, profile->timing.k_nominal, profile->timing.k_low,
         profile->timing.k_high);
  printf("  %s %s, %s\n  %s; %s\n", profile_text(profile, "provenance.library.name"),
         profile_text(profile, "provenance.library.version"),
         profile_text(profile, "provenance.options"), profile_text(profile, "provenance.compiler"),
         profile_text(profile, "provenance.date"));
  if (note != NULL) printf("  %s\n", note);
}

static int show_profile(const struct args *args, struct error *error)
{
  struct profile profile;
  if (profile_open(args->operand[0], &profile, error) != 0) return -1;
  print_origin(&profile);
  printf("\n  %-28s %13s  %s\n", "operation", "cycles", "ms modelled, nominal (low-high)");
  for (size_t i = 0; i < PROFILE_OPERATIONS; i++)
    print_cycles(&profile, profile_operations[i].name,
                 profile_operation_cycles(&profile, &profile_operations[i]));
  for (size_t i = 0; i < PROFILE_CHAINS; i++)
    print_cycles(&profile, profile_chains[i].name,
                 profile_handshake_cycles(&profile, &profile_chains[i]));
  const struct timing_profile *t = &profile.timing;
  if (t->rom_bytes > 0)
    printf("\n  ROM %u bytes; RAM %u static, at most %u heap and %u stack\n", t->rom_bytes,
           t->ram_static_bytes, t->heap_peak_bytes, t->stack_peak_bytes);
  print_validation(&profile);
  profile_close(&profile);
  return 0;
}

const struct args_verb cli_calibrate_show = {
    .name = "show",
    .usage = "usage: fleetsim calibrate show PROFILE\n\n"
             "PROFILE is a name or the path of a .json file.\n",
    .line = "one of them, and where it comes from",
    .example = "fleetsim calibrate show mbedtls-3.6.7-Os",
    .operand_words = profile_names,
    .operands_least = 1,
    .operands_most = 1,
    .operands = "say 'fleetsim calibrate show PROFILE'",
    .run = show_profile,
};

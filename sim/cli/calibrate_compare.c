/* fleetsim calibrate compare: two timing profiles side by side, as a table and, with --json, as a
 * file for programs. */
#include <math.h>
#include <stdio.h>

#include "cli/profile.h"
#include "cli/verbs.h"

struct compare_line {
  const char *json;
};

static const struct args_option options[] = {
    {"json", "FILE", "the comparison as JSON", args_text,
     .offset = offsetof(struct compare_line, json)},
    {0},
};

static json_t *side(const struct profile *profile, double cycles)
{
  if (isnan(cycles)) return json_null();
  const struct timing_band us = timing_band(&profile->timing, cycles);
  return json_pack("{s:f, s:f, s:f, s:f}", "cycles", cycles, "modelled_ms", us.nominal / 1e3,
                   "modelled_ms_low", us.low / 1e3, "modelled_ms_high", us.high / 1e3);
}

static void compare_row(const struct profile pair[2], const char *name, const double cycles[2],
                        json_t *rows)
{
  char one[64], other[64], ratio[32] = "-";
  const double quotient = timing_us(&pair[1].timing, cycles[1]) /
                          timing_us(&pair[0].timing, cycles[0]); /* of times: clocks may differ */
  if (isfinite(quotient)) snprintf(ratio, sizeof ratio, "%.3f", quotient);
  printf("%-28s %12.0f %12.0f  %-26s %-26s %6s\n", name, cycles[0], cycles[1],
         profile_band(&pair[0], cycles[0], one), profile_band(&pair[1], cycles[1], other), ratio);
  json_array_append_new(rows,
                        json_pack("{s:s, s:o, s:o, s:o}", "operation", name, "a",
                                  side(&pair[0], cycles[0]), "b", side(&pair[1], cycles[1]),
                                  "ratio", isfinite(quotient) ? json_real(quotient) : json_null()));
}

static json_t *compare_rows(const struct profile pair[2])
{
  json_t *rows = json_array();
  printf("A: %s\nB: %s\n\n%-28s %12s %12s  %-26s %-26s %6s\n", pair[0].timing.name,
         pair[1].timing.name, "", "A, cycles", "B, cycles", "A, ms modelled", "B, ms modelled",
         "B/A");
  for (size_t i = 0; i < PROFILE_OPERATIONS; i++) {
    const double cycles[2] = {profile_operation_cycles(&pair[0], &profile_operations[i]),
                              profile_operation_cycles(&pair[1], &profile_operations[i])};
    compare_row(pair, profile_operations[i].name, cycles, rows);
  }
  for (size_t i = 0; i < PROFILE_CHAINS; i++) {
    const double cycles[2] = {profile_handshake_cycles(&pair[0], &profile_chains[i]),
                              profile_handshake_cycles(&pair[1], &profile_chains[i])};
    compare_row(pair, profile_chains[i].name, cycles, rows);
  }
  printf("\nTimes are modelled: nominal (low-high).\n");
  return rows;
}

static int compare_profiles(const struct args *args, struct error *error)
{
  const struct compare_line *line = args->given;
  struct profile pair[2] = {{.file = NULL}, {.file = NULL}};
  int result = profile_open(args->operand[0], &pair[0], error);
  if (result == 0) result = profile_open(args->operand[1], &pair[1], error);
  if (result == 0) {
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:o}", "schema", "fleetsim-timing-comparison/1", "a",
                  pair[0].timing.name, "b", pair[1].timing.name, "rows", compare_rows(pair));
    if (line->json != NULL &&
        json_dump_file(out, line->json, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) != 0)
      result =
          error_set(error, EXIT_CODE_SETUP, "cannot write %s: does its folder exist?", line->json);
    json_decref(out);
  }
  profile_close(&pair[0]);
  profile_close(&pair[1]);
  return result;
}

const struct args_verb cli_calibrate_compare = {
    .name = "compare",
    .usage = "usage: fleetsim calibrate compare A B [options]\n\n"
             "A and B are names, or paths of .json files.\n\n",
    .options = options,
    .line = "what a change of library, options or hardware does",
    .example = "fleetsim calibrate compare mbedtls-3.6.6-Os mbedtls-3.6.7-Os --json change.json",
    .operand_words = profile_names,
    .operands_least = 2,
    .operands_most = 2,
    .operands = "say 'fleetsim calibrate compare A B [--json FILE]'",
    .size = sizeof(struct compare_line),
    .run = compare_profiles,
};

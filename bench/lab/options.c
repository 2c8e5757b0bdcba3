#define _GNU_SOURCE
#include "lab/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lab/stats.h"

#define DEVICES_MAX 1000000.0

static void print_help(const struct options *defaults)
{
  printf(
      "usage: ./fleetsim bench %s [options]\n\n%s\n\n  --json FILE     write the results there\n",
      defaults->bench, defaults->purpose);
  printf("  --rounds N      how often each figure is measured; the median counts (default %zu)\n",
         defaults->rounds);
  printf("  --devices N     size of the fleet (default %zu)\n", defaults->devices);
  if (defaults->rate > 0)
    printf("  --rate R        connects a second, an open loop (default %g)\n", defaults->rate);
  if (defaults->seconds > 0)
    printf("  --seconds S     how long each measurement lasts (default %g)\n", defaults->seconds);
  if (defaults->kinds != NULL)
    printf("  --kinds A,B     clients that take part (default %s)\n", defaults->kinds);
}

static int refuse(const struct options *options, const char *option, const char *value,
                  const char *wanted)
{
  fprintf(stderr, "bench %s: %s %s: give %s\n", options->bench, option, value, wanted);
  return EXIT_CODE_USAGE;
}

static bool read_number(const char *text, double most, double *out)
{
  char *end;
  *out = strtod(text, &end);
  return end != text && *end == '\0' && *out > 0 && *out <= most;
}

static int set_whole(const struct options *options, const char *option, const char *text,
                     double most, size_t *out)
{
  char wanted[64];
  double number;
  bool good = read_number(text, most, &number) && number >= 1 && number == (double) (size_t) number;
  snprintf(wanted, sizeof wanted, "a whole number from 1 to %g", most);
  if (!good) return refuse(options, option, text, wanted);
  *out = (size_t) number;
  return OPTIONS_GO_ON;
}

static int set_real(const struct options *options, const char *option, const char *text,
                    double most, double *out)
{
  char wanted[64];
  snprintf(wanted, sizeof wanted, "a number above 0, at most %g", most);
  return read_number(text, most, out) ? OPTIONS_GO_ON : refuse(options, option, text, wanted);
}

/* Each name must be one of the defaults. */
static int set_kinds(struct options *options, const char *text)
{
  struct options every = *options;
  char wanted[256];
  snprintf(wanted, sizeof wanted, "some of %s", every.kinds);
  for (const char *name = text; *name != '\0';) {
    char one[32];
    size_t size = strcspn(name, ",");
    snprintf(one, sizeof one, "%.*s", (int) size, name);
    if (size == 0 || size >= sizeof one || !options_has_kind(&every, one))
      return refuse(options, "--kinds", text, wanted);
    name += size + (name[size] == ',');
  }
  if (text[0] == '\0') return refuse(options, "--kinds", text, wanted);
  options->kinds = text;
  return OPTIONS_GO_ON;
}

static int take(struct options *options, const struct options *defaults, int option,
                const char *text)
{
  switch (option) {
  case 'j': options->json = text; return OPTIONS_GO_ON;
  case 'n': return set_whole(options, "--rounds", text, STATS_ROUNDS_MAX, &options->rounds);
  case 'd': return set_whole(options, "--devices", text, DEVICES_MAX, &options->devices);
  case 'r': return set_real(options, "--rate", text, 1e6, &options->rate);
  case 's': return set_real(options, "--seconds", text, 3600, &options->seconds);
  case 'k': return set_kinds(options, text);
  case 'h': print_help(defaults); return EXIT_CODE_PASS;
  default:
    fprintf(stderr, "bench %s: an option is unknown or lacks its value; --help shows them\n",
            options->bench);
    return EXIT_CODE_USAGE;
  }
}

int options_parse(struct options *options, int argc, char **argv)
{
  struct option known[8] = {{"json", required_argument, NULL, 'j'},
                            {"rounds", required_argument, NULL, 'n'},
                            {"devices", required_argument, NULL, 'd'},
                            {"help", no_argument, NULL, 'h'}};
  const struct options defaults = *options;
  size_t count = 4;
  if (defaults.rate > 0) known[count++] = (struct option){"rate", required_argument, NULL, 'r'};
  if (defaults.seconds > 0)
    known[count++] = (struct option){"seconds", required_argument, NULL, 's'};
  if (defaults.kinds != NULL)
    known[count++] = (struct option){"kinds", required_argument, NULL, 'k'};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    int code = take(options, &defaults, option, optarg);
    if (code != OPTIONS_GO_ON) return code;
  }
  if (optind == argc) return OPTIONS_GO_ON;
  fprintf(stderr, "bench %s: '%s' is no option; --help shows them\n", options->bench, argv[optind]);
  return EXIT_CODE_USAGE;
}

bool options_has_kind(const struct options *options, const char *name)
{
  size_t size = strlen(name);
  for (const char *at = options->kinds; at != NULL; at = strchr(at, ',')) {
    if (*at == ',') at++;
    if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == '\0')) return true;
  }
  return false;
}
